/**
 * Lines over cuts, out of tables: a mean with its interval for each cut.
 */

import type { Table } from "./data";

export interface Point {
  mean: number | null;
  low: number | null;
  high: number | null;
}

export interface Line {
  name: string;
  colour: string;
  kind: "solid" | "dashed" | "faint";
  /** One for each cut of the chart. */
  points: Point[];
}

const NONE: Point = { mean: null, low: null, high: null };

/** The points of the rows with these values; `cut` is the column that names the cut. */
export function points(table: Table, values: Record<string, string>, cuts: readonly string[], cut = "cut"): Point[] {
  return cuts.map((name) => {
    const [row] = table.where({ ...values, [cut]: name });
    return row === undefined ? NONE : { mean: table.number(row, "mean"), low: table.number(row, "low"), high: table.number(row, "high") };
  });
}

/** The one value of the rows with these values that are of no cut, at every cut. */
export function level(table: Table, values: Record<string, string>, cuts: readonly string[]): Point[] {
  const [row] = table.where(values);
  const mean = row === undefined ? null : table.number(row, "mean");
  return cuts.map(() => ({ mean, low: null, high: null }));
}

export function hasPoints(line: Line): boolean {
  return line.points.some(({ mean }) => mean !== null);
}

/** The largest value of a line with its interval. */
export function top(lines: readonly Line[]): number {
  let most = 0;
  for (const line of lines) for (const { mean, high } of line.points) most = Math.max(most, mean ?? 0, line.kind === "faint" ? 0 : (high ?? 0));
  return most;
}

/** The smallest value of a line with its interval; at most 0. */
export function bottom(lines: readonly Line[]): number {
  let least = 0;
  for (const line of lines) for (const { mean, low } of line.points) least = Math.min(least, mean ?? 0, line.kind === "faint" ? 0 : (low ?? 0));
  return least;
}

/** The number of questions of a group. */
export function questionsOf(table: Table, grouping: string, group: string): number {
  return table.where({ grouping, group }).reduce((most, row) => Math.max(most, table.number(row, "questions") ?? 0), 0);
}

/** The groups of a grouping, the largest first; those that have an order of their own in it. */
export function groupsOf(table: Table, grouping: string): string[] {
  const found = table.distinct("group", table.where({ grouping }));
  if (["length", "digits", "names", "overlap", "place"].includes(grouping)) {
    const rank = (group: string) => ["low", "middle", "high"].findIndex((name) => group.startsWith(name));
    return found.sort((a, b) => rank(a) - rank(b));
  }
  return found.sort((a, b) => questionsOf(table, grouping, b) - questionsOf(table, grouping, a));
}
