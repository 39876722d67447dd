/** The API as the pages use it. Every call throws ApiFault, with the API's own code. */

export class ApiFault extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface Site {
  key: string;
  /** The line that its pages hold. */
  snippet: string;
}

interface Ticket {
  ticket: string;
  url: string;
}

export async function readSession(): Promise<string | null> {
  try {
    return (await call<{ email: string }>("GET", "/api/session")).email;
  } catch (fault) {
    if (fault instanceof ApiFault && fault.code === "unauthenticated") return null;
    throw fault;
  }
}

export async function openSession(email: string, password: string): Promise<string> {
  return (await call<{ email: string }>("POST", "/api/session", { email, password })).email;
}

export const closeSession = (): Promise<void> => call("DELETE", "/api/session");

export async function readSites(): Promise<Site[]> {
  return (await call<{ sites: Site[] }>("GET", "/api/sites")).sites;
}

/** The address of a live connection; it works once, within a minute. */
export async function makeLiveUrl(site: string): Promise<string> {
  return (await call<Ticket>("POST", "/api/live/ticket", { site })).url;
}

/** A server that hangs takes the request and never answers. */
const SLOWEST_MS = 15_000;

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const request: RequestInit = {
    method,
    headers: { accept: "application/json" },
    signal: AbortSignal.timeout(SLOWEST_MS),
  };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { ...request.headers, "content-type": "application/json" };
  }
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, request);
    text = await response.text();
  } catch {
    throw new ApiFault("network", path);
  }
  if (!response.ok) throw readFault(text);
  return (text ? JSON.parse(text) : undefined) as T;
}

function readFault(text: string): ApiFault {
  try {
    const { code, message } = JSON.parse(text).error;
    return new ApiFault(String(code), String(message));
  } catch {
    return new ApiFault("unexpected", text.slice(0, 200));
  }
}
