/** From a comparison's name to days of the site, as api/query/comparisons.py finds them. */

import {
  type CalendarDate,
  fromAbsolute,
  parseDate,
  toCalendarDateTime,
  toTime,
  toZoned,
} from "@internationalized/date";

import { daysIn, type Span } from "./period";
import type { Comparison } from "./view";

/** What a span is compared with; null for nothing. `sameWeekdays`: moved to begin on the same day
    of the week. */
export function spanBefore(
  span: Span,
  comparison: Comparison,
  sameWeekdays: boolean,
): Span | null {
  if (comparison === "none") return null;
  if (typeof comparison !== "string") {
    return { first: parseDate(comparison.from), last: parseDate(comparison.to), running: false };
  }
  const before = comparison === "year" ? aYearBefore(span) : rightBefore(span);
  const days = sameWeekdays ? toWeekday(before.first, span) : 0;
  return { first: before.first.add({ days }), last: before.last.add({ days }), running: false };
}

type Ends = Pick<Span, "first" | "last">;

function rightBefore({ first, last }: Ends): Ends {
  const days = daysIn({ first, last });
  return { first: first.subtract({ days }), last: first.subtract({ days: 1 }) };
}

/** The 29 February's is the 28. */
const aYearBefore = ({ first, last }: Ends): Ends => ({
  first: first.subtract({ years: 1 }),
  last: last.subtract({ years: 1 }),
});

const WEEK = 7;

/** Days to the nearest one with the weekday of the span's first, such that as many days as the
    span has do not reach into it. */
function toWeekday(day: CalendarDate, span: Ends): number {
  const ahead = (((daysIn({ first: day, last: span.first }) - 1) % WEEK) + WEEK) % WEEK;
  if (ahead === 0) return 0;
  const last = day.add({ days: ahead + daysIn(span) - 1 });
  return ahead > WEEK / 2 || last.compare(span.first) >= 0 ? ahead - WEEK : ahead;
}

/** Epoch ms: the moment of the span's last day at which a clock there shows what it shows now. */
export function sameTime({ last }: Ends, now: number, zone: string): number {
  const time = toTime(fromAbsolute(now, zone));
  return toZoned(toCalendarDateTime(last, time), zone).toDate().getTime();
}
