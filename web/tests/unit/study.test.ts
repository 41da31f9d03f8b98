import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { csv, field, filtered, sorted } from "../../src/study/csv";
import { type Data, read, type Table } from "../../src/study/data";
import { counts, findings } from "../../src/study/findings";
import { feature, grid } from "../../src/study/grid";
import { groupsOf, points, top } from "../../src/study/lines";
import { clusteringOf, colourings, next, projections, spots } from "../../src/study/plane";
import { unpack } from "../../src/study/unpack";
import { count, groupName, interval, listed, percent } from "../../src/study/words";
import { units } from "../../src/units";
// @ts-expect-error a plain script without types
import { synthesise } from "../study.mjs";

const study = (options: Record<string, unknown> = {}): Data => read(synthesise({ questions: 60, ...options }));
const table = (data: Data, name: string): Table => data.tables.find((table) => table.name === name)!;

describe("the data", () => {
  test("is read as the program writes it", () => {
    const data = read(JSON.parse(readFileSync(new URL("../../../crates/spanlift-study/tests/data/study.json", import.meta.url), "utf8")));
    expect(data.facts.run).toBe("mill-run");
    const questions = table(data, "questions");
    expect(questions.column("id")?.values).toEqual(["q1", "q2"]);
    expect(questions.column("exact")?.values).toEqual([true, false]);
    expect(questions.column("probability")?.values).toEqual([0.666667, null]);
    const map = unpack(data.maps.get("q1")!, data);
    expect(units(map.texts, "words").map(({ text }) => text)).toEqual(
      "[CLS] Who built the mill ? [SEP] The mill at Orwin was built by Ada Vell . It burnt in 1877 . [SEP]".split(" "),
    );
    expect(map.roles.slice(0, 3)).toEqual(["cls", "question-word", "question-keyword"]);
    expect(map.cuts.map(({ title }) => title)).toEqual(["Layer 1", "Layer 2", "Output"]);
    // The scores are those of the program's test.
    map.cuts.forEach(({ scores, scale }, l) => {
      const known = scores.map((_, i) => ((i * 37 + l * 11) % 23) - 11.25);
      expect(scale).toBe(Math.max(...known.map(Math.abs)));
      scores.forEach((score, i) => expect(Math.abs(score - known[i]!)).toBeLessThanOrEqual(scale / 254 + 1e-9));
    });
  });

  test("unrolls runs and dictionaries", () => {
    const json = synthesise({ questions: 3 });
    json.tables = [
      {
        name: "t",
        about: "",
        rows: 4,
        columns: [
          { name: "group", kind: "text", dict: ["a", "b"], runs: [0, 2, null, 1, 1, 1] },
          { name: "type", kind: "text", dict: ["x"], values: [0, null, 0, 0] },
          { name: "right", kind: "truth", runs: [true, 4] },
        ],
      },
    ];
    const [t] = read(json).tables;
    expect(t?.columns.map(({ values }) => values)).toEqual([
      ["a", "a", null, "b"],
      ["x", null, "x", "x"],
      [true, true, true, true],
    ]);
    expect(t?.where({ group: "a", type: "x" })).toEqual([0]);
    expect(t?.where({ absent: "a" })).toEqual([]);
  });

  test.each([
    [{ format: "spanlift.explanation" }, "format: expected spanlift.study, got spanlift.explanation"],
    [{ version: 2 }, "version: expected 1, got 2"],
    [{ facts: null }, "facts: expected an object"],
    [{ maps: {} }, "maps: expected a list"],
    [{ tables: [{ name: "k", rows: 2, columns: [{ name: "x", kind: "number", values: [1] }] }] }, "table k, column x: expected 2 values, got 1"],
  ])("%j is refused", (change, message) => {
    expect(() => read({ ...synthesise({ questions: 3 }), ...change })).toThrow(message);
  });

  test("a map whose scores are too few is refused", () => {
    const data = study();
    const [map] = data.maps.values();
    expect(() => unpack({ ...map!, scores: map!.scores.slice(0, 8) }, data)).toThrow(/map of q00000: expected \d+ tokens × 7 cuts, got 6 scores/);
  });
});

describe("the findings", () => {
  test("are those that were planted", () => {
    const said = findings(study({ questions: 900 })).join("\n");
    expect(said).toMatch(/on the \[SEP\] of the question \(\d+\u202f%\) at layer 1/);
    expect(said).toMatch(/the answer \(\d+\u202f%\) at layer 6/);
    expect(said).toContain("(a) and (c) hold, (b) is mixed and (d) does not hold");
    expect(said).toMatch(/Right and wrong answers differ most on the answer at layer [345]/);
    expect(said).toContain("layer profiles (k-means) fall into 3 clusters (silhouette 0.41");
    expect(said).toContain("clusters of the head fingerprints (k-means) are noise");
  });

  test("are left out where the tables are", () => {
    expect(findings(study({ drop: ["shares", "spread", "verdicts", "clusterings"] }))).toEqual([]);
    expect(findings(study({ questions: 3, layers: 1, claims: false, clusters: false })).length).toBeGreaterThan(0);
  });

  test("count what the table of questions says", () => {
    const data = study();
    const right = table(data, "questions").column("exact")!.values.filter((value) => value === true).length;
    expect(counts(data).exact).toBeCloseTo(right / 60);
    expect(counts(study({ drop: ["questions"] }))).toEqual({ questions: 60, exact: null, f1: null, answered: null, answerable: null });
  });
});

