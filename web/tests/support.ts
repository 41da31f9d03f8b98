// Small explanations made by hand, whose numbers a test can work out by itself.
import { readFileSync } from "node:fs";

import type { Explanation, Part, Token } from "../src/explanation";

export function fixture(name: string): Explanation {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), "utf8")) as Explanation;
}

/** Tokens by their place in a text: `[vocabulary text, first character, one past the last]`. */
export type Piece = readonly [string, number, number];

/** One layer, two heads; token i scores i at the words and at layer 1, and −i at the output. */
export function tiny(texts: { question: string; passage: string; pieces: [Piece[], Piece[]]; answer?: [number, number] }): Explanation {
  const part = (part: Part, pieces: Piece[]): Token[] => pieces.map(([text, start, end], id) => ({ text, id, part, start, end }));
  const special = (text: string): Token => ({ text, id: 0, part: "special", start: null, end: null });
  const tokens = [
    special("[CLS]"),
    ...part("question", texts.pieces[0]),
    special("[SEP]"),
    ...part("passage", texts.pieces[1]),
    special("[SEP]"),
  ];
  const ramp = tokens.map((_, i) => i);
  const total = ramp.reduce((sum, x) => sum + x, 0);
  const [first, last] = texts.answer ?? [0, 0];
  const at = [tokens[first]?.start ?? null, tokens[last]?.end ?? null] as const;
  const found = texts.answer !== undefined;
  const text = found ? [...texts.passage].slice(at[0] ?? 0, at[1] ?? 0).join("") : "";
  return {
    format: "spanlift.explanation",
    version: 1,
    model: { name: "tiny", family: "bert", layers: 1, heads: 2, hidden: 4 },
    method: { name: "deeplift", rule: "rescale", reference: "mask", references: 1, rules: { linear: "linear" } },
    question: texts.question,
    passage: texts.passage,
    window: { index: 0, count: 1, start: 0, end: [...texts.passage].length },
    answer: {
      text,
      start: found ? at[0] : null,
      end: found ? at[1] : null,
      start_token: first,
      end_token: last,
      score: 5,
      null_score: 1,
      has_answer: found,
      probability: 0.9,
    },
    candidates: found ? [{ text, start: at[0] ?? 0, end: at[1] ?? 0, window: 0, start_token: first, end_token: last, score: 5, probability: 0.9 }] : [],
    tokens,
    target: { kind: "span", start_token: first, end_token: last, value: total, reference_value: 0, delta: total },
    layers: [
      { name: "1", score: ramp, positive: ramp.map((x) => x + 1), negative: ramp.map(() => -1), sum: total, error: 0 },
      { name: "output", score: ramp.map((x) => -x), positive: ramp.map(() => 0), negative: ramp.map((x) => -x), sum: -total, error: 0 },
    ],
    word_score: ramp,
    word_sum: total,
    word_error: 0,
    heads: { score: [[1, -2]], by_token: [[ramp.map((x) => x / 10), ramp.map((x) => -x / 5)]], residual: [total + 1], error: [0] },
    mlp: [1],
    mlp_residual: [total - 1],
    mlp_error: [0],
    top_edges: [
      { layer: 1, head: 1, query: 1, key: 2, pattern: 0.5, content: -2 },
      { layer: 1, head: 2, query: 1, key: tokens.length - 2, pattern: 1, content: 0.5 },
      { layer: 1, head: 2, query: 2, key: 2, pattern: 0.25, content: 0 },
    ],
    completeness: { bound: 1e-4, worst: 0, cut: "words", holds: true },
  };
}

/** Text that would act if it could: markup, quotes, an override of the direction, controls; and text that must hold its place. */
export function hostile(): Explanation {
  const words = [
    "<script>alert(1)</script>",
    `<img src=x onerror="alert(2)">`,
    "&amp;&lt;b&gt;",
    `"'\`\${alert(3)}`,
    "\u202eevil\u202c",
    "\u2067isolate",
    "bell\u0007\u001b[31m",
    "cafe\u0301",
    "\ud83d\udc69\u200d\ud83d\ude80",
    "\u6771\u4eac\u90fd",
    "\u05e9\u05dc\u05d5\u05dd",
    "\u05e2\u05d5\u05dc\u05dd",
    "12",
    "</spanlift-explanation>",
    "<!--",
    "end",
  ];
  const pieces: Piece[] = [];
  let at = 0;
  for (const word of words) {
    const length = [...word].length;
    pieces.push([word.toLowerCase(), at, at + length]);
    at += length + 1;
  }
  const question = "<b>Who</b>?";
  return tiny({ question, passage: words.join(" "), pieces: [[["<b>who</b>", 0, 10], ["?", 10, 11]], pieces], answer: [4, 6] });
}
