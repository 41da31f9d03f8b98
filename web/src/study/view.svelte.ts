/**
 * What is being looked at in a study: the page's colours, and the question that is open.
 */

import { MediaQuery } from "svelte/reactivity";

import { type Palette, type Ramp, type Theme, ramp } from "../colour";
import type { Data, Table } from "./data";
import { cutNames } from "./unpack";

/** The attributes of the element. */
export interface Options {
  palette: Palette;
  theme: "auto" | Theme;
}

export class View {
  readonly data: Data;
  /** `1`..`L`, `output`. */
  readonly cuts: readonly string[];
  readonly #options: () => Options;
  readonly #prefersDark = new MediaQuery("(prefers-color-scheme: dark)");
  readonly #print = new MediaQuery("print");
  /** The row of each question in the table of questions. */
  readonly #rows = new Map<string, number>();

  constructor(data: Data, options: () => Options) {
    this.data = data;
    this.#options = options;
    this.cuts = cutNames(data.facts.layers);
    this.table("questions")
      ?.column("id")
      ?.values.forEach((id, row) => this.#rows.set(String(id), row));
  }

  palette: Palette = $derived.by(() => this.#options().palette);
  printing = $state(false);
  /** The question whose map is open. */
  opened: string | null = $state(null);

  onPaper = $derived.by(() => this.printing || this.#print.current);
  theme: Theme = $derived.by(() => {
    const theme = this.#options().theme;
    if (this.onPaper) return "light";
    return theme === "auto" ? (this.#prefersDark.current ? "dark" : "light") : theme;
  });
  ramp: Ramp = $derived.by(() => ramp(this.palette, this.theme));

  /** The table, where the study has it and it has rows. */
  table(name: string): Table | undefined {
    return this.data.tables.find((table) => table.name === name && table.rows > 0);
  }

  /** The row of a question in the table of questions. */
  row(id: string): number | undefined {
    return this.#rows.get(id);
  }

  open(id: string): void {
    this.opened = id;
  }
}
