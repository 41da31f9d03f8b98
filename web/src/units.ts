/**
 * What the map shows: the tokens of an explanation as words or as wordpieces, with the text as it was given.
 *
 * A token continues the word of the token before it where both are of the question or both of the passage, its
 * vocabulary text begins with `##`, and its offsets follow with nothing between that splits words: no gap, or
 * characters that the tokenizer drops without splitting (a combining accent), but no white space. A special token
 * is a word of its own, and so is a token without offsets.
 *
 *     tokens ──> units (words or pieces) ──> blocks (question, passage) ──> runs of one direction
 */

import type { Explanation, Part, Token } from "./explanation";
import { Characters, type Direction, direction, leadingMarks, line, visible } from "./text";

const CONTINUATION = "##";

/** A word or a piece: what has one colour. */
export interface Unit {
  /** Its place in the list of units. */
  index: number;
  /** The text of the question or the passage, fit to be shown; the vocabulary's text where it has none. */
  text: string;
  /** First and last token. */
  first: number;
  last: number;
  part: Part;
  start: number | null;
  end: number | null;
  /** What stands between the unit before and this one: blanks, or characters that no token covers. */
  gap: string;
}

/** Neighbouring units of one direction. */
export interface Run {
  direction: Direction;
  units: Unit[];
}

/** The question with its special tokens, or the passage with its own. */
export interface Block {
  name: "question" | "passage";
  direction: Direction;
  runs: Run[];
}

interface Texts {
  question: Characters;
  passage: Characters;
}

/** The units in order; they cover all tokens. */
export function units(explanation: Explanation, mode: "words" | "pieces"): Unit[] {
  const texts = { question: new Characters(explanation.question), passage: new Characters(explanation.passage) };
  const ends = { question: 0, passage: explanation.window.start };
  const list: Unit[] = [];
  explanation.tokens.forEach((token, i) => {
    const last = list.at(-1);
    if (mode === "words" && last && continues(last, token, texts)) {
      last.last = i;
      last.end = Math.max(last.end ?? 0, token.end ?? 0);
    } else {
      const { part, start, end } = token;
      list.push({ index: list.length, text: "", first: i, last: i, part, start, end, gap: "" });
    }
  });
  list.forEach((unit, i) => write(unit, list[i - 1], explanation, texts, ends));
  return list;
}

function continues(word: Unit, token: Token, texts: Texts): boolean {
  if (word.part !== token.part || token.part === "special" || !token.text.startsWith(CONTINUATION)) return false;
  if (word.end === null || token.start === null) return false;
  return !/\s/.test(texts[token.part].slice(Math.min(word.end, token.start), token.start));
}

/** Fills in the text of a unit and of the gap before it; marks at the start of the gap go to the unit before. */
function write(
  unit: Unit,
  before: Unit | undefined,
  { tokens }: Explanation,
  texts: Texts,
  ends: { question: number; passage: number },
): void {
  const { part, start, end } = unit;
  const name = tokens[unit.first]?.text ?? "";
  if (part === "special" || start === null || end === null) {
    unit.text = visible(name);
    unit.gap = before ? " " : "";
    return;
  }
  const reached = ends[part];
  // A first word has nothing before it but what the tokenizer dropped, at the start of the text or the window.
  let gap = texts[part].slice(reached, Math.max(reached, start));
  const marks = before?.part === part ? leadingMarks(gap) : "";
  if (before && marks) {
    before.text += marks;
    gap = gap.slice(marks.length);
  }
  unit.gap = before?.part === part ? line(gap) : " " + line(gap.trim());
  const text = texts[part].slice(Math.max(start, Math.min(reached, end)), end) || texts[part].slice(start, end);
  ends[part] = Math.max(reached, end);
  // A mark alone stands on a dotted circle, so that it does not climb onto its neighbour.
  unit.text = (leadingMarks(text) ? "\u25cc" : "") + visible(text || name);
}

/** The two blocks of the map. Special tokens go with what they follow: `[CLS] question [SEP]`, `passage [SEP]`. */
export function blocks(explanation: Explanation, list: Unit[]): Block[] {
  const found = list.findIndex((unit) => unit.part === "passage");
  const split = found < 0 ? list.length : found;
  const { window, passage } = explanation;
  const shown = new Characters(passage).slice(window.start, window.end);
  const both = [
    { name: "question" as const, text: explanation.question, units: list.slice(0, split) },
    { name: "passage" as const, text: shown, units: list.slice(split) },
  ];
  return both
    .filter(({ units }) => units.length > 0)
    .map(({ name, text, units }) => {
      const main = direction(text) ?? "ltr";
      return { name, direction: main, runs: runs(units, main) };
    });
}

/**
 * Each unit is isolated from its neighbours, so the browser lays units out in the block's direction; words of the
 * other direction must be kept together, or a phrase would be shown last word first. A run goes from its first
 * to its last unit of the other direction; what has no direction between them (numbers, commas) goes with it.
 */
function runs(list: Unit[], main: Direction): Run[] {
  const found: Run[] = [];
  // Units without a direction since the last one with.
  let loose: Unit[] = [];
  const push = (way: Direction, units: Unit[]) => {
    if (units.length === 0) return;
    const last = found.at(-1);
    if (last?.direction === way) last.units.push(...units);
    else found.push({ direction: way, units: [...units] });
  };
  for (const unit of list) {
    const way = unit.part === "special" ? main : direction(unit.text);
    if (way === null) {
      loose.push(unit);
      continue;
    }
    push(way === found.at(-1)?.direction ? way : main, loose);
    loose = [];
    push(way, [unit]);
  }
  push(main, loose);
  return found;
}

/** The sum over a unit's tokens of `scores` (S). */
export function sum(unit: { first: number; last: number }, scores: readonly number[]): number {
  let total = 0;
  for (let i = unit.first; i <= unit.last; i++) total += scores[i] ?? 0;
  return total;
}

/** Whether a unit shares a token with `first..=last`. */
export function overlaps(unit: { first: number; last: number }, first: number, last: number): boolean {
  return unit.first <= last && first <= unit.last;
}
