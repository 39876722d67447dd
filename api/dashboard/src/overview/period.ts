/** From a period's name to days of the site, to the period before it, and to what it is cut into. */

import {
  type CalendarDate,
  parseDate,
  startOfMonth,
  startOfYear,
  toCalendarDate,
  fromAbsolute,
  toZoned,
} from "@internationalized/date";

import type { Interval, Period, PeriodName } from "./view";

/** Days of the site, both included. `running`: the last one is not over yet. */
export interface Span {
  first: CalendarDate;
  last: CalendarDate;
  running: boolean;
}

/** The site's day at a moment in epoch ms. */
export const dayAt = (moment: number, zone: string): CalendarDate =>
  toCalendarDate(fromAbsolute(moment, zone));

/** Epoch ms of the first instant of a site's day. */
export const startOfDay = (day: CalendarDate, zone: string): number =>
  toZoned(day, zone).toDate().getTime();

export const daysIn = ({ first, last }: Pick<Span, "first" | "last">): number =>
  last.calendar.toJulianDay(last) - first.calendar.toJulianDay(first) + 1;

/** Null for all there is, whose first day the API alone knows. */
export function spanOf(period: Period, today: CalendarDate): Span | null {
  if (period === "all") return null;
  const [first, last] =
    typeof period === "string"
      ? NAMED[period](today)
      : [parseDate(period.from), parseDate(period.to)];
  const cut = last.compare(today) > 0 && first.compare(today) <= 0 ? today : last;
  return { first, last: cut, running: cut.compare(today) === 0 };
}

type Ends = [CalendarDate, CalendarDate];

const lastDays =
  (days: number) =>
  (today: CalendarDate): Ends => [today.subtract({ days: days - 1 }), today];

const NAMED: Record<Exclude<PeriodName, "all">, (today: CalendarDate) => Ends> = {
  today: lastDays(1),
  yesterday: (today) => [today.subtract({ days: 1 }), today.subtract({ days: 1 })],
  "last-7-days": lastDays(7),
  "last-30-days": lastDays(30),
  "last-91-days": lastDays(91),
  "this-month": (today) => [startOfMonth(today), today],
  "last-month": (today) => {
    const month = startOfMonth(today);
    return [month.subtract({ months: 1 }), month.subtract({ days: 1 })];
  },
  "this-year": (today) => [startOfYear(today), today],
  "last-12-months": (today) => [startOfMonth(today).subtract({ months: 11 }), today],
};

/** Drawn apart, more are no picture. */
const MOST_DAYS = 1_830;

/** What a span of so many days may be cut into, the finest first. */
export function intervalsOf(days: number): Interval[] {
  const fits: [Interval, boolean][] = [
    ["hour", days <= 14],
    ["day", days > 1 && days <= MOST_DAYS],
    ["week", days >= 14],
    ["month", days > 31],
  ];
  return fits.filter(([, fit]) => fit).map(([interval]) => interval);
}

/** What is drawn unless the reader chooses: some ten to a hundred points. */
export function usualInterval(days: number): Interval {
  if (days <= 2) return "hour";
  return days <= 92 ? "day" : days <= 366 ? "week" : "month";
}
