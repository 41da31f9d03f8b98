import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { read } from "../../src/study/compared/data";
import { findings } from "../../src/study/compared/findings";
import { best, better, cells, METRICS, standing, tested } from "../../src/study/compared/metrics";
import { about } from "../../src/study/compared/words";
import { bottom } from "../../src/study/lines";
// @ts-expect-error a plain script without types
import { synthesise } from "../compared.mjs";

const ALL = ["all", "all"] as const;
const [deletion] = METRICS;
const written = () => JSON.parse(readFileSync(new URL("../../../crates/spanlift-study/tests/data/compared.json", import.meta.url), "utf8")) as Record<string, unknown>;

describe("the data of a comparison", () => {
  test("is read as the program writes it", () => {
    const data = read(written());
    const names = data.facts.methods.map(({ name }) => name);
    expect(names).toEqual(["deeplift", "gradient-x-input", "random"]);
    expect(data.facts.methods.map(({ complete }) => complete)).toEqual([true, false, false]);
    const measured = data.tables.find(({ name }) => name === "faithfulness")!;
    // 9, 10 and 11 for the three questions, less 2 for each place.
    expect(cells(measured, deletion!, ALL, names).map(({ mean }) => mean)).toEqual([10, 8, 6]);
    expect(better(measured, deletion!)).toBe("high");
    expect(cells(measured, deletion!, ["right", "wrong"], ["deeplift"])[0]?.mean).toBe(10);
    const pairs = data.tables.find(({ name }) => name === "pairs");
    expect(tested(pairs, deletion!, "deeplift", "random")).toBe(tested(pairs, deletion!, "random", "deeplift"));
    expect(tested(pairs, deletion!, "deeplift", "random")).toBeGreaterThan(0);
    expect(data.examples[0]?.words.map(({ before, text }) => before + text).join("|")).toBe("[CLS]|Who|Ada|  did");
  });

  test("that is not whole says which field", () => {
    const json = written();
    const wrong = (change: Record<string, unknown>) => () => read({ ...json, ...change });
    expect(wrong({ version: 2 })).toThrow("version: expected 1, got 2");
    expect(wrong({ tables: 3 })).toThrow("tables: expected a list");
    expect(wrong({ facts: { ...(json["facts"] as object), methods: [] } })).toThrow("facts.methods");
    const [example] = json["examples"] as { methods: { scores: number[] }[] }[];
    const short = { ...example, methods: [{ ...example!.methods[0], scores: [1] }] };
    expect(wrong({ examples: [short] })).toThrow("example a, deeplift: expected 4 scores, got 1");
  });
});

describe("metrics", () => {
  test("the best is the highest, or the lowest, and none where all are alike", () => {
    const of = (...means: number[]) => means.map((mean, i) => ({ method: String(i), mean, low: null, high: null }));
    expect(best(of(1, 3, 2), "high")?.method).toBe("1");
    expect(best(of(1, 3, 2), "low")?.method).toBe("0");
    expect(best(of(2, 2), "high")).toBeNull();
    expect(best(of(2), "high")).toBeNull();
    expect(best(of(1, 2), "")).toBeNull();
  });

  test("a standing is the way from random scores to the best", () => {
    expect(standing(8, 4, 14)).toBe(0.4);
    expect(standing(2, 4, 14)).toBe(-0.2);
    expect(standing(6, 14, 4)).toBe(0.8);
    expect(standing(6, undefined, 4)).toBeNull();
    expect(standing(6, 4, 4)).toBeNull();
  });

  test("a chart reaches as low as its bands", () => {
    const line = (kind: "solid" | "faint") => ({ name: "a", colour: "", kind, points: [{ mean: -1, low: -3, high: 0 }, { mean: 2, low: 1, high: 3 }] });
    expect(bottom([line("solid")])).toBe(-3);
    expect(bottom([line("faint")])).toBe(-1);
    expect(bottom([])).toBe(0);
  });
});

describe("what the page says", () => {
  test("the order by deletion, the agreement and the time", () => {
    const said = findings(read(synthesise({ methods: ["random", "deeplift", "integrated-gradients"] }) as Record<string, unknown>));
    expect(said[0]).toContain("random (14.0), deeplift (9.00) and integrated-gradients (4.00)");
    expect(said[1]).toBe("DeepLIFT agrees with Integrated Gradients to r = 0.50, by rank to ρ = 0.50; of the ten first words they share 50\u202f%.");
    expect(said[2]).toBe("DeepLIFT takes 0.10 s a question, Integrated Gradients 0.15 s: 1.5 times as long.");
  });

  test("nothing of what is not there", () => {
    expect(findings(read({ ...(synthesise({ methods: ["deeplift"] }) as object), tables: [] }))).toEqual([]);
  });

  test("a method that it does not know has its rule", () => {
    const facts = { name: "x", label: "constructor", rule: "r", reference: "none", complete: false };
    expect(about(facts)).toBe("rule r");
    expect(about({ ...facts, label: "random", rule: "uniform" })).toBe("noise: the floor; rule uniform");
  });
});
