/** A view as the query string of its address, and back. Whatever a stranger may have written there
    is read without harm: what is not understood keeps its default, and is named. */

import { parseDate } from "@internationalized/date";

import {
  type Comparison,
  COMPARISONS,
  DEFAULT_VIEW,
  DIMENSIONS,
  type Filter,
  INTERVALS,
  METRICS,
  OPERATORS,
  type Period,
  PERIODS,
  type View,
} from "./view";

export interface Understood {
  view: View;
  /** `name=value` of every part that was not, cut short. */
  ignored: string[];
}

/** As many as the API takes, with room for what a panel adds. */
const MAX_FILTERS = 50;
const MAX_VALUES = 100;
const MAX_SHOWN = 60;

/** Years that the API answers for. */
const FIRST_YEAR = 1971;
const LAST_YEAR = 2199;

export function readView(search: string): Understood {
  const given = new URLSearchParams(search);
  const ignored: string[] = [];
  const ignore = (name: string, value: string): void => {
    ignored.push(`${name}=${value}`.slice(0, MAX_SHOWN));
  };

  function one<T extends string>(name: string, known: readonly T[]): T | null {
    const value = given.get(name);
    if (value === null) return null;
    const found = known.find((word) => word === value) ?? null;
    if (found === null) ignore(name, value);
    return found;
  }

  function period(): Period | null {
    const [from, to] = [given.get("from"), given.get("to")];
    if (from === null && to === null) return one("period", PERIODS);
    if (isDay(from) && isDay(to) && from <= to) return { from, to };
    if (from !== null) ignore("from", from);
    if (to !== null) ignore("to", to);
    return null;
  }

  function comparison(): Comparison | null {
    const [from = null, to = null, ...more] = given.get("compare")?.split(",") ?? [];
    const areDays = isDay(from) && isDay(to) && from <= to && more.length === 0;
    return areDays ? { from, to } : one("compare", COMPARISONS);
  }

  const filters: Filter[] = [];
  for (const text of given.getAll("f")) {
    const filter = readFilter(text);
    if (filter && filters.length < MAX_FILTERS) filters.push(filter);
    else ignore("f", text);
  }
  const segments = given.getAll("segment").flatMap((text) => {
    const sound = /^[1-9]\d{0,8}$/.test(text);
    if (!sound) ignore("segment", text);
    return sound ? [Number(text)] : [];
  });
  const tabs = given.getAll("tab").flatMap((text) => {
    const tab = DIMENSIONS.find((word) => word === text);
    if (!tab) ignore("tab", text);
    return tab ? [tab] : [];
  });
  const view: View = {
    period: period() ?? DEFAULT_VIEW.period,
    interval: one("by", INTERVALS),
    comparison: comparison() ?? DEFAULT_VIEW.comparison,
    sameWeekdays: one("weekdays", ["same"]) !== null,
    metric: one("metric", METRICS) ?? DEFAULT_VIEW.metric,
    filters,
    segments: [...new Set(segments)].slice(0, MAX_FILTERS),
    tabs: [...new Set(tabs)],
  };
  return { view, ignored };
}

/** Empty for the view that one sees first; else from the question mark on. */
export function writeView(view: View): string {
  const { period, comparison } = view;
  const parts: [string, string][] = [];
  if (typeof period !== "string") parts.push(["from", period.from], ["to", period.to]);
  else if (period !== DEFAULT_VIEW.period) parts.push(["period", period]);
  if (view.interval) parts.push(["by", view.interval]);
  if (typeof comparison !== "string") parts.push(["compare", `${comparison.from},${comparison.to}`]);
  else if (comparison !== DEFAULT_VIEW.comparison) parts.push(["compare", comparison]);
  if (view.sameWeekdays) parts.push(["weekdays", "same"]);
  if (view.metric !== DEFAULT_VIEW.metric) parts.push(["metric", view.metric]);
  for (const filter of view.filters) parts.push(["f", writeFilter(filter)]);
  for (const segment of view.segments) parts.push(["segment", String(segment)]);
  for (const tab of view.tabs) parts.push(["tab", tab]);
  return parts.length ? `?${parts.map(([name, value]) => `${name}=${encode(value)}`).join("&")}` : "";
}

/** With the signs left as they are that mean nothing there, so that people can read it. */
const encode = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(/%(2C|3A|2F|40)/g, decodeURIComponent);

const writeFilter = ({ operator, dimension, values }: Filter): string =>
  [operator, dimension, ...values.map(guard)].join(",");

function readFilter(text: string): Filter | null {
  const [first, second, ...values] = text.split(",");
  const operator = OPERATORS.find((word) => word === first);
  const dimension = DIMENSIONS.find((word) => word === second);
  const sound = values.length > 0 && values.length <= MAX_VALUES && !text.includes("\0");
  return operator && dimension && sound
    ? { operator, dimension, values: values.map(unguard) }
    : null;
}

/** A comma ends a value; one within it is written ~c. */
const guard = (value: string): string => value.replaceAll("~", "~t").replaceAll(",", "~c");
const unguard = (text: string): string =>
  text.replace(/~[ct]/g, (sign) => (sign === "~c" ? "," : "~"));

function isDay(text: string | null): text is string {
  if (text === null || !/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  try {
    const { year } = parseDate(text);
    return year >= FIRST_YEAR && year <= LAST_YEAR;
  } catch {
    return false;
  }
}
