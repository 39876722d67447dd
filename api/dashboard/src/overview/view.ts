/** What an overview shows: the words that its address is made of. */

export const PERIODS = [
  "today",
  "yesterday",
  "last-7-days",
  "last-30-days",
  "last-91-days",
  "this-month",
  "last-month",
  "this-year",
  "last-12-months",
  "all",
] as const;
export type PeriodName = (typeof PERIODS)[number];

/** Both ends are days of the site, as 2026-01-31, and included. */
export interface Dates {
  from: string;
  to: string;
}
export type Period = PeriodName | Dates;

export const INTERVALS = ["hour", "day", "week", "month"] as const;
export type Interval = (typeof INTERVALS)[number];

export const METRICS = [
  "visitors",
  "visits",
  "pageviews",
  "views_per_visit",
  "bounce_rate",
  "visit_duration",
] as const;
export type Metric = (typeof METRICS)[number];

/** `previous`: as many days, right before; `year`: the same dates a year before. */
export const COMPARISONS = ["previous", "year", "none"] as const;
export type Comparison = (typeof COMPARISONS)[number] | Dates;

export const OPERATORS = ["is", "is_not", "contains", "contains_not"] as const;
export type Operator = (typeof OPERATORS)[number];

export const DIMENSIONS = [
  "event:page",
  "event:name",
  "event:hostname",
  "visit:entry_page",
  "visit:exit_page",
  "visit:source",
  "visit:channel",
  "visit:referrer",
  "visit:utm_source",
  "visit:utm_medium",
  "visit:utm_campaign",
  "visit:utm_term",
  "visit:utm_content",
  "visit:country",
  "visit:region",
  "visit:city",
  "visit:browser",
  "visit:browser_version",
  "visit:os",
  "visit:os_version",
  "visit:device",
] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** True where one of the values matches. */
export interface Filter {
  operator: Operator;
  dimension: Dimension;
  values: string[];
}

/** `interval`: null leaves the choice to the length of the period. `tabs`: what the panels show
    that do not show their first. */
export interface View {
  period: Period;
  interval: Interval | null;
  comparison: Comparison;
  /** The days compared with begin on the same day of the week. */
  sameWeekdays: boolean;
  metric: Metric;
  filters: Filter[];
  /** Their ids. */
  segments: number[];
  tabs: Dimension[];
}

export const DEFAULT_VIEW: View = {
  period: "last-30-days",
  interval: null,
  comparison: "previous",
  sameWeekdays: false,
  metric: "visitors",
  filters: [],
  segments: [],
  tabs: [],
};
