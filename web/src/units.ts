/**
 * What the map shows: the tokens of an explanation as words or as wordpieces, with the text as it was given.
 *
 * A token continues the word of the token before it where both are of the question or both of the passage, no white
 * space stands between them (characters that a tokenizer drops without splitting, a combining accent among them, do not
 * split), and its vocabulary text says so: by WordPiece's `##`, or, in the families that mark where a word begins (`Ġ`, `▁`),
 * by having no mark where the text joins the two. The rules and their reasons are those of
 * `crates/spanlift-explanation/src/words.rs`, and its table of tests is used here too.
 *
 *     tokens ──> units (words or pieces) ──> blocks (question, passage) ──> paragraphs ──> runs of one direction
 */

import type { Explanation, Part, Token } from "./explanation";
import { Characters, type Direction, breaks, direction, hasBlank, leadingMarks, line, trimmed, visible } from "./text";

/** Stands for a token that is white space alone, or the mark of a beginning alone. */
export const NO_TEXT = "\u2423";

const CONTINUATION = "##";
/** The mark of a beginning, where the family has one. */
const START: Record<string, string> = { roberta: "\u0120", "xlm-roberta": "\u2581", "deberta-v2": "\u2581" };

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
  /** How many line ends are in that gap. */
  breaks: number;
}

/** Neighbouring units of one direction. */
export interface Run {
  direction: Direction;
  units: Unit[];
}

/** What stands between two line ends of the text. */
export interface Paragraph {
  direction: Direction;
  /** Whether a blank line is before it. */
  apart: boolean;
  runs: Run[];
}

/** The question with its special tokens, or the passage with its own. */
export interface Block {
  name: "question" | "passage";
  paragraphs: Paragraph[];
}

/** What is needed of an explanation. */
export type Source = Pick<Explanation, "question" | "passage" | "tokens"> & {
  model: Pick<Explanation["model"], "family">;
  window: Pick<Explanation["window"], "start"> & Partial<Explanation["window"]>;
};

interface Texts {
  question: Characters;
  passage: Characters;
  /** The mark of a beginning; none where the vocabulary marks continuations. */
  start: string | null;
}

function textsOf({ question, passage, model }: Source): Texts {
  const start = Object.hasOwn(START, model.family) ? (START[model.family] ?? null) : null;
  return { question: new Characters(question), passage: new Characters(passage), start };
}

/** The characters of a token, without blanks at either end; empty for a token that is white space or a mark alone. */
function span(token: Token, texts: Texts): [number, number] | null {
  const { part, start, end } = token;
  if (part === "special" || start === null || end === null) return null;
  const text = texts[part].slice(start, end);
  const inner = trimmed(text);
  const first = inner === "" ? end : start + [...text.slice(0, text.indexOf(inner))].length;
  if (token.text === texts.start) return [first, first];
  return inner === "" ? [start, start] : [first, first + [...inner].length];
}

/** What only extends the character before it: a combining mark, a joiner, a skin tone. */
const EXTENDS = /^[\p{M}\u200c\u200d\u{1f3fb}-\u{1f3ff}]/u;
const LETTER = /^[\p{Alphabetic}\p{N}\p{M}\u200c\u200d\u{1f3fb}-\u{1f3ff}]/u;
/** Letters of scripts that write words without blanks: Thai, Lao, Myanmar, Khmer, kana, bopomofo and Han. */
const UNSPACED =
  /^[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\u{20000}-\u{3ffff}]/u;

/** Whether two characters that meet are of one word. */
function joined(last: string, first: string): boolean {
  if (hasBlank(last)) return false;
  const letter = (c: string) => LETTER.test(c) && !UNSPACED.test(c);
  return EXTENDS.test(first) || /[\u200c\u200d]/.test(last) || (letter(last) && letter(first));
}

/** The tokens of a unit as the text has them, with the vocabulary's mark of a continuation. */
export function pieces(explanation: Source, unit: { first: number; last: number }): string[] {
  const texts = textsOf(explanation);
  return explanation.tokens.slice(unit.first, unit.last + 1).map((token) => {
    const at = span(token, texts);
    if (!at || token.part === "special") return visible(token.text);
    const mark = texts.start === null && token.text.startsWith(CONTINUATION) ? CONTINUATION : "";
    return mark + (visible(texts[token.part].slice(...at)) || NO_TEXT);
  });
}

/** The units in order; they cover all tokens. */
export function units(explanation: Source, mode: "words" | "pieces"): Unit[] {
  const texts = textsOf(explanation);
  const ends = { question: 0, passage: explanation.window.start };
  const list: Unit[] = [];
  explanation.tokens.forEach((token, i) => {
    const last = list.at(-1);
    const [start = null, end = null] = span(token, texts) ?? [];
    if (mode === "words" && last && continues(last, explanation.tokens[i - 1], token, texts)) {
      last.last = i;
      last.end = Math.max(last.end ?? 0, end ?? 0);
    } else {
      list.push({ index: list.length, text: "", first: i, last: i, part: token.part, start, end, gap: "", breaks: 0 });
    }
  });
  list.forEach((unit, i) => write(unit, list[i - 1], explanation, texts, ends));
  return list;
}

function continues(word: Unit, before: Token | undefined, token: Token, texts: Texts): boolean {
  const at = span(token, texts);
  if (word.part !== token.part || token.part === "special" || word.end === null || !at) return false;
  const [start, end] = at;
  const characters = texts[token.part];
  if (hasBlank(characters.slice(Math.min(word.end, start), start))) return false;
  if (texts.start === null) return token.text.startsWith(CONTINUATION);
  if (token.text.startsWith(texts.start) || start === end) return false;
  if (start < word.end || before?.text === texts.start) return true;
  return start > 0 && joined(characters.slice(start - 1, start), characters.slice(start, start + 1));
}

/** Fills in the text of a unit and of the gap before it; marks at the start of the gap go to the unit before. */
function write(
  unit: Unit,
  before: Unit | undefined,
  { tokens }: Source,
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
  unit.gap = before?.part === part ? line(gap) : " " + line(trimmed(gap));
  unit.breaks = before?.part === part ? breaks(gap) : 0;
  // Of bytes of a character that the unit before has shown nothing is left.
  const text = start === end ? NO_TEXT : texts[part].slice(Math.max(start, reached), end);
  ends[part] = Math.max(reached, end);
  // A mark alone stands on a dotted circle, so that it does not climb onto its neighbour.
  unit.text = (leadingMarks(text) ? "\u25cc" : "") + visible(text);
}

/** The two blocks of the map. Special tokens go with what they follow: `[CLS] question [SEP]`, `passage [SEP]`. */
export function blocks(list: Unit[]): Block[] {
  const found = list.findIndex((unit) => unit.part === "passage");
  const split = found < 0 ? list.length : found;
  const both = [
    { name: "question" as const, units: list.slice(0, split) },
    { name: "passage" as const, units: list.slice(split) },
  ];
  return both.filter(({ units }) => units.length > 0).map(({ name, units }) => ({ name, paragraphs: paragraphs(units) }));
}

/** The units between line ends; each paragraph has the direction of its own first letter. */
function paragraphs(list: Unit[]): Paragraph[] {
  const found: Unit[][] = [];
  for (const unit of list) {
    const last = found.at(-1);
    if (last && unit.breaks === 0) last.push(unit);
    else found.push([unit]);
  }
  return found.map((units) => {
    const ways = units.map((unit) => (unit.part === "special" ? null : direction(unit.text)));
    const main = ways.find((way) => way !== null) ?? "ltr";
    return { direction: main, apart: (units[0]?.breaks ?? 0) > 1, runs: runs(units, main) };
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
