// When nothing is counted, and who is told. `core.js` is built without this module.

import { local } from "./settings";

/** The browser says 1 as text or true. */
type Wishes = Navigator & Record<string, unknown>;

/** Why nothing is counted here; something false where all is well. */
export const objection = () =>
  ["doNotTrack", "globalPrivacyControl"].find((wish) => (navigator as Wishes)[wish] == 1) ||
  (local == null && /^((.+\.)?localhost|127\..*|0\.0\.0\.0|\[::1]|)$/.test(location.hostname) && "localhost");

const told: Record<string, boolean> = {};

/** Says in the console why an event was not counted, each reason once; whether there was one. */
export const tell = (reason: any): boolean =>
  reason && (told[reason] ||= !(console.warn("millrace: not counted: " + reason) as unknown));

/** Says what the edge made of an event, if it did not take it. */
export const tell_answer = async (answer: Response) =>
  tell(answer.ok ? answer.headers.get("x-millrace-dropped") : await answer.text().catch(String));
