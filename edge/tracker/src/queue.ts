// Events that no edge has answered for yet. They live in memory only: nothing is stored.

import { tell_answer } from "./manners";
import { endpoint } from "./settings";

/** Writes an event out, with its age as of now. */
type Write = () => string;

export const pending = new Set<Write>();

/** Sends an event, with the same id again and again, until an edge has taken or refused it. */
export const deliver = async (write: Write, pause_s = 1): Promise<void> => {
  const body = write();
  pending.add(write);
  const answer: Partial<Response> = await fetch(endpoint, {
    method: "POST",
    body,
    // Browsers keep no more than 64 KiB alive: a larger event gets its answer at the second try.
    keepalive: pause_s < 2,
  }).catch((failure) => failure);
  if (answer.status != 429 && answer.status! < 500) {
    pending.delete(write);
    tell_answer(answer as Response);
  } else {
    setTimeout(
      deliver,
      // The jitter keeps the pages of an edge that comes back from asking all at once. A date is no
      // number of seconds, and a timer takes no more than 24 days.
      1e3 *
        (pause_s + pause_s * Math.random() + ((answer.headers?.get("retry-after") as any) & 65535)),
      write,
      pause_s < 100 ? 2 * pause_s : pause_s,
    );
  }
};

/** Hands everything to the browser: a page that goes away cannot wait for answers. */
export const send_beacons = (): void =>
  // What is under way goes too, for not every browser keeps it alive; its id makes the two one.
  pending.forEach((write) => navigator.sendBeacon(endpoint, write()));
