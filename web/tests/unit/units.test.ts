import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { Characters, direction, leadingMarks, line, visible } from "../../src/text";
import { blocks, pieces, sum, units } from "../../src/units";
import { type Piece, fixture, hostile, tiny } from "../support";

const texts = (list: { text: string }[]) => list.map(({ text }) => text);

describe("characters", () => {
  test("are Unicode's, not UTF-16's", () => {
    const text = new Characters("a😀b𝒳c");
    expect([text.count, text.slice(1, 2), text.slice(2, 3), text.slice(3, 5), text.slice(0, 99)]).toEqual([5, "😀", "b", "𝒳c", "a😀b𝒳c"]);
    expect(new Characters("plain").slice(1, 3)).toBe("la");
  });

  test("that act are shown as ones that do not", () => {
    expect(visible("a\u001b[31mb\tc\u007f")).toBe("a�[31mb�c�");
    expect(visible("\u202eevil\u202c\u2067\u2069\u2028\u009b")).toBe("�evil�����");
    expect(visible("\u061c\u200e\u200f\u0085\ufffe")).toBe("�����");
    const kept = "naïve e\u0301 東京 👩\u200d🚀 ☺\ufe0f שלום <b>&";
    expect(visible(kept)).toBe(kept);
    expect(line("a\n\n b\u0000")).toBe("a b�");
    // A control that a tokenizer drops without splitting parts no words, whatever \s says; a byte order mark neither.
    expect(line("a\u0085b\u000bc\ufeffd\u2028e\u3000f")).toBe("a�b�c\ufeffd e f");
  });

  test("have a direction where they are letters", () => {
    expect([direction("12 שלום"), direction("abc"), direction("12, ?"), direction("«مرحبا")]).toEqual(["rtl", "ltr", null, "rtl"]);
  });

  test("that combine are known", () => {
    expect([leadingMarks("\u0301a"), leadingMarks("a\u0301"), leadingMarks("\u200d🚀")]).toEqual(["\u0301", "", "\u200d"]);
  });
});

/** The table that `crates/spanlift-explanation/tests/words.rs` reads as well. */
const table = JSON.parse(readFileSync(new URL("../../../crates/spanlift-explanation/tests/data/words.json", import.meta.url), "utf8")) as {
  name: string;
  family: string;
  passage: string;
  tokens: Piece[];
  words: string[];
}[];

describe("words of every family", () => {
  test.each(table)("$family: $name", ({ family, passage, tokens, words }) => {
    const x = tiny({ question: "", passage, pieces: [[], tokens] });
    const of = { ...x, model: { ...x.model, family } };
    const list = units(of, "words").filter(({ part }) => part === "passage");
    expect(texts(list)).toEqual(words.map((word) => visible(word)));
    expect(list.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i))).toHaveLength(tokens.length);
    // No vocabulary text where there is text.
    for (const text of pieces(of, { first: 2, last: 1 + tokens.length })) if (family !== "bert") expect(text).not.toMatch(/[\u0120\u2581\u00c3]/);
  });
});

