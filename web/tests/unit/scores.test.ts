import { describe, expect, test } from "vitest";

import { edgesOf, flows, unitOfToken } from "../../src/edges";
import { byUnit, cuts, largest, rank, share, strongest, tsv } from "../../src/scores";
import { units } from "../../src/units";
import { fixture, tiny } from "../support";

const x = tiny({
  question: "who won",
  passage: "har bour Ada",
  pieces: [
    [
      ["who", 0, 3],
      ["won", 4, 7],
    ],
    [
      ["har", 0, 3],
      ["bour", 4, 8],
      ["ad", 9, 11],
      ["##a", 11, 12],
    ],
  ],
});

describe("cuts", () => {
  test("are the words, the layers and the output", () => {
    expect(cuts(x).map(({ name, title }) => [name, title])).toEqual([
      ["words", "Words"],
      ["1", "Layer 1"],
      ["output", "Output"],
    ]);
    expect(cuts(x)[0]?.parts).toBeNull();
  });

  test("of the harbour add up to Δt by words and by pieces", () => {
    const real = fixture("harbour");
    for (const mode of ["words", "pieces"] as const) {
      for (const cut of cuts(real)) {
        const total = byUnit(units(real, mode), cut.score).reduce((sum, score) => sum + score, 0);
        expect(Math.abs(total - real.target.delta)).toBeLessThan(1e-4);
      }
    }
  });
});

describe("scores", () => {
  test("a share of nothing is nothing", () => {
    expect([share(2, 4), share(-4, 4), share(0, 0)]).toEqual([0.5, -1, 0]);
    expect([largest([1, -3, 2]), largest([])]).toEqual([3, 0]);
  });

  test("the strongest come first whatever their sign, zeros never", () => {
    expect(strongest([0, -5, 2, 0, 3], 9)).toEqual([1, 4, 2]);
    expect(strongest([1, -1], 1)).toEqual([0]);
    expect([rank([0, -5, 2, 3], 2), rank([0, -5, 2, 3], 1)]).toEqual([3, 1]);
  });

  test("as a table: a line a word, a column a cut", () => {
    const lines = tsv(units(x, "words"), cuts(x)).trimEnd().split("\n").map((line) => line.split("\t"));
    expect(lines[0]).toEqual(["token", "last_token", "part", "text", "words", "layer_1", "output"]);
    expect(lines.at(-2)).toEqual(["6", "7", "passage", "Ada", "13", "13", "-13"]);
    expect(lines).toHaveLength(9);
    expect(new Set(lines.map((line) => line.length))).toEqual(new Set([7]));
  });

  test("are written in full in the table", () => {
    const real = fixture("harbour");
    const cells = tsv(units(real, "pieces"), cuts(real)).split("\n")[2]?.split("\t") ?? [];
    expect(Number(cells[5])).toBe(real.layers[0]?.score[1]);
  });
});

describe("edges", () => {
  const list = units(x, "words");
  const place = unitOfToken(list);

  test("each token has its unit", () => {
    expect(place).toEqual([0, 1, 2, 3, 4, 5, 6, 6, 7]);
  });

  test("of a word are those that begin or end at one of its tokens, largest sum first", () => {
    const who = list[1]!;
    expect(edgesOf(who, x, place, { layer: null, head: null }).map(({ query, key, edge }) => [query, key, edge.head])).toEqual([
      [1, 2, 1],
      [1, 6, 2],
    ]);
    expect(edgesOf(list[6]!, x, place, { layer: null, head: null }).map(({ query, key }) => [query, key])).toEqual([[1, 6]]);
    expect(edgesOf(list[0]!, x, place, { layer: null, head: null })).toEqual([]);
  });

  test("of one layer or head only", () => {
    expect(edgesOf(list[1]!, x, place, { layer: 1, head: 2 })).toHaveLength(1);
    expect(edgesOf(list[1]!, x, place, { layer: 2, head: null })).toEqual([]);
  });

  test("between the same two words add up, pattern and content apart", () => {
    const edge = { layer: 1, head: 1, query: 1, key: 2, pattern: 1, content: 2 };
    const arc = { edge, query: 1, key: 2 };
    const back = { edge: { ...edge, pattern: -9, content: 0 }, query: 2, key: 1 };
    expect(flows([arc, { ...arc, edge: { ...edge, content: -3 } }, back])).toEqual([
      { query: 2, key: 1, pattern: -9, content: 0 },
      { query: 1, key: 2, pattern: 2, content: -1 },
    ]);
  });
});
