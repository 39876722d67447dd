/** What a view asks: bodies of POST /api/v2/query. */

import { sameTime } from "./comparison";
import { type Span, startOfDay } from "./period";
import type { OverviewState } from "./state.svelte";
import { type Dimension, type Filter, METRICS, type Metric } from "./view";

type Range = string | [string, string];
type ApiFilter =
  | [string, string, string[], { case_sensitive: boolean }?]
  | ["is", "segment", number[]];

export interface Question {
  site_id: string;
  metrics: string[];
  date_range: Range;
  dimensions?: string[];
  filters: ApiFilter[];
  order_by?: [string, "asc" | "desc"][];
  include?: { time_labels?: boolean; total_rows?: boolean };
  pagination?: { limit: number; offset: number };
}

/** Values in the order of the question's metrics and dimensions. */
export interface Row {
  metrics: number[];
  dimensions: string[];
}

export interface Answer {
  results: Row[];
  meta: {
    /** The settled commit that it holds for. */
    as_of: number;
    time_labels?: string[];
    total_rows?: number;
    /** Days of which some visitors count once more. */
    salted_anew?: string[];
  };
  /** As it was understood: `date_range` with first and last second, `time` resolved. */
  query: { date_range: [string, string]; dimensions: string[]; metrics: string[] };
}

/** `filters`: beside those of the view. `search`: what a value shall contain, whatever its case. */
export interface PanelOptions {
  metrics?: string[];
  limit?: number;
  offset?: number;
  search?: string;
  filters?: Filter[];
}

export function panelQuestion(
  overview: OverviewState,
  dimension: Dimension,
  { metrics = ["visitors"], limit = 9, offset = 0, search = "", filters = [] }: PanelOptions = {},
): Question {
  const searched: ApiFilter[] = search
    ? [["contains", dimension, [search], { case_sensitive: false }]]
    : [];
  return {
    ...base(overview),
    metrics,
    dimensions: [dimension],
    filters: [...narrowing(overview), ...filters.map(written), ...searched],
    include: { total_rows: true },
    pagination: { limit, offset },
  };
}

export const figuresQuestion = (overview: OverviewState): Question => ({
  ...base(overview),
  metrics: [...METRICS],
});

/** While the period runs, the one before up to the same moment, so that half a day is not held
    against a whole one. */
export function figuresBeforeQuestion(overview: OverviewState): Question | null {
  const { before } = overview;
  return before && { ...figuresQuestion(overview), date_range: rangeBefore(overview, before) };
}

export const seriesQuestion = (overview: OverviewState, metric: Metric): Question => ({
  ...base(overview),
  metrics: [metric],
  dimensions: [`time:${overview.interval}`],
  include: { time_labels: true },
});

/** Whole days, since the line goes on where the period has not got to yet. */
export function seriesBeforeQuestion(overview: OverviewState, metric: Metric): Question | null {
  const { before } = overview;
  return before && { ...seriesQuestion(overview, metric), date_range: days(before) };
}

/** Body of POST /api/v2/query/not-counted: by kind and reason. `limit`: rows. */
export const notCountedQuestion = (overview: OverviewState, limit: number) => ({
  site_id: overview.site,
  date_range: rangeOf(overview),
  pagination: { limit },
});

const rangeOf = ({ span }: OverviewState): Range => (span ? days(span) : "all");

const base = (overview: OverviewState): Omit<Question, "metrics"> => ({
  site_id: overview.site,
  date_range: rangeOf(overview),
  filters: narrowing(overview),
});

/** Its filters first. */
const narrowing = ({ view, chosen }: OverviewState): ApiFilter[] => [
  ...view.filters.map(written),
  ...chosen.map(({ id }): ApiFilter => ["is", "segment", [id]]),
];

/** What the view is narrowed down to, without naming what is saved. */
export const whatIsShown = ({ view, chosen }: OverviewState): unknown[] => [
  ...view.filters.map(written),
  ...chosen.flatMap(({ filters }) => filters),
];

/** What contains a text does so whatever its case. */
const written = ({ operator, dimension, values }: Filter): ApiFilter =>
  operator.startsWith("contains")
    ? [operator, dimension, values, { case_sensitive: false }]
    : [operator, dimension, values];

const days = ({ first, last }: Span): [string, string] => [first.toString(), last.toString()];

function rangeBefore({ comparesSoFar, zone, now }: OverviewState, before: Span): Range {
  if (!comparesSoFar) return days(before);
  const [since, until] = [startOfDay(before.first, zone), sameTime(before, now, zone)];
  return [instant(since), instant(until - 1_000)];
}

const instant = (moment: number): string => new Date(moment).toISOString();
