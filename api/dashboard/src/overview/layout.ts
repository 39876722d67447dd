/** Where the points of a chart stand. All lengths are px. */

import { ticks } from "d3-array";

import type { Point } from "./series";

const AXIS = 22;
const TOP = 10;
/** Between a number and the chart, and what one of its characters takes in any font: some are
 * nearly as wide as two. */
const GAP = 8;
const DIGIT = 7;
const WIDE = /[%mwMW]/g;
/** Between the names of two buckets. */
const LABEL = 64;

export interface Part {
  open: "held" | "late";
  from: number;
  to: number;
  /** Its first bucket's. */
  label: string;
}

export interface Layout {
  /** Where the chart begins beside its numbers, and ends above its names. */
  left: number;
  floor: number;
  /** Where the numbers end. */
  numbers: number;
  x: (index: number) => number;
  y: (value: number) => number;
  /** Values that have a line of their own. */
  scale: number[];
  /** What is named below. */
  labelled: { tick: string; index: number }[];
  parts: Part[];
  /** The nearest point's. */
  indexAt: (x: number) => number;
}

/** `whole`: there is nothing between one number and the next. */
export function layoutOf(
  points: Point[],
  width: number,
  height: number,
  format: (value: number) => string,
  whole: boolean,
): Layout {
  const most = Math.max(
    1,
    ...points.flatMap(({ value, before }) => [value ?? 0, before?.value ?? 0]),
  );
  const scale = ticks(0, most, 4).filter((tick) => !whole || Number.isInteger(tick));
  const top = Math.max(most, scale.at(-1) ?? 1);
  const left = GAP + Math.max(...scale.map((tick) => widthOf(format(tick))));
  const floor = height - AXIS;
  const step = Math.max(0, width - left) / Math.max(1, points.length);
  const x = (index: number): number => left + (index + 0.5) * step;
  const y = (value: number): number => floor - (value / top) * (floor - TOP);

  const every = Math.max(1, Math.ceil(LABEL / Math.max(step, 0.01)));
  const labelled = points
    .map(({ tick }, index) => ({ tick, index }))
    .filter(({ index }) => index % every === 0 && x(index) < width - 20);
  const parts = (["late", "held"] as const).flatMap((open) => partOf(points, open, left, step));
  const indexAt = (at: number): number => within(points, Math.floor((at - left) / step));
  return { left, floor, numbers: left - GAP, x, y, scale, labelled, parts, indexAt };
}

function widthOf(text: string): number {
  return DIGIT * (text.length + (text.match(WIDE) ?? []).length);
}

/** The buckets in a row that are open in one way. */
function partOf(points: Point[], open: Part["open"], left: number, step: number): Part[] {
  const first = points.findIndex((point) => point.open === open);
  const last = points.findLastIndex((point) => point.open === open);
  const label = points[first]?.label;
  if (label === undefined) return [];
  return [{ open, from: left + first * step, to: left + (last + 1) * step, label }];
}

/** The place of a point that there is. */
export const within = (points: Point[], index: number): number =>
  Math.min(points.length - 1, Math.max(0, index));
