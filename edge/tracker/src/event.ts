import { objection, tell } from "./manners";
import { deliver, pending } from "./queue";
import { hash, site } from "./settings";

// The edge refuses what is longer: 2,048 bytes of an address, which is ASCII, and 300 of a title, where
// a character takes up to 3.
const MAX_URL = 2048;
const MAX_TITLE = 100;
const MAX_PENDING = 100;

/** The page's address; without `data-hash` its fragment is nobody's business. */
export const address = (): string =>
  location.href.split(hash == null ? "#" : " ")[0]!.slice(0, MAX_URL);

/** Where this page was come to from, until the visitor moves on within it. */
let referrer = document.referrer.slice(0, MAX_URL);
export const forget_referrer = () => (referrer = "");

/** Counts one event. Given fields of the ingest contract stand above what the page says. */
export const count = (name: string, fields?: Record<string, unknown>): void => {
  const since = performance.now();
  const event = {
    site,
    name,
    url: address(),
    referrer,
    title: document.title.slice(0, MAX_TITLE),
    width: innerWidth,
    // 32 digits are a UUID; `crypto.randomUUID` is missing on pages without TLS.
    id: crypto.getRandomValues(new Uint32Array(8)).join("").slice(0, 32),
    ...fields,
  };
  if (!tell(objection() || (pending.size >= MAX_PENDING && "queue full"))) {
    deliver(() => JSON.stringify({ ...event, age_ms: (performance.now() - since) | 0 })).catch(tell);
  }
};
