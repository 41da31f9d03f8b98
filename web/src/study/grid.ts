/**
 * The mean share of each role at each cut, as a grid: of a cluster by itself, or less that of all questions.
 */

import type { Table } from "./data";
import { ordered } from "./words";

export interface Grid {
  roles: string[];
  cuts: readonly string[];
  /** (roles, cuts) */
  values: (number | null)[][];
}

export function grid(shares: Table, of: Record<string, string>, measure: string, cuts: readonly string[], all: Table | undefined): Grid {
  const roles = ordered(shares.distinct("role"));
  const common = { source: "deeplift", measure };
  const values = roles.map((role) =>
    cuts.map((cut) => {
      const [row] = shares.where({ ...of, ...common, cut, role });
      const mean = row === undefined ? null : shares.number(row, "mean");
      if (!all || mean === null) return mean;
      const [other] = all.where({ grouping: "all", group: "all", ...common, cut, role });
      const elsewhere = other === undefined ? null : all.number(other, "mean");
      return elsewhere === null ? null : mean - elsewhere;
    }),
  );
  return { roles, cuts, values };
}

/** The feature's name in words: `positive 3 match` is `positive share of the match at layer 3`. */
export function feature(name: string, roleName: (role: string) => string): string {
  const share = /^(positive|negative|absolute) (\d+|output) (\S+)$/.exec(name);
  if (share) return `${share[1]} share: ${roleName(share[3] ?? "")}, ${share[2] === "output" ? "output" : `layer ${share[2]}`}`;
  const head = /^head (\d+)[ .](\d+)$/.exec(name);
  return head ? `layer ${head[1]}, head ${head[2]}` : name;
}
