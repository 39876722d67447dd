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
  created_at: string;
  settings: { time_zone: string };
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

export const readSite = (key: string, signal?: AbortSignal): Promise<Site> =>
  call("GET", `/api/sites/${encodeURIComponent(key)}`, undefined, signal);

/** POST /api/v2/query. */
export const askNumbers = <T>(question: unknown, signal: AbortSignal): Promise<T> =>
  call("POST", "/api/v2/query", question, signal, SLOWEST_ANSWER_MS);

export interface Completeness {
  final_until: string;
  closed_through: string;
  edges: {
    edge: string;
    state: "live" | "silent" | "written_off" | "retired";
    final_until: string;
    silent_since: string | null;
    held_back: { batches: number; bytes: number; oldest_at: string | null };
    in_flight_batches: number;
    lost_batches: number;
  }[];
}

/** Up to when a site's numbers are final. */
export const readCompleteness = (site: string, signal: AbortSignal): Promise<Completeness> =>
  call("GET", `/api/v2/completeness?site_id=${encodeURIComponent(site)}`, undefined, signal);

/** The address of a live connection; it works once, within a minute. */
export async function makeLiveUrl(site: string): Promise<string> {
  return (await call<Ticket>("POST", "/api/live/ticket", { site })).url;
}

/** A server that hangs takes the request and never answers. */
const SLOWEST_MS = 15_000;
/** The API itself gives up before, and says so. */
const SLOWEST_ANSWER_MS = 45_000;

async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  slowestMs = SLOWEST_MS,
): Promise<T> {
  const timeout = AbortSignal.timeout(slowestMs);
  const request: RequestInit = {
    method,
    headers: { accept: "application/json" },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
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
