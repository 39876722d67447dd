/** From two answers by time to what a chart draws. */

import { formatBucket, formatTick } from "../format";
import { bucketAt } from "./buckets";
import type { OpenBuckets } from "./open";
import type { Answer } from "./questions";
import type { Interval } from "./view";

export interface Point {
  /** As the API names the bucket. */
  label: string;
  name: string;
  tick: string;
  /** Null for what is yet to come. */
  value: number | null;
  before: { name: string; value: number } | null;
  /** `late`: a browser that was offline may add to it; `held`: an edge may, as well. */
  open: "held" | "late" | null;
}

/** `now`: epoch ms. `before`: its buckets stand below those of the same place. */
export function pointsOf(
  answer: Answer,
  before: Answer | null,
  open: OpenBuckets | null,
  now: number,
  zone: string,
): Point[] {
  const interval = intervalOf(answer);
  const labels = answer.meta.time_labels ?? [];
  const values = byLabel(answer);
  const earlier = before && intervalOf(before) === interval ? before.meta.time_labels : null;
  const valuesBefore = before ? byLabel(before) : null;
  const current = bucketAt(now, interval, zone);
  const several = (labels[0]?.slice(0, 10) ?? "") !== labels.at(-1)?.slice(0, 10);

  return labels.map((label, index) => {
    const labelBefore = earlier?.[index];
    return {
      label,
      name: formatBucket(label, interval),
      tick: formatTick(label, interval, several),
      value: label > current ? null : (values.get(label) ?? 0),
      before: labelBefore
        ? { name: formatBucket(labelBefore, interval), value: valuesBefore?.get(labelBefore) ?? 0 }
        : null,
      open: label > current ? null : openness(label, open),
    };
  });
}

const openness = (label: string, open: OpenBuckets | null): Point["open"] => {
  if (open === null || label < open.late) return null;
  return label < open.held ? "late" : "held";
};

const intervalOf = (answer: Answer): Interval =>
  (answer.query.dimensions[0] ?? "time:day").slice("time:".length) as Interval;

const byLabel = (answer: Answer): Map<string, number> =>
  new Map(answer.results.map((row) => [row.dimensions[0] ?? "", row.metrics[0] ?? 0]));
