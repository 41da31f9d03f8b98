/**
 * What the tables say, in a few sentences.
 */

import { cells, METRICS } from "./metrics";
import type { Compared } from "./data";
import { listed, percent, plain } from "../words";

const ALL = ["all", "all"] as const;

export function findings({ facts, tables }: Compared): string[] {
  const names = facts.methods.map(({ name }) => name);
  const labelled = (label: string) => facts.methods.find((method) => method.label === label)?.name;
  const table = (name: string) => tables.find((table) => table.name === name);
  const said: string[] = [];

  const measured = table("faithfulness");
  const [deletion] = METRICS;
  const found = measured && deletion ? cells(measured, deletion, ALL, names) : [];
  if (found.length > 1) {
    const order = [...found].sort((a, b) => b.mean - a.mean).map(({ method, mean }) => `${method} (${plain(mean)})`);
    said.push(`By how far the target falls when the words of the highest scores are masked first: ${listed(order)}.`);
  }

  const [lift, gradients] = [labelled("deeplift"), labelled("integrated-gradients")];
  const agreement = table("agreement");
  if (lift && gradients && agreement) {
    const of = (metric: string) => {
      const [row] = agreement.where({ metric, method: lift, other: gradients });
      return row === undefined ? null : agreement.number(row, "mean");
    };
    const [r, rho, first] = [of("pearson"), of("spearman"), of("overlap")];
    if (r !== null && rho !== null && first !== null) {
      said.push(`DeepLIFT agrees with Integrated Gradients to r = ${plain(r, 2)}, by rank to ρ = ${plain(rho, 2)}; of the ten first words they share ${percent(first)}.`);
    }
  }
  const seconds = METRICS.find(({ metric }) => metric === "seconds");
  if (measured && lift && gradients && seconds) {
    const [a, b] = [lift, gradients].map((name) => cells(measured, seconds, ALL, [name])[0]?.mean);
    if (a && b) said.push(`DeepLIFT takes ${plain(a, 2)} s a question, Integrated Gradients ${plain(b, 2)} s: ${plain(b / a, 2)} times as long.`);
  }
  return said;
}