describe("tables", () => {
  const questions = table(study(), "questions");

  test("sort with null last in both directions", () => {
    const values = [2, null, 10, 1, null];
    const rows = [0, 1, 2, 3, 4];
    expect(sorted(rows, values, 1)).toEqual([3, 0, 2, 1, 4]);
    expect(sorted(rows, values, -1)).toEqual([2, 0, 3, 1, 4]);
    expect(sorted(rows, ["10", "9", "output", null, "1"], 1)).toEqual([4, 1, 0, 2, 3]);
  });

  test("filter by every word", () => {
    expect(filtered(questions, "")).toHaveLength(60);
    expect(filtered(questions, "Q00007")).toEqual([7]);
    expect(filtered(questions, "q00007 nowhere")).toEqual([]);
  });

  test("are CSV as RFC 4180 has it", () => {
    expect([null, 'a, "b"', "c\nd", true, 1.5, "=1"].map(field)).toEqual(["", '"a, ""b"""', '"c\nd"', "true", "1.5", "=1"]);
    const lines = csv(questions).split("\n");
    expect(lines).toHaveLength(62);
    expect(lines[0]).toMatch(/^id,title,question_type,answered/);
  });
});

describe("lines", () => {
  test("have a point for each cut, null where the table has none", () => {
    const shares = table(study(), "shares");
    const line = points(shares, { grouping: "all", group: "all", source: "attention", measure: "absolute", role: "cls" }, ["1", "6", "output"]);
    expect(line.map(({ mean }) => mean === null)).toEqual([false, false, true]);
    expect(top([{ name: "", colour: "", kind: "solid", points: [{ mean: 0.2, low: 0.1, high: 0.4 }] }])).toBe(0.4);
  });

  test("groups come largest first, thirds in their order", () => {
    const shares = table(study({ questions: 300 }), "shares");
    expect(groupsOf(shares, "length").map((group) => group.split(":")[0])).toEqual(["low", "middle", "high"]);
    expect(groupsOf(shares, "right")).toEqual(["right", "wrong"]);
  });
});

describe("the map", () => {
  const data = study();
  const questions = table(data, "questions");

  test("fits in its box on one scale", () => {
    const [pca] = projections(questions);
    expect(pca?.title).toBe("PCA");
    const places = spots(questions, pca!, 400, 300);
    expect(places).toHaveLength(60);
    const [xs, ys] = [places.map(({ x }) => x), places.map(({ y }) => y)];
    expect(Math.min(...xs)).toBeGreaterThanOrEqual(11.999);
    expect(Math.max(...xs)).toBeLessThanOrEqual(388.001);
    expect(Math.min(...ys)).toBeGreaterThanOrEqual(11.999);
    expect(Math.max(...ys)).toBeLessThanOrEqual(288.001);
  });

  test("colours by every clustering and fact", () => {
    const titles = colourings(questions, table(data, "clusterings")).map(({ title }) => title);
    expect(titles).toEqual([
      "cluster of the layer profiles (k-means)",
      "cluster of the head fingerprints (k-means)",
      "type of question",
      "right or wrong",
      "answer given",
      "answerable",
      "cut where the answer leads first",
    ]);
    expect(clusteringOf("cluster_maps_hdbscan", undefined)).toEqual({ representation: "maps", algorithm: "hdbscan" });
  });

  test("arrows go to the nearest point of their side", () => {
    const at = (row: number, x: number, y: number) => ({ row, x, y });
    const list = [at(0, 0, 0), at(1, 10, 1), at(2, 30, 0), at(3, -5, 0), at(4, 1, 20)];
    expect(next(list, list[0]!, 1, 0)?.row).toBe(1);
    expect(next(list, list[0]!, -1, 0)?.row).toBe(3);
    expect(next(list, list[0]!, 0, 1)?.row).toBe(4);
    expect(next(list, list[0]!, 0, -1)).toBe(null);
  });
});

test("a cluster's grid is its shares, or their difference from all", () => {
  const data = study();
  const shares = table(data, "cluster_shares");
  const of = { representation: "profile", algorithm: "k-means", cluster: "2" };
  const cuts = ["1", "2", "3", "4", "5", "6"];
  const plain = grid(shares, of, "positive", cuts, undefined);
  const against = grid(shares, of, "positive", cuts, table(data, "shares"));
  const row = plain.roles.indexOf("match");
  const [all] = points(table(data, "shares"), { grouping: "all", group: "all", source: "deeplift", measure: "positive", role: "match" }, ["4"]);
  expect(against.values[row]![3]).toBeCloseTo(plain.values[row]![3]! - all!.mean!);
  expect(feature("positive 3 match", (role) => role)).toBe("positive share: match, layer 3");
  expect(feature("head 2 7", (role) => role)).toBe("layer 2, head 7");
  expect(feature("bin 4", (role) => role)).toBe("bin 4");
});

test("figures are as they are read", () => {
  expect([0.3712, 0.042, 0.0004, 0, 1, -0.25].map(percent)).toEqual(["37\u202f%", "4.2\u202f%", "<0.1\u202f%", "0\u202f%", "100\u202f%", "−25\u202f%"]);
  expect(interval(0.31, 0.29, 0.33)).toBe("0.31 [0.29, 0.33]");
  expect(interval(21.5, 20.3, 22.7)).toBe("21.5 [20.3, 22.7]");
  expect(interval(-0.01, -0.03, 0.01)).toBe("−0.01 [−0.03, 0.01]");
  expect(interval(0.5, null, null)).toBe("0.500");
  expect(interval(null, null, null)).toBe("no value");
  expect(count(12000)).toBe("12,000");
  expect(listed(["a", "b", "c"])).toBe("a, b and c");
  expect(groupName("right", "1")).toBe("right");
  expect(groupName("length", "1")).toBe("1");
});
