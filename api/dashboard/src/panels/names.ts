/** What the reader sees of a value. */

import { formatCountry } from "../format";
import type { Dimension } from "../overview/view";
import { texts } from "../texts";

const { panels } = texts;

const EMPTY: Partial<Record<Dimension, string>> = {
  "event:page": panels.noPage,
  "visit:entry_page": panels.noPage,
  "visit:exit_page": panels.noPage,
  "visit:source": panels.direct,
  "visit:referrer": panels.direct,
  "visit:utm_source": panels.untagged,
  "visit:utm_medium": panels.untagged,
  "visit:utm_campaign": panels.untagged,
  "visit:utm_term": panels.untagged,
  "visit:utm_content": panels.untagged,
};

const DEVICES = new Map<string, string>(Object.entries(panels.devices));

export function nameOf(dimension: Dimension, value: string): string {
  if (value === "") return EMPTY[dimension] ?? panels.unknown;
  if (dimension === "visit:country") return formatCountry(value);
  if (dimension === "visit:device") return DEVICES.get(value) ?? visible(value);
  return visible(value);
}

const NOTHING_TO_SEE = /^[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]*$/u;
const CODES_SHOWN = 6;

/** As it is, unless there would be nothing to point at. */
function visible(value: string): string {
  if (!NOTHING_TO_SEE.test(value)) return value;
  const signs = [...value];
  const codes = signs.slice(0, CODES_SHOWN).map((sign) => `U+${hex(sign)}`);
  return panels.invisible(`${codes.join(" ")}${signs.length > CODES_SHOWN ? " …" : ""}`);
}

const hex = (sign: string): string =>
  (sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");

/** Dimensions whose values the API knows by a code that nobody types. */
const CODED = new Set<Dimension>(["visit:country", "visit:device"]);

export const isCoded = (dimension: Dimension): boolean => CODED.has(dimension);

/** Whether a value's name holds what was typed, whatever its case. */
export const isNamed = (dimension: Dimension, value: string, typed: string): boolean =>
  nameOf(dimension, value).toLocaleLowerCase().includes(typed.trim().toLocaleLowerCase());
