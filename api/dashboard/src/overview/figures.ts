/** How each figure is written, and what changed since the period before. */

import {
  formatCount,
  formatDuration,
  formatPercent,
  formatPerVisit,
} from "../format";
import { texts } from "../texts";
import type { Metric } from "./view";

const WRITTEN: Record<Metric, (value: number) => string> = {
  visitors: formatCount,
  visits: formatCount,
  pageviews: formatCount,
  views_per_visit: formatPerVisit,
  bounce_rate: (value) => formatPercent(value / 100),
  visit_duration: formatDuration,
};

export const formatFigure = (metric: Metric, value: number): string => WRITTEN[metric](value);

/** `isBetter`: null where nothing changed that the figure would show. */
export interface Change {
  said: string;
  grew: boolean;
  isBetter: boolean | null;
}

/** What one visit has on average says nothing where there is none. */
const RATES: readonly Metric[] = ["views_per_visit", "bounce_rate", "visit_duration"];

export const isComparable = (metric: Metric, visits: number, visitsBefore: number): boolean =>
  !RATES.includes(metric) || (visits > 0 && visitsBefore > 0);

export function changeOf(metric: Metric, value: number, before: number): Change {
  const { figures } = texts.overview;
  const grew = value > before;
  const same = { said: figures.same, grew, isBetter: null };
  if (value === before) return same;
  const isBetter = grew !== (metric === "bounce_rate");
  const size = Math.abs(value - before);
  if (metric !== "bounce_rate" && before === 0) return { said: figures.fresh, grew, isBetter };
  if (metric !== "bounce_rate" && Math.round((100 * size) / before) === 0) return same;
  const change =
    metric === "bounce_rate" ? figures.points(formatCount(size)) : formatPercent(size / before);
  return { said: grew ? figures.more(change) : figures.less(change), grew, isBetter };
}
