/** The panels of an overview, and what each of their tabs asks. */

import { texts } from "../texts";
import type { Dimension, Filter } from "../overview/view";

/** One way to look at a panel. The first of `metrics` draws the bars. */
export interface Tab {
  name: string;
  /** The first, unless the reader chooses another of them. */
  dimensions: readonly [Dimension, ...Dimension[]];
  metrics: readonly string[];
  /** Those of the dialog with all rows. */
  detail: readonly string[];
  /** Asked for beside the filters of the view. */
  filters?: Filter[];
  /** What the panel goes on to when one value is chosen. */
  finer?: Dimension;
}

export interface Panel {
  title: string;
  tabs: readonly [Tab, ...Tab[]];
}

const OF_VISITS = {
  metrics: ["visitors", "bounce_rate"],
  detail: ["visitors", "visits", "bounce_rate", "visit_duration"],
} as const;

const { tabs, titles } = texts.panels;

/** Of an event that is a page being viewed: the panel of pages counts those. */
const PAGEVIEW = "pageview";

const without = (dimension: Dimension, value: string): Filter => ({
  operator: "is_not",
  dimension,
  values: [value],
});

export const PANELS: readonly Panel[] = [
  {
    title: titles.pages,
    tabs: [
      {
        name: tabs.pages,
        dimensions: ["event:page"],
        metrics: ["visitors", "pageviews"],
        detail: ["visitors", "pageviews", "bounce_rate"],
        filters: [without("event:page", "")],
      },
      { name: tabs.entryPages, dimensions: ["visit:entry_page"], ...OF_VISITS },
      { name: tabs.exitPages, dimensions: ["visit:exit_page"], ...OF_VISITS },
    ],
  },
  {
    title: titles.sources,
    tabs: [
      { name: tabs.sources, dimensions: ["visit:source"], ...OF_VISITS },
      { name: tabs.channels, dimensions: ["visit:channel"], ...OF_VISITS, finer: "visit:source" },
      { name: tabs.referrers, dimensions: ["visit:referrer"], ...OF_VISITS },
      {
        name: tabs.campaigns,
        dimensions: [
          "visit:utm_campaign",
          "visit:utm_source",
          "visit:utm_medium",
          "visit:utm_term",
          "visit:utm_content",
        ],
        ...OF_VISITS,
      },
    ],
  },
  {
    title: titles.places,
    tabs: [
      {
        name: tabs.countries,
        dimensions: ["visit:country"],
        ...OF_VISITS,
        metrics: ["visitors"],
        finer: "visit:region",
      },
      {
        name: tabs.regions,
        dimensions: ["visit:region"],
        ...OF_VISITS,
        metrics: ["visitors"],
        finer: "visit:city",
      },
      { name: tabs.cities, dimensions: ["visit:city"], ...OF_VISITS, metrics: ["visitors"] },
    ],
  },
  {
    title: titles.technology,
    tabs: [
      {
        name: tabs.browsers,
        dimensions: ["visit:browser", "visit:browser_version"],
        ...OF_VISITS,
        metrics: ["visitors"],
        finer: "visit:browser_version",
      },
      {
        name: tabs.systems,
        dimensions: ["visit:os", "visit:os_version"],
        ...OF_VISITS,
        metrics: ["visitors"],
        finer: "visit:os_version",
      },
      { name: tabs.devices, dimensions: ["visit:device"], ...OF_VISITS, metrics: ["visitors"] },
    ],
  },
  {
    title: titles.events,
    tabs: [
      {
        name: tabs.events,
        dimensions: ["event:name"],
        metrics: ["visitors", "events"],
        detail: ["visitors", "events"],
        filters: [without("event:name", PAGEVIEW)],
      },
    ],
  },
];

/** Numbers of versions say nothing without what they are versions of. */
const NEEDS: Partial<Record<Dimension, Dimension>> = {
  "visit:browser_version": "visit:browser",
  "visit:os_version": "visit:os",
};

/** What a tab can show under the filters of a view. */
export const dimensionsOf = (tab: Tab, filters: Filter[]): Dimension[] =>
  tab.dimensions.filter((dimension) => {
    const whole = NEEDS[dimension];
    return !whole || filters.some((one) => one.dimension === whole && isOne(one));
  });

const isOne = ({ operator, values }: Filter): boolean => operator === "is" && values.length === 1;

const TAG = "visit:utm_";

/** What a tab asks for beside the filters of the view: of tags, only where there is one. */
export const filtersOf = (tab: Tab, dimension: Dimension): Filter[] =>
  dimension.startsWith(TAG) ? [without(dimension, "")] : (tab.filters ?? []);
