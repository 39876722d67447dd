/** Time zones that this browser knows by name; the site's own may be another. */

const OWN = Intl.DateTimeFormat().resolvedOptions().timeZone;

export const proposedZone = (): string => OWN || "UTC";

/** With `also`, whatever it is, in the order of their names. */
export const zoneNames = (also: string): string[] =>
  [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone"), proposedZone(), also])].sort();
