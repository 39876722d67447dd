/** Which part of the numbers can still change, and what each edge has to do with it. */

import { formatCount, formatMinute, formatMoment } from "../format";
import { texts } from "../texts";
import type { EdgeState } from "./frames";

export interface OpenPart {
  /** Epoch ms: what edges received later may be still to come. */
  from: number;
  /** In words, the edge that is farthest behind first. */
  reasons: string[];
}

/** A horizon nearer than this is how it always is; realtime/edges.py calls no edge behind then. */
const NORMAL_MS = 10_000;

export function openPart(
  edges: Record<string, EdgeState>,
  finalUntil: number | null,
  now: number,
): OpenPart | null {
  if (finalUntil === null) return null;
  const from = Math.min(finalUntil, now);
  const reasons = Object.entries(edges)
    .filter(([, edge]) => holdsUp(edge, now))
    .sort(([, a], [, b]) => since(a) - since(b))
    .map(([name, edge]) => reason(name, edge));
  return { from, reasons: reasons.length ? reasons : [withoutEdge(from, now)] };
}

export const isWrittenOff = (edge: EdgeState, now: number): boolean =>
  (edge.written_off_at ?? Infinity) <= now;

const holdsUp = (edge: EdgeState, now: number): boolean =>
  !isWrittenOff(edge, now) && since(edge) < Infinity;

const since = (edge: EdgeState): number => edge.behind_since ?? edge.silent_since ?? Infinity;

function reason(name: string, edge: EdgeState): string {
  const { spooled_batches: spooled, in_flight_batches: inFlight = 0, lost_batches: lost = 0 } = edge;
  const spooledSince = edge.oldest_at ?? since(edge);
  if (edge.silent_since !== null) {
    const ends = formatMoment(edge.written_off_at ?? edge.silent_since);
    const held = spooled ? batches(spooled) : null;
    return texts.open.silent(name, formatMoment(edge.silent_since), held, ends);
  }
  if (lost) return texts.open.lost(name, batches(lost));
  if (spooled) return texts.open.holds(name, batches(spooled), formatMinute(spooledSince));
  if (inFlight) return texts.open.inFlight(name, batches(inFlight));
  return texts.open.behind(name, formatMoment(since(edge)));
}

const withoutEdge = (from: number, now: number): string =>
  now - from < NORMAL_MS ? texts.open.normal : texts.open.unknown(formatMoment(from));

const batches = (count: number): string => texts.batches(count, formatCount(count));
