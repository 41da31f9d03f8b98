/**
 * What is being looked at in a comparison: which methods stand out, and of which questions the numbers are.
 */

import type { Table } from "../data";
import { Look, type Options } from "../view.svelte";
import type { Compared } from "./data";

/** As many as can be told apart (Okabe & Ito 2008, without yellow and black). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/** The methods that stand out at first, where they are there. */
const FIRST = ["deeplift", "integrated-gradients", "occlusion", "random"];

export class ComparedView extends Look {
  readonly data: Compared;
  readonly names: readonly string[];

  constructor(data: Compared, options: () => Options) {
    super(options);
    this.data = data;
    this.names = data.facts.methods.map(({ name }) => name);
    const first = FIRST.flatMap((label) => data.facts.methods.find((method) => method.label === label)?.name ?? []);
    const chosen = first.length > 1 ? first : this.names.slice(0, 4);
    this.slots = COLOURS.map((_, slot) => chosen[slot] ?? null);
  }

  /** The method of each colour. */
  slots: readonly (string | null)[] = $state.raw([]);
  /** The group of questions: grouping and group. */
  group: readonly [string, string] = $state.raw(["all", "all"]);

  /** The colour of a method that stands out. */
  colour(name: string): string | null {
    const slot = this.slots.indexOf(name);
    return slot < 0 ? null : (COLOURS[slot] ?? null);
  }

  /** Whether another method can stand out. */
  get full(): boolean {
    return !this.slots.includes(null);
  }

  /** Lets a method stand out, or no longer. */
  toggle(name: string): void {
    const slot = this.slots.indexOf(name);
    const at = slot < 0 ? this.slots.indexOf(null) : slot;
    this.slots = this.slots.map((now, i) => (i === at ? (slot < 0 ? name : null) : now));
  }

  table(name: string): Table | undefined {
    return this.data.tables.find((table) => table.name === name && table.rows > 0);
  }
}
