/**
 * What was measured, and how one method's number stands to those of the others.
 */

import type { Table } from "../data";

export interface Metric {
  metric: string;
  removal: string;
  /** Per cent of the words, where the metric has shares. */
  at: string;
  name: string;
  /** What it is, for who asks. */
  about: string;
  /** Whether random scores are its floor. */
  faithful: boolean;
}

const AREAS: readonly [string, string, string][] = [
  ["deletion-area", "deletion", "how far the target falls, in the mean over the shares of words that are taken away, the highest scores first"],
  ["insertion-area", "insertion", "how far it rises from nothing, in the mean over the shares of words that are put back, the highest scores first"],
];
const SHARES: readonly [string, string, string][] = [
  ["comprehensiveness", "comprehensiveness", "what the target loses without the words of the highest scores"],
  ["sufficiency", "sufficiency", "what it loses when these words alone are left"],
];
const REMOVALS: readonly [string, string][] = [
  ["mask", "masked"],
  ["delete", "deleted"],
];

/** The rows of the matrix. */
export const METRICS: readonly Metric[] = [
  ...AREAS.flatMap(([metric, name, about]) => REMOVALS.map(([removal, how]) => ({ metric, removal, at: "", name: `${name} area, ${how}`, about, faithful: true }))),
  ...SHARES.flatMap(([metric, name, about]) =>
    REMOVALS.flatMap(([removal, how]) => ["5", "20"].map((at) => ({ metric, removal, at, name: `${name} ${at}\u202f%, ${how}`, about, faithful: true }))),
  ),
  { metric: "completeness", removal: "", at: "", name: "|sum − Δt| / |Δt|", about: "how far the scores of the words are from adding up", faithful: false },
  { metric: "seconds", removal: "", at: "", name: "seconds a question", about: "on the machine of the comparison, the answer found already", faithful: false },
  { metric: "forward", removal: "", at: "", name: "passes forward", about: "sequences through the network", faithful: false },
  { metric: "backward", removal: "", at: "", name: "passes back", about: "sequences back through the network", faithful: false },
];

export interface Cell {
  method: string;
  mean: number;
  low: number | null;
  high: number | null;
}

/** A metric under each of the methods that have it. */
export function cells(table: Table, { metric, removal, at }: Metric, [grouping, group]: readonly [string, string], methods: readonly string[]): Cell[] {
  return methods.flatMap((method) => {
    const [row] = table.where({ grouping, group, metric, removal, at, method });
    const mean = row === undefined ? null : table.number(row, "mean");
    return row === undefined || mean === null ? [] : [{ method, mean, low: table.number(row, "low"), high: table.number(row, "high") }];
  });
}

/** `high`, `low`, or nothing. */
export function better(table: Table, { metric }: Metric): string {
  const [row] = table.where({ metric });
  return row === undefined ? "" : table.text(row, "better");
}

/** The best cell; none where nothing is better, or all are alike. */
export function best(found: readonly Cell[], better: string): Cell | null {
  if (better === "" || found.length < 2 || found.every(({ mean }) => mean === found[0]?.mean)) return null;
  const worth = ({ mean }: Cell) => (better === "high" ? mean : -mean);
  return found.reduce((one, other) => (worth(other) > worth(one) ? other : one));
}

/** How far a mean is on the way from random scores, 0, to the best, 1; below 0 where random scores are better. */
export function standing(mean: number, random: number | undefined, best: number): number | null {
  if (random === undefined || random === best) return null;
  return (mean - random) / (best - random);
}

/** The p of a paired test of two methods, adjusted for the number of pairs, in whichever order it stands; null where there is none. */
export function tested(pairs: Table | undefined, { metric, removal, at }: Metric, a: string, b: string): number | null {
  const of = (method: string, other: string) => {
    const [row] = pairs?.where({ metric, removal, at, method, other }) ?? [];
    return row === undefined || !pairs ? null : pairs.number(row, "adjusted_p");
  };
  return of(a, b) ?? of(b, a);
}
