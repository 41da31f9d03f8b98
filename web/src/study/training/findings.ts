/**
 * What the tables of a training say, in a few sentences.
 */

import type { Table } from "../data";
import { percent, plain } from "../words";
import type { Training } from "./data";

export function findings(data: Training): string[] {
  const table = (name: string) => data.tables.find((table) => table.name === name && table.rows > 0);
  const ends = [data.steps[0]?.step, data.steps.at(-1)?.step];
  if (ends[0] === ends[1]) return [];
  const mean = (table: Table | undefined, values: Record<string, string>) =>
    ends.map((step) => {
      const [row] = table?.where({ step: String(step), ...values }) ?? [];
      return row === undefined || !table ? null : table.number(row, "mean");
    });
  const last = String(data.facts.layers);
  const said: (string | null)[] = [
    loss(table("loss"), table("dev")),
    between(mean(table("shares"), { group: "answer", source: "deeplift", measure: "positive", role: "answer", cut: last }), percent, (from, to) => `Where an answer is given, it has ${from} of the positive score at layer ${last} at first, and ${to} at last.`),
    between(mean(table("lead"), { source: "deeplift", cut: last }), percent, (from, to) => `The strongest token at layer ${last} is the answer’s in ${from} of the answers at first, and in ${to} at last.`),
    between(mean(table("spread"), { group: "all", source: "deeplift", cut: last }), (x) => plain(x, 3), (from, to) => `The map at layer ${last} is as wide as ${from} tokens of equal score at first, and as ${to} at last.`),
  ];
  return said.filter((sentence) => sentence !== null);
}

function between([from, to]: (number | null)[], write: (x: number) => string, say: (from: string, to: string) => string): string | null {
  return from == null || to == null ? null : say(write(from), write(to));
}

function loss(losses: Table | undefined, dev: Table | undefined): string | null {
  if (!losses) return null;
  const [first, last] = [losses.number(0, "loss"), losses.number(losses.rows - 1, "loss")];
  if (first === null || last === null) return null;
  const f1 = dev ? dev.number(dev.rows - 1, "f1") : null;
  return `The loss falls from ${plain(first, 3)} to ${plain(last, 3)}${f1 === null ? "" : `; F1 on the dev questions is ${plain(f1, 3)} at last`}.`;
}
