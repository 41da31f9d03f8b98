/**
 * Foreign text made fit to be shown: sliced by Unicode characters, with nothing in it that can act.
 *
 * Offsets count Unicode characters, as SQuAD does; a JavaScript string counts UTF-16 units. Text is only ever
 * put on the page as text, so markup in it is harmless; what is left to mind are the characters that act by
 * themselves: controls, and the controls of the writing direction.
 */

/** A text that is sliced by characters in constant time. */
export class Characters {
  /** Where each character begins in UTF-16 units, and the end; none where characters and units agree. */
  readonly #units: Uint32Array | null;

  constructor(readonly text: string) {
    const count = [...text].length;
    if (count === text.length) {
      this.#units = null;
      return;
    }
    const units = new Uint32Array(count + 1);
    let [i, unit] = [0, 0];
    for (const character of text) {
      units[i++] = unit;
      unit += character.length;
    }
    units[count] = unit;
    this.#units = units;
  }

  get count(): number {
    return this.#units ? this.#units.length - 1 : this.text.length;
  }

  /** Characters `start` to `end`, `end` not included; what lies outside of the text is left out. */
  slice(start: number, end: number): string {
    const units = this.#units;
    if (!units) return this.text.slice(start, end);
    const at = (i: number) => units[Math.max(0, Math.min(i, units.length - 1))];
    return this.text.slice(at(start), at(end));
  }
}

/** Controls, separators of lines, marks, overrides, embeddings and isolates of the direction: the list of `text.rs`. */
const ACTS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ufffe\uffff]/g;

/** The text with every character that could act replaced by `�`, as in the pictures and the terminal. */
export function visible(text: string): string {
  return text.replace(ACTS, "\ufffd");
}

/**
 * White space that parts words: Unicode's, but for the controls that a tokenizer drops without splitting (U+000B, U+000C,
 * U+0085), which are shown. JavaScript's own `\s` is another list.
 */
export const BLANK = "[\\t\\n\\r \\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const BLANKS = new RegExp(`${BLANK}+`, "g");
const ENDS = new RegExp(`^${BLANK}+|${BLANK}+$`, "g");
const ANY = new RegExp(BLANK);

export function hasBlank(text: string): boolean {
  return ANY.test(text);
}

/** The text without white space at its ends. */
export function trimmed(text: string): string {
  return text.replace(ENDS, "");
}

/** Line ends in white space: `\r\n` is one, U+2029 ends a paragraph. */
export function breaks(gap: string): number {
  return (gap.replace(/\r\n/g, "\n").match(/[\n\r\u2028]/g)?.length ?? 0) + 2 * (gap.match(/\u2029/g)?.length ?? 0);
}

/** Prose on one line: runs of white space are one blank, the rest is visible. */
export function line(text: string): string {
  return visible(text.replace(BLANKS, " "));
}

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
const LETTER = /\p{L}/u;

export type Direction = "ltr" | "rtl";

/** The direction of the first letter; none where there is no letter. */
export function direction(text: string): Direction | null {
  const letter = LETTER.exec(text)?.[0];
  if (letter === undefined) return null;
  return RIGHT_TO_LEFT.test(letter) ? "rtl" : "ltr";
}

/** The combining marks and joiners that a text begins with: they belong to the letter before. */
export function leadingMarks(text: string): string {
  return /^[\p{M}\u200d]+/u.exec(text)?.[0] ?? "";
}
