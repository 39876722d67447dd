/** The dimensions as one chooses among them, and which ways of matching fit each. */

import { OPERATORS, type Dimension, type Operator } from "../overview/view";
import { isCoded } from "../panels/names";
import { texts } from "../texts";

const { groups } = texts.filters;

export const GROUPS: readonly { name: string; dimensions: readonly Dimension[] }[] = [
  {
    name: groups.pages,
    dimensions: [
      "event:page",
      "visit:entry_page",
      "visit:exit_page",
      "event:hostname",
      "event:name",
    ],
  },
  {
    name: groups.sources,
    dimensions: [
      "visit:source",
      "visit:channel",
      "visit:referrer",
      "visit:utm_campaign",
      "visit:utm_source",
      "visit:utm_medium",
      "visit:utm_term",
      "visit:utm_content",
    ],
  },
  { name: groups.places, dimensions: ["visit:country", "visit:region", "visit:city"] },
  {
    name: groups.technology,
    dimensions: [
      "visit:browser",
      "visit:browser_version",
      "visit:os",
      "visit:os_version",
      "visit:device",
    ],
  },
];

/** A part of a code means nothing to a reader. */
export const operatorsOf = (dimension: Dimension): readonly Operator[] =>
  isCoded(dimension) ? ["is", "is_not"] : OPERATORS;
