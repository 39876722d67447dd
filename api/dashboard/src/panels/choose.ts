/** A row that is chosen: everything shows its part alone, and its panel goes on to what is finer. */

import type { OverviewState } from "../overview/state.svelte";
import type { Dimension, Filter } from "../overview/view";
import type { Panel } from "./catalogue";

export function chooseRow(
  overview: OverviewState,
  panel: Panel,
  dimension: Dimension,
  value: string,
): void {
  const { filters, tabs } = overview.view;
  const finer = panel.tabs.find((tab) => tab.dimensions[0] === dimension)?.finer;
  overview.change({
    filters: filters.some((one) => isJust(one, dimension, value))
      ? filters
      : [...filters, { operator: "is", dimension, values: [value] }],
    tabs: finer ? showing(panel, tabs, finer) : tabs,
  });
}

const isJust = ({ operator, dimension, values }: Filter, wanted: Dimension, value: string): boolean =>
  operator === "is" && dimension === wanted && values.length === 1 && values[0] === value;

/** The tabs of a view in which the panel shows a dimension. */
export function showing(panel: Panel, tabs: Dimension[], wanted: Dimension): Dimension[] {
  const own = panel.tabs.flatMap(({ dimensions }) => dimensions);
  const others = tabs.filter((tab) => !own.includes(tab));
  return wanted === own[0] ? others : [...others, wanted];
}
