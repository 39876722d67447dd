/** All rows of a question as a file, from the API's own answers. */

import { askNumbers } from "../api";
import type { Answer, Question, Row } from "../overview/questions";
import { writeCsv } from "./csv";

/** The most that the API answers at once. */
const AT_ONCE = 10_000;
/** Without it Excel reads UTF-8 as another encoding. */
const BOM = "\uFEFF";

/** How many rows there were. Throws ApiFault. */
export async function exportRows(question: Question, signal: AbortSignal): Promise<number> {
  const rows = await readAll(question, signal);
  const head = [...(question.dimensions ?? []), ...question.metrics];
  const body = rows.map(({ dimensions, metrics }) => [...dimensions, ...metrics]);
  save(fileName(question), BOM + writeCsv([head, ...body]));
  return rows.length;
}

async function readAll(question: Question, signal: AbortSignal): Promise<Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const pagination = { limit: AT_ONCE, offset: rows.length };
    const { results } = await askNumbers<Answer>({ ...question, pagination }, signal);
    rows.push(...results);
    if (results.length < AT_ONCE) return rows;
  }
}

function fileName({ site_id, dimensions = [], date_range }: Question): string {
  const range = typeof date_range === "string" ? date_range : date_range.join("_");
  const of = [site_id, ...dimensions, range].join("-");
  return `${of.replace(/[^\p{L}\p{N}._-]+/gu, "-")}.csv`;
}

function save(name: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
