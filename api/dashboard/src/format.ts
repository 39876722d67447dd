import type { Interval } from "./overview/view";

const locale = navigator.languages;

const whole = new Intl.NumberFormat(locale);
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat(locale, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const dayAndClock = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const percent = new Intl.NumberFormat(locale, { style: "percent" });
const perVisit = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const narrow = { style: "unit", unitDisplay: "narrow" } as const;
const minutes = new Intl.NumberFormat(locale, { ...narrow, unit: "minute" });
const seconds = new Intl.NumberFormat(locale, { ...narrow, unit: "second" });
// A site's days and hours are labels, not instants: read and written as if they were UTC.
const utc = { timeZone: "UTC" } as const;
const day = new Intl.DateTimeFormat(locale, { ...utc, dateStyle: "medium" });
const weekday = new Intl.DateTimeFormat(locale, {
  ...utc,
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
});
const dayName = new Intl.DateTimeFormat(locale, { ...utc, weekday: "short" });
const dayOfMonth = new Intl.DateTimeFormat(locale, { ...utc, day: "numeric", month: "short" });
const month = new Intl.DateTimeFormat(locale, { ...utc, month: "long", year: "numeric" });
const shortMonth = new Intl.DateTimeFormat(locale, { ...utc, month: "short", year: "numeric" });
const hour = new Intl.DateTimeFormat(locale, { ...utc, hour: "2-digit", minute: "2-digit" });
const countries = new Intl.DisplayNames(locale, { type: "region" });

const DAY_MS = 86_400_000;

export const formatCount = (count: number): string => whole.format(count);

/** Hour and minute, of epoch ms. */
export const formatMinute = (at: number): string => clock.format(at);

/** Hour, minute and second, of epoch ms; with the day where it is over one away. */
export const formatMoment = (at: number): string =>
  Math.abs(Date.now() - at) < DAY_MS ? clockSeconds.format(at) : dayAndClock.format(at);

export const formatPercent = (share: number): string => percent.format(share);

export const formatPerVisit = (views: number): string => perVisit.format(views);

/** Of seconds: as minutes and seconds where they are over one. */
export function formatDuration(lasted: number): string {
  if (lasted < 60) return seconds.format(lasted);
  const rest = lasted % 60;
  const whole = minutes.format(Math.floor(lasted / 60));
  return rest ? `${whole} ${seconds.format(rest)}` : whole;
}

/** Of a label that begins as 2026-01-31 does. */
export const formatDay = (label: string): string => day.format(Date.parse(label.slice(0, 10)));

export const formatMonth = (label: string): string => month.format(Date.parse(label));

/** The day's name, short. */
export const formatWeekday = (label: string): string => dayName.format(Date.parse(label));

/** Both ends as 2026-01-31. */
export const formatDays = (first: string, last: string): string =>
  day.formatRange(Date.parse(first), Date.parse(last));

/** A bucket's label, as a text of its own. */
export function formatBucket(label: string, interval: Interval): string {
  const at = Date.parse(label.slice(0, 10));
  if (interval === "hour") return `${weekday.format(at)}, ${hour.format(labelled(label))}`;
  if (interval === "month") return month.format(at);
  return interval === "day" ? weekday.format(at) : day.formatRange(at, at + 6 * DAY_MS);
}

/** The same, short, as below an axis; hours of several days by their day. */
export function formatTick(label: string, interval: Interval, severalDays: boolean): string {
  const at = Date.parse(label.slice(0, 10));
  if (interval === "hour") return severalDays ? dayOfMonth.format(at) : hour.format(labelled(label));
  return interval === "month" ? shortMonth.format(at) : dayOfMonth.format(at);
}

const labelled = (label: string): number => Date.parse(`${label.replace(" ", "T")}Z`);

/** The country's name in the reader's language; the code itself where it is no country's. */
export function formatCountry(code: string): string {
  try {
    return countries.of(code) ?? code;
  } catch {
    return code;
  }
}
