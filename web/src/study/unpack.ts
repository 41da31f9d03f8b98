/**
 * A question's map as it was packed: offsets as gaps and lengths, scores in 127ths of their cut's largest.
 */

import type { Token } from "../explanation";
import type { Source } from "../units";
import type { Packed, Shared } from "./data";

export interface Cut {
  /** `1`..`L`, `output`. */
  name: string;
  title: string;
  /** The largest |score|. */
  scale: number;
  /** (S) */
  scores: number[];
}

export interface QuestionMap {
  id: string;
  title: string;
  texts: Source;
  /** (S) */
  roles: string[];
  /** First and last token. */
  answer: readonly [number, number];
  hasAnswer: boolean;
  answerText: string;
  gold: readonly string[];
  cuts: Cut[];
}

/** A score lies within half of 1/127 of its cut's largest. */
export const STEPS = 127;

export function cutNames(layers: number): string[] {
  return [...Array.from({ length: layers }, (_, l) => String(l + 1)), "output"];
}

export function cutTitle(name: string): string {
  return /^\d+$/.test(name) ? `Layer ${name}` : name.charAt(0).toUpperCase() + name.slice(1);
}

export function unpack(map: Packed, data: Shared): QuestionMap {
  const passage = data.passages[map.passage];
  if (!passage) throw new Error(`map of ${map.id}: no passage ${map.passage}`);
  const [before = [], between = [], after = []] = data.specials[map.specials] ?? [];
  const special = (text: string): Token => ({ text, id: 0, part: "special", start: null, end: null });
  const tokens = [
    ...before.map(special),
    ...spans(map.tokens, "question"),
    ...between.map(special),
    ...spans(passage.tokens, "passage"),
    ...after.map(special),
  ];
  const bytes = Uint8Array.from(atob(map.scores), (c) => c.charCodeAt(0));
  const names = cutNames(map.scales.length - 1);
  if (bytes.length !== tokens.length * names.length) {
    throw new Error(`map of ${map.id}: expected ${tokens.length} tokens × ${names.length} cuts, got ${bytes.length} scores`);
  }
  const levels = new Int8Array(bytes.buffer);
  return {
    id: map.id,
    title: data.titles[map.title] ?? "",
    // The marks of the families are gone: what continues a word says so in WordPiece's way.
    texts: { question: map.question, passage: passage.text, tokens, model: { family: "bert" }, window: { start: 0 } },
    roles: tokens.map((_, i) => data.roles[map.roles.charCodeAt(i) - 97] ?? ""),
    answer: map.answer,
    hasAnswer: map.has_answer,
    answerText: map.answer_text,
    gold: map.gold,
    cuts: names.map((name, cut) => {
      const scale = map.scales[cut] ?? 0;
      const scores = Array.from(levels.subarray(cut * tokens.length, (cut + 1) * tokens.length), (level) => (level * scale) / STEPS);
      return { name, title: cutTitle(name), scale, scores };
    }),
  };
}

function spans(pairs: readonly number[], part: "question" | "passage"): Token[] {
  const tokens: Token[] = [];
  let end = 0;
  for (let i = 0; i < pairs.length; i += 2) {
    const start = end + (pairs[i] ?? 0);
    const second = pairs[i + 1] ?? 0;
    end = start + (second >> 1);
    tokens.push({ text: second & 1 ? "##" : "", id: 0, part, start, end });
  }
  return tokens;
}
