/**
 * What is being looked at: the choices of the person in front of the page, and what follows from them.
 *
 * Everything shown is derived here from the explanation and a handful of choices; the components only draw.
 */

import { MediaQuery } from "svelte/reactivity";

import { type Palette, type Ramp, type Shape, type Theme, ramp } from "./colour";
import { type Arc, type Flow, edgesOf, flows, unitOfToken } from "./edges";
import type { Explanation } from "./explanation";
import { byUnit, cuts, largest, repeated, strongest } from "./scores";
import { type Block, type Unit, blocks, units } from "./units";

/** The attributes of the element. */
export interface Options {
  unit: "words" | "pieces";
  shape: Shape;
  scale: "layer" | "shared";
  palette: Palette;
  theme: "auto" | Theme;
}

export type Kinds = "both" | "pattern" | "content" | "none";

/** Where a unit stands in the map, in CSS pixels; a unit broken over two lines has two boxes. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Layout {
  width: number;
  height: number;
  boxes: Box[][];
}

/** How many edges of a token are drawn and listed. */
export const EDGES = 10;

export class View {
  readonly explanation: Explanation;
  readonly cuts;
  /** The first cut that is drawn: not the words, where their map would be that of layer 1. */
  readonly from: 0 | 1;
  readonly #options: () => Options;
  readonly #prefersDark = new MediaQuery("(prefers-color-scheme: dark)");
  readonly #print = new MediaQuery("print");

  constructor(explanation: Explanation, options: () => Options) {
    this.explanation = explanation;
    this.#options = options;
    this.cuts = cuts(explanation);
    this.from = repeated(explanation) ? 1 : 0;
  }

  // Choices. An attribute of the element sets the first four again when it changes.
  shared = $derived.by(() => this.#options().scale === "shared");
  palette: Palette = $derived.by(() => this.#options().palette);
  mode: "words" | "pieces" = $derived.by(() => this.#options().unit);
  shape: Shape = $derived.by(() => this.#options().shape);
  /** Place in `cuts`: 0 the words, then the layers, then the output. */
  cut = $state(1);
  /** Layer and head, from 1, whose tokens are shown in place of the cut's. */
  head: { layer: number; head: number } | null = $state.raw(null);
  /** First token of the unit under the pointer, and of the one chosen. */
  hovered: number | null = $state(null);
  pinned: number | null = $state(null);
  kinds: Kinds = $state("both");
  /** Only the edges of the shown layer. */
  thisLayer = $state(false);
  printing = $state(false);
  layout: Layout | null = $state.raw(null);

  // The page.
  onPaper = $derived.by(() => this.printing || this.#print.current);
  theme: Theme = $derived.by(() => {
    const theme = this.#options().theme;
    if (this.onPaper) return "light";
    return theme === "auto" ? (this.#prefersDark.current ? "dark" : "light") : theme;
  });
  ramp: Ramp = $derived.by(() => ramp(this.palette, this.theme, this.shape));

  // The text.
  units: Unit[] = $derived.by(() => units(this.explanation, this.mode));
  unitOf: number[] = $derived.by(() => unitOfToken(this.units));
  blocks: Block[] = $derived.by(() => blocks(this.units));

  // The scores, by unit.
  cutScores: number[][] = $derived.by(() => this.cuts.map((cut) => byUnit(this.units, cut.score)));
  cutScales: number[] = $derived.by(() => {
    const own = this.cutScores.map((scores) => largest(scores));
    return this.shared ? own.map(() => largest(own)) : own;
  });
  #headScale = $derived.by(() => largest(this.explanation.heads.by_token.flat().map((head) => largest(byUnit(this.units, head)))));
  /** What the map shows: the cut, or the head. */
  scores: number[] = $derived.by(() =>
    this.head
      ? byUnit(this.units, this.explanation.heads.by_token[this.head.layer - 1]?.[this.head.head - 1] ?? [])
      : (this.cutScores[this.cut] ?? []),
  );
  scale: number = $derived.by(() => {
    if (!this.head) return this.cutScales[this.cut] ?? 0;
    return this.shared ? this.#headScale : largest(this.scores);
  });
  title: string = $derived.by(() =>
    this.head ? `Layer ${this.head.layer}, head ${this.head.head}` : (this.cuts[this.cut]?.title ?? ""),
  );

  // The token looked at.
  pointed: Unit | null = $derived.by(() => this.#at(this.hovered ?? this.pinned));
  chosen: Unit | null = $derived.by(() => this.#at(this.pinned));
  /** Never empty: the strongest where nothing is pointed at. */
  subject: Unit | null = $derived.by(() => this.pointed ?? this.units[strongest(this.scores, 1)[0] ?? 0] ?? null);
  /** The layer whose edges are meant: the head's, or the one the cut goes into. */
  layer: number | null = $derived.by(() => {
    if (this.head) return this.head.layer;
    return this.cut >= 1 && this.cut <= this.explanation.model.layers ? this.cut : null;
  });
  arcs: Arc[] = $derived.by(() => {
    if (!this.subject) return [];
    const layer = this.head || this.thisLayer ? this.layer : null;
    return edgesOf(this.subject, this.explanation, this.unitOf, { layer, head: this.head?.head ?? null });
  });

  /** What is drawn: nothing until a word is pointed at. */
  flows: Flow[] = $derived.by(() => (this.pointed && this.kinds !== "none" ? flows(this.arcs).slice(0, EDGES) : []));

  showCut(cut: number): void {
    this.cut = Math.max(this.from, Math.min(this.cuts.length - 1, cut));
    this.head = null;
  }

  showHead(layer: number, head: number): void {
    const again = this.head?.layer === layer && this.head.head === head;
    this.head = again ? null : { layer, head };
    this.cut = layer;
  }

  pin(token: number | null): void {
    this.pinned = token;
  }

  #at(token: number | null): Unit | null {
    return token === null ? null : (this.units[this.unitOf[token] ?? -1] ?? null);
  }
}
