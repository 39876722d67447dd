/** A panel's figures: what a column is called, and what stands in it. */

import { formatCount, formatDuration, formatPercent } from "../format";
import { texts } from "../texts";

const { metrics } = texts.panels;

/** `days`: of the period, null where it is of unknown length. Beyond one, visitors are those of
    each day, added up. */
export function columnOf(metric: string, days: number | null): string {
  if (metric === "visitors" && days !== 1) return metrics.dailyVisitors;
  return metrics[metric as keyof typeof metrics];
}

export function cellOf(metric: string, value: number): string {
  if (metric === "bounce_rate") return formatPercent(value / 100);
  return metric === "visit_duration" ? formatDuration(value) : formatCount(value);
}
