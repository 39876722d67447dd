import { ApiFault } from "./api";
import { texts } from "./texts";

const byCode: Record<string, string> = {
  network: texts.faults.network,
  unavailable: texts.faults.network,
  unauthenticated: texts.faults.unauthenticated,
  rate_limited: texts.faults.rateLimited,
  unknown_site: texts.faults.unknownSite,
  not_found: texts.faults.unknownSite,
};

/** What to tell the reader. */
export const describeFault = (fault: unknown): string =>
  (fault instanceof ApiFault && byCode[fault.code]) || texts.faults.unexpected;
