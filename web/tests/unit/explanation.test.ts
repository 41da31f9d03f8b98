import { describe, expect, test } from "vitest";

import { parse, read } from "../../src/explanation";
import { fixture, hostile } from "../support";

describe("reading", () => {
  test.each(["harbour", "harbour-none"])("%s", (name) => {
    expect(read(fixture(name)).tokens.length).toBeGreaterThan(100);
  });

  test("an explanation made by hand", () => {
    expect(read(hostile()).model.layers).toBe(1);
  });

  // [what is wrong, how, what is said]
  const wrong: [string, (x: any) => void, RegExp][] = [
    ["another format", (x) => (x.format = "else"), /format: expected "spanlift.explanation", got "else"/],
    ["no format", (x) => delete x.format, /format: expected "spanlift.explanation", got nothing/],
    ["another version", (x) => (x.version = 9), /version: this viewer reads version 1, got 9/],
    ["a list too short", (x) => x.layers[2].score.pop(), /layers\[2\]\.score: expected a list of 157, got a list of 156/],
    ["a layer too few", (x) => x.layers.shift(), /layers: expected a list of 7/],
    ["a name out of order", (x) => (x.layers[1].name = "3"), /layers\[1\]\.name: expected "2", got "3"/],
    ["no number", (x) => (x.word_score[5] = null), /word_score\[5\]: expected a number, got null/],
    ["a head too few", (x) => x.heads.by_token[1].pop(), /heads\.by_token\[1\]: expected a list of 12/],
    ["an edge to nowhere", (x) => (x.top_edges[3].key = 157), /top_edges\[3\]\.key: expected an index from 0 to 156, got 157/],
    ["an edge of layer 0", (x) => (x.top_edges[0].layer = 0), /top_edges\[0\]\.layer: expected an index from 1 to 6/],
    ["an unknown part", (x) => (x.tokens[0].part = "tail"), /tokens\[0\]\.part/],
    ["an unknown target", (x) => (x.target.kind = "all"), /target\.kind/],
    ["an answer beyond the text", (x) => (x.answer.end_token = 500), /answer\.end_token/],
    ["no ledger", (x) => delete x.mlp, /mlp: expected a list, got nothing/],
  ];
  test.each(wrong)("refuses %s", (_, spoil, said) => {
    const x = structuredClone(fixture("harbour"));
    spoil(x);
    expect(() => read(x)).toThrow(said);
  });

  test.each([null, undefined, 3, "text"])("refuses %s", (value) => {
    expect(() => read(value)).toThrow(/expected an object/);
  });

  test("refuses what is not JSON", () => {
    expect(() => parse("{")).toThrow(/not JSON/);
  });
});
