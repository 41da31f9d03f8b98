/**
 * The cuts of an explanation, in order: the words, the input of each layer, the output.
 */

import type { Explanation } from "./explanation";
import { type Unit, sum } from "./units";

export interface Cut {
  /** `words`, `1`..`L`, `output`. */
  name: string;
  /** `Words`, `Layer 3`, `Output`. */
  title: string;
  /** What it is, in a few words. */
  about: string;
  /** (S) */
  score: readonly number[];
  /** Sums of the positive and of the negative contributions; none at the words. */
  parts: { positive: readonly number[]; negative: readonly number[] } | null;
  sum: number;
  error: number;
}

/**
 * Whether the map at the words would look as the one of layer 1: wherever position, segment and LayerNorm are all that lies
 * between, since none of them passes anything from one token to another.
 */
export function repeated({ word_score, layers }: Explanation): boolean {
  const scale = largest(word_score);
  const [layer] = layers;
  return !!layer && word_score.every((score, i) => Math.abs(score - (layer.score[i] ?? 0)) <= 1e-3 * scale);
}

export function cuts(explanation: Explanation): Cut[] {
  const words: Cut = {
    name: "words",
    title: "Words",
    about: "at the word embeddings, before position and segment are added",
    score: explanation.word_score,
    parts: null,
    sum: explanation.word_sum,
    error: explanation.word_error,
  };
  const layers = explanation.layers.map(({ name, score, positive, negative, sum, error }): Cut => {
    const output = name === "output";
    return {
      name,
      title: output ? "Output" : `Layer ${name}`,
      about: output
        ? "the final hidden states: by construction only the target\u2019s own tokens score here, so this cut supports no claim"
        : `at the input of encoder layer ${name}` + (name === "1" && repeated(explanation) ? ", token by token the same as at the word embeddings" : ""),
      score,
      parts: { positive, negative },
      sum,
      error,
    };
  });
  return [words, ...layers];
}

/** The largest |x|. */
export function largest(numbers: Iterable<number>): number {
  let most = 0;
  for (const x of numbers) most = Math.max(most, Math.abs(x));
  return most;
}

/** A score as a share of its scale; where all scores are zero, all are zero. */
export function share(score: number, scale: number): number {
  return scale > 0 ? score / scale : 0;
}

/** The units' scores at a cut. */
export function byUnit(units: readonly Unit[], scores: readonly number[]): number[] {
  return units.map((unit) => sum(unit, scores));
}

/** The places of the n largest |score|, largest first; zeros are left out. */
export function strongest(scores: readonly number[], n: number): number[] {
  const places = scores.map((_, i) => i).filter((i) => scores[i] !== 0);
  places.sort((a, b) => Math.abs(scores[b] ?? 0) - Math.abs(scores[a] ?? 0) || a - b);
  return places.slice(0, n);
}

/** How many scores are larger than the one at `place`, counted from 1: its rank by size. */
export function rank(scores: readonly number[], place: number): number {
  const own = Math.abs(scores[place] ?? 0);
  return 1 + scores.filter((score) => Math.abs(score) > own).length;
}

/** A table for a spreadsheet: a line a unit, a column a cut, numbers in full. */
export function tsv(units: readonly Unit[], cuts: readonly Cut[]): string {
  const head = ["token", "last_token", "part", "text", ...cuts.map((cut) => (/^\d/.test(cut.name) ? `layer_${cut.name}` : cut.name))];
  const lines = units.map((unit) => [
    unit.first,
    unit.last,
    unit.part,
    unit.text,
    // A single token's score is written as it was read, a sum to the digits of the numbers it was made from.
    ...cuts.map((cut) => (unit.first === unit.last ? (cut.score[unit.first] ?? 0) : Number(sum(unit, cut.score).toPrecision(9)))),
  ]);
  return [head, ...lines].map((row) => row.join("\t")).join("\n") + "\n";
}
