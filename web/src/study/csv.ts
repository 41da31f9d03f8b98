/**
 * A table as comma-separated values: a heading, null as an empty field, quotes where they are needed (RFC 4180).
 *
 * A text that a spreadsheet would take for a formula is kept as it is: the file is data, and its reader the one who asked for it.
 */

import type { Table, Value } from "./data";

export function field(value: Value): string {
  if (value === null) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csv(table: Table): string {
  const lines = [table.columns.map(({ name }) => field(name)).join(",")];
  for (let row = 0; row < table.rows; row++) lines.push(table.columns.map(({ values }) => field(values[row] ?? null)).join(","));
  return lines.join("\n") + "\n";
}

/** Rows in the order of a column; null comes last in either direction, and equal rows keep their order. */
export function sorted(rows: readonly number[], values: readonly Value[], direction: 1 | -1): number[] {
  return [...rows].sort((a, b) => {
    const [x = null, y = null] = [values[a], values[b]];
    if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1;
    const order = typeof x === "string" || typeof y === "string" ? compare(String(x), String(y)) : Number(x) - Number(y);
    return direction * order || a - b;
  });
}

const COLLATOR = new Intl.Collator("en", { numeric: true });
const compare = (x: string, y: string) => COLLATOR.compare(x, y);

/** The rows that hold every word of the filter in some column. */
export function filtered(table: Table, filter: string): number[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const rows: number[] = [];
  for (let row = 0; row < table.rows; row++) {
    const fields = words.length > 0 ? table.columns.map(({ values }) => String(values[row] ?? "").toLowerCase()) : [];
    if (words.every((word) => fields.some((field) => field.includes(word)))) rows.push(row);
  }
  return rows;
}
