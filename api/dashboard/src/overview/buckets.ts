/** Buckets of time by their names, as the API writes them: text that sorts as time does. */

import {
  type CalendarDate,
  fromAbsolute,
  startOfMonth,
  startOfWeek,
  toCalendarDate,
} from "@internationalized/date";

import type { Interval } from "./view";

/** The hour's, day's, Monday's or first of the month's, of a moment in epoch ms. */
export function bucketAt(moment: number, interval: Interval, zone: string): string {
  const local = fromAbsolute(moment, zone);
  if (interval !== "hour") return bucketOf(toCalendarDate(local), interval);
  return `${toCalendarDate(local)} ${String(local.hour).padStart(2, "0")}:00:00`;
}

/** The bucket that a day is in; of hours, its first. */
export function bucketOf(day: CalendarDate, interval: Interval): string {
  switch (interval) {
    case "hour":
      return `${day} 00:00:00`;
    case "day":
      return day.toString();
    case "week":
      return startOfWeek(day, "en", "mon").toString();
    case "month":
      return startOfMonth(day).toString();
  }
}
