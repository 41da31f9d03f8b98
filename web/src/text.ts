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

/** Controls without a picture of their own, separators of lines, and the overrides, embeddings and isolates. */
const UNSEEN = /[\u0080-\u009f\u2028-\u202e\u2066-\u206f\ufff9-\ufffb]/g;
const CONTROL = /[\u0000-\u001f\u007f]/g;

/** The text with every character that could act replaced by one that can be seen: `␛ ␉ �`. */
export function visible(text: string): string {
  return text
    .replace(CONTROL, (c) => (c === "\u007f" ? "\u2421" : String.fromCharCode(0x2400 + c.charCodeAt(0))))
    .replace(UNSEEN, "\ufffd");
}

/** Prose on one line: runs of white space are one blank, the rest is visible. */
export function line(text: string): string {
  return visible(text.replace(/\s+/g, " "));
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
