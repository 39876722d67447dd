/** Saved filters in words. What only the API can make stands as it was written. */

import { inWords } from "../filters/words";
import { DIMENSIONS, type Filter, OPERATORS } from "../overview/view";
import { texts } from "../texts";

export const filtersInWords = (filters: unknown[]): string =>
  filters.map(partInWords).join(texts.filters.and);

function partInWords(raw: unknown): string {
  const filter = Array.isArray(raw) ? asFilter(raw) : null;
  return filter ? inWords(filter) : JSON.stringify(raw);
}

function asFilter([first, second, values]: unknown[]): Filter | null {
  const operator = OPERATORS.find((word) => word === first);
  const dimension = DIMENSIONS.find((word) => word === second);
  const texts = Array.isArray(values) && values.every((value) => typeof value === "string");
  return operator && dimension && texts ? { operator, dimension, values } : null;
}
