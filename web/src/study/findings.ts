/**
 * What the tables say, in a few sentences; each is left out where its table is.
 */

import { type Data, type Table, truth } from "./data";
import { groupName, listed, percent, plain, representationName, roleName } from "./words";
import { cutNames } from "./unpack";

/** Means over all questions of the run. */
export interface Counts {
  questions: number;
  exact: number | null;
  f1: number | null;
  answered: number | null;
  answerable: number | null;
}

function mean(table: Table | undefined, name: string, of: (row: number) => number | null): number | null {
  if (!table?.column(name)) return null;
  let [sum, n] = [0, 0];
  for (let row = 0; row < table.rows; row++) {
    const value = of(row);
    if (value !== null) [sum, n] = [sum + value, n + 1];
  }
  return n > 0 ? sum / n : null;
}

export function counts(data: Data): Counts {
  const table = data.tables.find(({ name }) => name === "questions");
  const share = (name: string) =>
    mean(table, name, (row) => {
      const yes = truth(table?.get(row, name) ?? null);
      return yes === null ? null : Number(yes);
    });
  return {
    questions: table?.rows ?? data.facts.questions,
    exact: mean(table, "exact", (row) => table?.number(row, "exact") ?? null) ?? share("exact"),
    f1: mean(table, "f1", (row) => table?.number(row, "f1") ?? null),
    answered: share("answered"),
    answerable: share("answerable"),
  };
}

export function findings(data: Data): string[] {
  const table = (name: string) => data.tables.find((table) => table.name === name && table.rows > 0);
  const found = [shift(data, table("shares")), spread(data, table("spread")), groups(data, table("shares")), claims(table("verdicts")), clusters(table("clusterings"))];
  return found.filter((sentence) => sentence !== null);
}

/** The role with the largest mean share at a cut. */
function leader(table: Table, source: string, measure: string, cut: string): { role: string; mean: number } | null {
  let best: { role: string; mean: number } | null = null;
  for (const row of table.where({ grouping: "all", source, measure, cut })) {
    const mean = table.number(row, "mean");
    if (mean !== null && (!best || mean > best.mean)) best = { role: table.text(row, "role"), mean };
  }
  return best;
}

function shift(data: Data, table: Table | undefined): string | null {
  if (!table) return null;
  const { layers } = data.facts;
  const at = [...new Set([1, Math.round((layers + 1) / 2), layers])];
  const parts = at.flatMap((layer) => {
    const first = leader(table, "deeplift", "positive", String(layer));
    return first ? [`the ${roleName(first.role)} (${percent(first.mean)}) at layer ${layer}`] : [];
  });
  if (parts.length === 0) return null;
  const attention = leader(table, "attention", "absolute", String(layers));
  const other = attention ? ` Raw attention at layer ${layers} goes most to the ${roleName(attention.role)} (${percent(attention.mean)}).` : "";
  return `The largest share of the positive score is on ${listed(parts)}.${other}`;
}

function spread(data: Data, table: Table | undefined): string | null {
  if (!table || data.facts.layers < 2) return null;
  const value = (cut: number) => {
    const [row] = table.where({ grouping: "all", source: "deeplift", cut });
    return row === undefined ? null : table.number(row, "mean");
  };
  const [first, last] = [value(1), value(data.facts.layers)];
  if (first === null || last === null) return null;
  const how = last < 0.9 * first ? "narrows" : last > 1.1 * first ? "widens" : "hardly changes";
  return `The spread ${how}: as if ${plain(first)} tokens of equal score carried the map at layer 1, and ${plain(last)} at layer ${data.facts.layers}.`;
}

/** The largest difference between right and wrong answers whose intervals are apart: no answer has no token of one. */
function groups(data: Data, table: Table | undefined): string | null {
  if (!table) return null;
  const grouping = "answer-right";
  const yes = table.distinct("group", table.where({ grouping })).find((group) => groupName(grouping, group) === "right");
  const no = table.distinct("group", table.where({ grouping })).find((group) => groupName(grouping, group) === "wrong");
  if (yes === undefined || no === undefined) return null;
  let best: { role: string; cut: string; right: number; wrong: number } | null = null;
  for (const cut of cutNames(data.facts.layers).slice(0, -1)) {
    for (const row of table.where({ grouping, group: yes, source: "deeplift", measure: "positive", cut })) {
      const role = table.text(row, "role");
      const [other] = table.where({ grouping, group: no, source: "deeplift", measure: "positive", cut, role });
      if (other === undefined) continue;
      const [right, wrong] = [row, other].map((row) => ["mean", "low", "high"].map((name) => table.number(row, name)));
      const [a, aLow, aHigh] = right ?? [];
      const [b, bLow, bHigh] = wrong ?? [];
      if (a == null || b == null || aLow == null || bLow == null || aHigh == null || bHigh == null) continue;
      const apart = aLow > bHigh || bLow > aHigh;
      if (apart && (!best || Math.abs(a - b) > Math.abs(best.right - best.wrong))) best = { role, cut, right: a, wrong: b };
    }
  }
  if (!best) return "Right and wrong answers do not differ beyond their intervals in the share of any role.";
  return `Right and wrong answers differ most on the ${roleName(best.role)} at layer ${best.cut}: ${percent(best.right)} of the positive score where the answer is right, ${percent(best.wrong)} where it is wrong.`;
}

function claims(table: Table | undefined): string | null {
  if (!table) return null;
  const verdicts = new Map<string, string[]>();
  for (let row = 0; row < table.rows; row++) {
    const verdict = table.text(row, "verdict");
    verdicts.set(verdict, [...(verdicts.get(verdict) ?? []), table.text(row, "claim")]);
  }
  const parts = ["holds", "mixed", "does not", "not controlled", "not testable"].flatMap((verdict) => {
    const letters = verdicts.get(verdict);
    if (!letters) return [];
    const many = letters.length > 1;
    const be = many ? "are" : "is";
    const word = verdict === "holds" ? (many ? "hold" : "holds") : verdict === "does not" ? (many ? "do not hold" : "does not hold") : `${be} ${verdict}`;
    return [`${listed(letters.map((letter) => `(${letter})`))} ${word}`];
  });
  return parts.length > 0 ? `Of the paper’s claims ${listed(parts)}.` : null;
}

function clusters(table: Table | undefined): string | null {
  if (!table) return null;
  const parts: string[] = [];
  for (let row = 0; row < table.rows; row++) {
    const representation = table.text(row, "representation");
    const name = `the ${representation === "maps" ? "codes learned from the maps" : representationName(representation)} (${table.text(row, "algorithm")})`;
    const [silhouette, chance] = [table.number(row, "silhouette"), table.number(row, "bar")];
    const against = silhouette !== null && chance !== null ? ` (silhouette ${plain(silhouette, 2)}, the bar of chance ${plain(chance, 2)})` : "";
    parts.push(table.text(row, "verdict") === "structure" ? `${name} fall into ${table.text(row, "k")} clusters${against}` : `clusters of ${name} are noise${against}`);
  }
  const text = parts.slice(0, 3).join("; ");
  return text === "" ? null : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
