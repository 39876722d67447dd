/** The API as the pages use it. Every call throws ApiFault, with the API's own code. */

export class ApiFault extends Error {
  constructor(
    readonly code: string,
    message: string,
    /** The field of the request that is to blame. */
    readonly field: string | null = null,
    /** What else the answer said. */
    readonly more: Readonly<Record<string, unknown>> = {},
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

export interface LookedAtSite extends Site {
  /** Of those that count; null until there is one. */
  first_event_at: string | null;
}

interface Ticket {
  ticket: string;
  url: string;
}

export interface SignedIn {
  email: string;
  /** What an operator types before a verb, on the server. */
  program: string;
}

/** Nobody is signed in; `command` adds the first owner, where there is none. */
export interface SignedOut {
  command: string | null;
  program: string;
}

export async function readSession(): Promise<SignedIn | SignedOut> {
  try {
    return await call<SignedIn>("GET", "/api/session");
  } catch (fault) {
    if (!(fault instanceof ApiFault) || fault.code !== "unauthenticated") throw fault;
    const { has_owner: hasOwner, command, program } = fault.more;
    return { command: hasOwner === false ? String(command) : null, program: String(program) };
  }
}

export const openSession = (email: string, password: string): Promise<SignedIn> =>
  call("POST", "/api/session", { email, password });

/** `token`: of a link that works once. */
export const openSessionByLink = (token: string): Promise<SignedIn> =>
  call("POST", "/api/session/link", { token });

export const closeSession = (): Promise<void> => call("DELETE", "/api/session");

export async function readSites(): Promise<Site[]> {
  return (await call<{ sites: Site[] }>("GET", "/api/sites")).sites;
}

export const readSite = (key: string, signal?: AbortSignal): Promise<LookedAtSite> =>
  call("GET", `/api/sites/${encodeURIComponent(key)}`, undefined, signal);

/** POST /api/v2/query. */
export const askNumbers = <T>(question: unknown, signal: AbortSignal): Promise<T> =>
  call("POST", "/api/v2/query", question, signal, SLOWEST_ANSWER_MS);

/** An answer, or why there is none. */
export type Outcome<T> = T | { error: { code: string; message: string; field?: string } };

/** POST /api/v2/query/batch: 20 questions at most, all answered as of one moment, in their order. */
export async function askBatch<T>(
  queries: readonly unknown[],
  signal: AbortSignal,
): Promise<Outcome<T>[]> {
  const path = "/api/v2/query/batch";
  const { answers } = await call<{ answers: Outcome<T>[] }>(
    "POST",
    path,
    { queries },
    signal,
    SLOWEST_ANSWER_MS,
  );
  return answers;
}

export interface NotCounted {
  /** Kind and reason. */
  results: { metrics: [number]; dimensions: [string, string] }[];
  meta: { total_rows: number; missing_days?: string[] };
}

export const askNotCounted = (question: unknown, signal: AbortSignal): Promise<NotCounted> =>
  call("POST", "/api/v2/query/not-counted", question, signal, SLOWEST_ANSWER_MS);

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
  /** What lacks for ever, of which days of the site. */
  accepted_losses: { edge: string; events: number; first_day: string; last_day: string }[];
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

export async function call<T>(
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
    const { error, ...more } = JSON.parse(text);
    return new ApiFault(String(error.code), String(error.message), error.field ?? null, more);
  } catch {
    return new ApiFault("unexpected", text.slice(0, 200));
  }
}
