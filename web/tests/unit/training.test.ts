import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { read } from "../../src/study/training/data";
import { findings } from "../../src/study/training/findings";
import { unpack } from "../../src/study/unpack";

const written = () => JSON.parse(readFileSync(new URL("../../../crates/spanlift-study/tests/data/training.json", import.meta.url), "utf8")) as Record<string, unknown>;

describe("the data of a training", () => {
  test("is read as the program writes it", () => {
    const data = read(written());
    expect(data.steps.map(({ step }) => step)).toEqual([0, 20, 40]);
    expect(data.steps.map(({ maps }) => maps.length)).toEqual([3, 3, 3]);
    const [first, , last] = data.steps.map(({ maps }) => unpack(maps[1]!, data));
    // The second question has no answer before the first step.
    expect([first!.hasAnswer, last!.hasAnswer]).toEqual([false, true]);
    expect(last!.answerText).toBe("May 1901");
    expect(last!.cuts.map(({ name }) => name)).toEqual(["1", "2", "3", "output"]);
    expect(Math.max(...last!.cuts[2]!.scores)).toBeCloseTo(20);
  });

  test("says in a few sentences what formed", () => {
    const said = findings(read(written()));
    expect(said[0]).toContain("The loss falls from 4.00 to 0.100; F1 on the dev questions is 75.0 at last.");
    // 40 of 59, by hand.
    expect(said[1]).toContain("68\u202f% at last");
    expect(said[2]).toContain("0\u202f% of the answers at first, and in 100\u202f% at last");
    expect(said).toHaveLength(4);
    const one = { ...written(), steps: (written()["steps"] as unknown[]).slice(0, 1) };
    expect(findings(read(one))).toEqual([]);
  });

  test("that is not whole says which field", () => {
    const wrong = (change: Record<string, unknown>) => () => read({ ...written(), ...change });
    expect(wrong({ version: 2 })).toThrow("version: expected 1, got 2");
    expect(wrong({ steps: [] })).toThrow("steps: expected at least one, got none");
    expect(wrong({ steps: [{ step: 1 }] })).toThrow("steps[0]: expected a step and its maps");
    expect(wrong({ passages: 3 })).toThrow("passages: expected a list");
  });
});
