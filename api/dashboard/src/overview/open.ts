/** Which part of an overview can still change, and why: from what the API says of completeness. */

import { parseDate } from "@internationalized/date";

import type { Completeness } from "../api";
import { formatCount, formatDay, formatDays, formatMoment } from "../format";
import type { EdgeState } from "../live/frames";
import { openPart } from "../live/open";
import { texts } from "../texts";
import { bucketAt, bucketOf } from "./buckets";
import type { Span } from "./period";
import type { Interval } from "./view";

/** Names of buckets: from `held` on an edge may hold something back; from `late` on a browser that
    was offline may still send what it kept. `late` is not after `held`. */
export interface OpenBuckets {
  held: string;
  late: string;
  reasons: string[];
}

/** As realtime/edges.py: an edge nearer than this is not behind. */
const NORMAL_MS = 10_000;
const WRITTEN_OFF_AFTER_MS = 7 * 86_400_000;

export function openBuckets(
  { final_until, closed_through, edges }: Completeness,
  interval: Interval,
  zone: string,
  now: number,
): OpenBuckets {
  const waitedFor = edges.filter(({ state }) => state === "live" || state === "silent");
  const states = Object.fromEntries(waitedFor.map((edge) => [edge.edge, stateOf(edge, now)]));
  const final = Math.min(Date.parse(final_until), now);
  const held = bucketAt(final, interval, zone);
  const firstOpen = bucketOf(parseDate(closed_through).add({ days: 1 }), interval);
  const reasons = openPart(states, final, now)?.reasons ?? [];
  return {
    held,
    late: firstOpen < held ? firstOpen : held,
    reasons: [...reasons, texts.overview.open.late(formatDay(closed_through))],
  };
}

function stateOf(edge: Completeness["edges"][number], now: number): EdgeState {
  const final = Date.parse(edge.final_until);
  const silent = edge.silent_since === null ? null : Date.parse(edge.silent_since);
  const behind = edge.lost_batches > 0 || now - final > NORMAL_MS;
  const { batches, oldest_at } = edge.held_back;
  return {
    silent_since: silent,
    spooled_batches: batches,
    in_flight_batches: behind ? edge.in_flight_batches : 0,
    lost_batches: edge.lost_batches,
    ...(silent !== null && { written_off_at: silent + WRITTEN_OFF_AFTER_MS }),
    ...(oldest_at !== null && { oldest_at: Date.parse(oldest_at) }),
    ...(behind && { behind_since: final }),
  };
}

/** What lacks in a span of days though it is not hatched: null for all there is. */
export function lacking({ edges, accepted_losses }: Completeness, span: Span | null): string[] {
  const { writtenOff } = texts;
  const away = edges
    .filter(({ state, final_until }) => state === "written_off" && touches(span, final_until))
    .map(({ edge, silent_since }) => {
      const since = Date.parse(silent_since ?? "");
      return writtenOff(edge, formatMoment(since), formatMoment(since + WRITTEN_OFF_AFTER_MS));
    });
  const lost = accepted_losses
    .filter(({ first_day, last_day }) => touches(span, first_day, last_day))
    .map(({ edge, events, first_day, last_day }) =>
      texts.overview.open.lost(edge, formatCount(events), formatDays(first_day, last_day)),
    );
  return [...away, ...lost];
}

/** Whether a span holds some of what lies between two days; without an end, of all that follows. */
const touches = (span: Span | null, from: string, to = "9999"): boolean =>
  span === null || (from.slice(0, 10) <= span.last.toString() && to >= span.first.toString());
