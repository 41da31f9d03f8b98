/**
 * What is being looked at: the page's colours, and of a study the question that is open.
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

/** The colours of a page. */
export class Look {
  readonly #options: () => Options;
  readonly #prefersDark = new MediaQuery("(prefers-color-scheme: dark)");
  readonly #print = new MediaQuery("print");

  constructor(options: () => Options) {
    this.#options = options;
  }

  palette: Palette = $derived.by(() => this.#options().palette);
  printing = $state(false);
  onPaper = $derived.by(() => this.printing || this.#print.current);
  theme: Theme = $derived.by(() => {
    const theme = this.#options().theme;
    if (this.onPaper) return "light";
    return theme === "auto" ? (this.#prefersDark.current ? "dark" : "light") : theme;
  });
  ramp: Ramp = $derived.by(() => ramp(this.palette, this.theme));
}

export class View extends Look {
  readonly data: Data;
  /** `1`..`L`, `output`. */
  readonly cuts: readonly string[];
  /** The row of each question in the table of questions. */
  readonly #rows = new Map<string, number>();

  constructor(data: Data, options: () => Options) {
    super(options);
    this.data = data;
    this.cuts = cutNames(data.facts.layers);
    this.table("questions")
      ?.column("id")
      ?.values.forEach((id, row) => this.#rows.set(String(id), row));
  }

  /** The question whose map is open. */
  opened: string | null = $state(null);

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
