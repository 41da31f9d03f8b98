/**
 * What is being looked at in a training: the step.
 */

import type { Table } from "../data";
import { cutNames } from "../unpack";
import { Look, type Options } from "../view.svelte";
import type { Training } from "./data";

export class TrainingView extends Look {
  readonly data: Training;
  /** `1`..`L`, `output`. */
  readonly cuts: readonly string[];
  /** The steps marked. */
  readonly steps: readonly string[];

  constructor(data: Training, options: () => Options) {
    super(options);
    this.data = data;
    this.cuts = cutNames(data.facts.layers);
    this.steps = data.steps.map(({ step }) => String(step));
    this.at = this.steps.length - 1;
  }

  /** The place of the step among those marked. */
  at = $state(0);

  get step(): string {
    return this.steps[this.at] ?? "";
  }

  get first(): string {
    return this.steps[0] ?? "";
  }

  table(name: string): Table | undefined {
    return this.data.tables.find((table) => table.name === name && table.rows > 0);
  }
}
