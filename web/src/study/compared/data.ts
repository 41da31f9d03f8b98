/**
 * What the page of a comparison is made of: facts, tables, and a few questions under every method.
 */

import { head, listOf, type Table, tablesOf } from "../data";

export const FORMAT = "spanlift.compared";
export const VERSION = 1;

export interface MethodFacts {
  /** As the tables have it. */
  name: string;
  /** `deeplift`, `deep-shap`, … */
  label: string;
  rule: string;
  reference: string;
  /** Whether it promises that its scores add up. */
  complete: boolean;
}

export interface Facts {
  model: string;
  family: string;
  layers: number;
  heads: number;
  data: string;
  questions: number;
  reference: string;
  version: string;
  options: readonly (readonly [string, string])[];
  methods: readonly MethodFacts[];
}

export interface Word {
  part: "special" | "question" | "passage";
  /** The text between the word before and this one. */
  before: string;
  text: string;
  /** Whether it belongs to the answer. */
  answer: boolean;
}

export interface Scores {
  name: string;
  /** (words) */
  scores: readonly number[];
  delta: number;
  error: number;
  complete: boolean;
}

export interface Example {
  id: string;
  title: string;
  answer: string;
  has_answer: boolean;
  gold: readonly string[];
  exact: boolean;
  words: readonly Word[];
  methods: readonly Scores[];
}

export interface Compared {
  facts: Facts;
  tables: readonly Table[];
  examples: readonly Example[];
}

/** The data, or an error that names the field. */
export function read(root: Record<string, unknown>): Compared {
  const facts = head(root, FORMAT, VERSION) as unknown as Facts;
  if (!Array.isArray(facts.methods) || facts.methods.length === 0) throw new Error("facts.methods: expected a list of methods");
  const examples = listOf(root, "examples") as Example[];
  for (const { id, words, methods } of examples) {
    for (const { name, scores } of methods) {
      if (scores.length !== words.length) throw new Error(`example ${id}, ${name}: expected ${words.length} scores, got ${scores.length}`);
    }
  }
  return { facts, tables: tablesOf(root), examples };
}