describe("words", () => {
  const passage = "Vellin's harbour, 1877";
  const joined = tiny({
    question: "Who?",
    passage,
    pieces: [
      [
        ["who", 0, 3],
        ["?", 3, 4],
      ],
      [
        ["ve", 0, 2],
        ["##llin", 2, 6],
        ["'", 6, 7],
        ["s", 7, 8],
        ["har", 9, 12],
        ["##bour", 12, 16],
        [",", 16, 17],
        ["1877", 18, 22],
      ],
    ],
  });

  test("join a piece that continues", () => {
    const list = units(joined, "words");
    expect(texts(list)).toEqual(["[CLS]", "Who", "?", "[SEP]", "Vellin", "'", "s", "harbour", ",", "1877", "[SEP]"]);
    expect(list.map(({ first, last }) => [first, last])[4]).toEqual([4, 5]);
    expect(list.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i))).toEqual(joined.tokens.map((_, i) => i));
  });

  test("pieces are shown as the text has them", () => {
    expect(texts(units(joined, "pieces"))).toEqual(["[CLS]", "Who", "?", "[SEP]", "Ve", "llin", "'", "s", "har", "bour", ",", "1877", "[SEP]"]);
  });

  test("add up their tokens", () => {
    expect(sum({ first: 4, last: 5 }, joined.word_score)).toBe(9);
  });

  test.each(["words", "pieces"] as const)("%s with their gaps are the text again", (mode) => {
    const list = units(joined, mode).filter(({ part }) => part === "passage");
    expect(list.map(({ gap, text }, i) => (i ? gap : "") + text).join("")).toBe(passage);
  });

  test("a mark of continuation after white space, in another part or on a special token joins nothing", () => {
    const apart = tiny({ question: "a", passage: "b c", pieces: [[["a", 0, 1]], [["##b", 0, 1], ["##c", 2, 3]]] });
    expect(texts(units(apart, "words"))).toEqual(["[CLS]", "a", "[SEP]", "b", "c", "[SEP]"]);
    const special = { ...apart, tokens: apart.tokens.map((token, i) => (i === 2 ? { ...token, text: "##[SEP]", start: 1, end: 1 } : token)) };
    expect(units(special, "words")).toHaveLength(6);
    const loose = { ...apart, tokens: apart.tokens.map((token, i) => (i === 4 ? { ...token, start: null, end: null } : token)) };
    expect(units(loose, "words")).toHaveLength(6);
  });

  test("characters that the tokenizer dropped do not split, and a mark goes to its letter", () => {
    // e, U+0301 dropped, ##x; then a word that ends in a dropped mark.
    const dropped = tiny({ question: "a", passage: "e\u0301x cafe\u0301 z", pieces: [[["a", 0, 1]], [["e", 0, 1], ["##x", 2, 3], ["cafe", 4, 8], ["z", 10, 11]]] });
    expect(texts(units(dropped, "words")).slice(3, 6)).toEqual(["e\u0301x", "cafe\u0301", "z"]);
    expect(texts(units(dropped, "pieces")).slice(3, 7)).toEqual(["e\u0301", "x", "cafe\u0301", "z"]);
    expect(units(dropped, "words")[5]?.gap).toBe(" ");
  });

  test("a mark alone stands on a dotted circle", () => {
    const mark = tiny({ question: "a", passage: "e\u0301", pieces: [[["a", 0, 1]], [["e", 0, 1], ["##\u0301", 1, 2]]] });
    expect(texts(units(mark, "words"))[3]).toBe("e\u0301");
    expect(texts(units(mark, "pieces"))[4]).toBe("\u25cc\u0301");
  });

  test("a window that begins inside the passage begins there", () => {
    const x = tiny({ question: "a", passage: "one two three", pieces: [[["a", 0, 1]], [["two", 4, 7], ["three", 8, 13]]] });
    const [, , , two] = units({ ...x, window: { index: 1, count: 2, start: 4, end: 13 } }, "words");
    expect([two?.text, two?.gap]).toEqual(["two", " "]);
  });

  test("the harbour's passage is written as it was given", () => {
    const x = fixture("harbour");
    const list = units(x, "words").filter(({ part }) => part === "passage");
    expect(list.map(({ gap, text }, i) => (i ? gap : "") + text).join("")).toBe(x.passage.trimEnd());
    expect(texts(list)).toContain("Vellin");
  });
});

describe("blocks", () => {
  test("are the question and the passage, with their special tokens", () => {
    const x = fixture("harbour");
    const [question, passage] = blocks(units(x, "pieces"));
    const all = [question, passage].flatMap((block) => block?.paragraphs.flatMap(({ runs }) => runs.flatMap((run) => run.units)) ?? []);
    expect(all).toHaveLength(x.tokens.length);
    expect([question?.name, passage?.name, question?.paragraphs.length]).toEqual(["question", "passage", 1]);
    expect(question?.paragraphs[0]?.runs[0]?.units.at(-1)?.text).toBe("[SEP]");
  });

  test("keep a phrase of the other direction together", () => {
    const passage = blocks(units(hostile(), "words"))[1]?.paragraphs[0];
    expect(passage?.direction).toBe("ltr");
    expect(passage?.runs.map((run) => run.direction)).toEqual(["ltr", "rtl", "ltr"]);
    expect(texts(passage?.runs[1]?.units ?? [])).toEqual(["שלום", "עולם"]);
  });

  test("are of the direction of their text", () => {
    const x = tiny({ question: "a", passage: "שלום BERT עולם", pieces: [[["a", 0, 1]], [["ש", 0, 4], ["bert", 5, 9], ["ע", 10, 14]]] });
    const passage = blocks(units(x, "words"))[1]?.paragraphs[0];
    expect([passage?.direction, ...(passage?.runs.map((run) => run.direction) ?? [])]).toEqual(["rtl", "rtl", "ltr", "rtl"]);
  });

  test("are parted where lines of the text end", () => {
    const x = tiny({
      question: "a",
      passage: "one two\r\nthree\n\n\u05e9\u05dc end\u2029x",
      pieces: [[["a", 0, 1]], [["one", 0, 3], ["two", 4, 7], ["three", 9, 14], ["\u05e9\u05dc", 16, 18], ["end", 19, 22], ["x", 23, 24]]],
    });
    const [, passage] = blocks(units(x, "words"));
    expect(passage?.paragraphs.map(({ direction, apart, runs }) => [direction, apart, texts(runs.flatMap((run) => run.units)).join(" ")])).toEqual([
      ["ltr", false, "one two"],
      ["ltr", false, "three"],
      ["rtl", true, "\u05e9\u05dc end"],
      ["ltr", true, "x [SEP]"],
    ]);
  });
});
