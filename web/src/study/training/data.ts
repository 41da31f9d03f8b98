/**
 * What the page of a training is made of: facts, tables, and the probe questions' maps behind each step marked.
 */

import { head, listOf, type Packed, type Shared, sharedOf, type Table, tablesOf } from "../data";

export const FORMAT = "spanlift.training";
export const VERSION = 1;

export interface Facts {
  /** The training's folder. */
  name: string;
  model: string;
  family: string;
  layers: number;
  heads: number;
  data: string;
  questions: number;
  probe: string;
  /** Probe questions. */
  probed: number;
  reference: string;
  /** Steps in all. */
  steps: number;
  version: string;
  options: readonly (readonly [string, string])[];
}

export interface Step {
  step: number;
  maps: readonly Packed[];
}

export interface Training extends Shared {
  facts: Facts;
  tables: readonly Table[];
  /** At least one. */
  steps: readonly Step[];
}

/** The data, or an error that names the field. */
export function read(root: Record<string, unknown>): Training {
  const facts = head(root, FORMAT, VERSION) as unknown as Facts;
  const steps = listOf(root, "steps") as Step[];
  if (steps.length === 0) throw new Error("steps: expected at least one, got none");
  steps.forEach(({ step, maps }, i) => {
    if (typeof step !== "number" || !Array.isArray(maps)) throw new Error(`steps[${i}]: expected a step and its maps`);
  });
  return { facts, tables: tablesOf(root), steps, ...sharedOf(root) };
}
