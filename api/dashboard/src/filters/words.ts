/** A filter in words. */

import type { Dimension, Filter, Operator } from "../overview/view";
import { nameOf } from "../panels/names";
import { texts } from "../texts";

export const OPPOSITE: Record<Operator, Operator> = {
  is: "is_not",
  is_not: "is",
  contains: "contains_not",
  contains_not: "contains",
};

export const valuesInWords = ({ operator, dimension, values }: Filter): string =>
  values.map((value) => valueInWords(operator, dimension, value)).join(texts.filters.or);

/** What a value is to contain is a part of one, and has no name of its own. */
export const valueInWords = (operator: Operator, dimension: Dimension, value: string): string =>
  operator.startsWith("contains") && value !== "" ? value : nameOf(dimension, value);

export const inWords = (filter: Filter): string =>
  [
    texts.panels.dimensions[filter.dimension],
    texts.filters.operators[filter.operator],
    valuesInWords(filter),
  ].join(" ");
