import { ApiFault } from "./api";
import { session } from "./session.svelte";
import { texts } from "./texts";

const byCode: Record<string, string | ((program: string) => string)> = {
  network: texts.faults.network,
  unavailable: texts.faults.network,
  unauthenticated: texts.faults.unauthenticated,
  rate_limited: texts.faults.rateLimited,
  unknown_site: texts.faults.unknownSite,
  not_found: texts.faults.unknownSite,
  query_timeout: texts.panels.slow,
};

/** What to tell the reader. */
export function describeFault(fault: unknown): string {
  if (!(fault instanceof ApiFault)) return say(texts.faults.unexpected);
  // Only the API knows at which address it is to be opened.
  if (fault.code === "forbidden_origin") return texts.onboarding.signIn.wrongAddress(fault.message);
  return say(byCode[fault.code] ?? texts.faults.unexpected);
}

const say = (text: string | ((program: string) => string)): string =>
  typeof text === "string" ? text : text(session.program);
