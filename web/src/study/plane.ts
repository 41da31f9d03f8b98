/**
 * The map of the questions: where each stands, what colours it, and which one is next in a direction.
 */

import { type Table, truth } from "./data";
import { representationName } from "./words";

export interface Projection {
  name: string;
  title: string;
  x: string;
  y: string;
}

/** The projections that the table of questions has: `x_pca`, `y_pca` and their kin. */
export function projections(table: Table): Projection[] {
  const names = table.columns.flatMap(({ name }) => (name.startsWith("x_") ? [name.slice(2)] : []));
  const known: Record<string, string> = { pca: "PCA", tsne: "t-SNE", umap: "UMAP" };
  return names.filter((name) => table.column(`y_${name}`)).map((name) => ({ name, title: known[name] ?? name, x: `x_${name}`, y: `y_${name}` }));
}

/** A way to colour the questions. */
export interface Colouring {
  column: string;
  title: string;
  /** The category of a row; none where it has none. */
  of: (row: number) => string | null;
  /** In the order of the legend. */
  categories: string[];
  /** What it is called to have none. */
  none: string;
}

/** The most categories with a colour of their own; the smaller ones are one. */
const MOST = 12;

export function colourings(table: Table, clusterings: Table | undefined): Colouring[] {
  const found: Colouring[] = [];
  const add = (column: string, title: string, none: string, of: (row: number) => string | null) => {
    if (!table.column(column)) return;
    const sizes = new Map<string, number>();
    for (let row = 0; row < table.rows; row++) {
      const category = of(row);
      if (category !== null) sizes.set(category, (sizes.get(category) ?? 0) + 1);
    }
    if (sizes.size === 0) return;
    const names = [...sizes.keys()];
    const clusters = column.startsWith("cluster_");
    names.sort((a, b) => (clusters ? Number(a) - Number(b) : (sizes.get(b) ?? 0) - (sizes.get(a) ?? 0)));
    const kept = new Set(names.slice(0, MOST));
    const rest = names.length > MOST;
    found.push({
      column,
      title,
      none: rest ? "other" : none,
      categories: [...kept],
      of: (row) => {
        const category = of(row);
        return category !== null && kept.has(category) ? category : null;
      },
    });
  };
  for (const { name } of table.columns) {
    if (!name.startsWith("cluster_")) continue;
    const { representation, algorithm } = clusteringOf(name, clusterings);
    const title = `cluster of the ${representationName(representation)}${algorithm ? ` (${algorithm})` : ""}`;
    add(name, title, "no cluster", (row) => {
      const value = table.get(row, name);
      return value === null ? null : String(value);
    });
  }
  const yes = (column: string, title: string, words: readonly [string, string]) =>
    add(column, title, "unknown", (row) => {
      const value = truth(table.get(row, column));
      return value === null ? null : value ? words[0] : words[1];
    });
  add("question_type", "type of question", "no type", (row) => table.text(row, "question_type") || null);
  yes("exact", "right or wrong", ["right", "wrong"]);
  yes("answered", "answer given", ["answer", "no answer"]);
  yes("answerable", "answerable", ["answerable", "not answerable"]);
  add("leads_cut", "cut where the answer leads first", "never", (row) => table.text(row, "leads_cut") || null);
  return found;
}

/** The clustering that a column `cluster_REPRESENTATION` or `cluster_REPRESENTATION_ALGORITHM` is of. */
export function clusteringOf(column: string, clusterings: Table | undefined): { representation: string; algorithm: string } {
  const [representation = "", ...rest] = column.slice("cluster_".length).split("_");
  if (rest.length > 0) return { representation, algorithm: rest.join("-") };
  const made = clusterings?.where({ representation }) ?? [];
  return { representation, algorithm: made.length === 1 && made[0] !== undefined ? (clusterings?.text(made[0], "algorithm") ?? "") : "" };
}

/** A question's place in pixels. */
export interface Spot {
  row: number;
  x: number;
  y: number;
}

/** All rows that have a place, on one scale for both directions, in the middle of the box. */
export function spots(table: Table, { x, y }: Projection, width: number, height: number, margin = 12): Spot[] {
  const [xs, ys] = [table.column(x)?.values ?? [], table.column(y)?.values ?? []];
  const found: Spot[] = [];
  const [low, high] = [
    [Infinity, Infinity],
    [-Infinity, -Infinity],
  ] as [[number, number], [number, number]];
  for (let row = 0; row < table.rows; row++) {
    const at = [xs[row], ys[row]];
    if (typeof at[0] !== "number" || typeof at[1] !== "number") continue;
    found.push({ row, x: at[0], y: at[1] });
    for (const i of [0, 1] as const) {
      low[i] = Math.min(low[i], at[i] as number);
      high[i] = Math.max(high[i], at[i] as number);
    }
  }
  const [w, h] = [width - 2 * margin, height - 2 * margin];
  const zoom = Math.min(w / (high[0] - low[0] || 1), h / (high[1] - low[1] || 1));
  for (const spot of found) {
    spot.x = width / 2 + zoom * (spot.x - (low[0] + high[0]) / 2);
    // Upwards is more.
    spot.y = height / 2 - zoom * (spot.y - (low[1] + high[1]) / 2);
  }
  return found;
}

/** The nearest spot within a quarter turn around a direction; none where there is none. */
export function next(spots: readonly Spot[], from: Spot, dx: number, dy: number): Spot | null {
  let best: Spot | null = null;
  let least = Infinity;
  for (const spot of spots) {
    const [x, y] = [spot.x - from.x, spot.y - from.y];
    const along = x * dx + y * dy;
    const across = Math.abs(x * dy - y * dx);
    if (spot === from || along <= 0 || across > along) continue;
    const far = along + 2 * across;
    if (far < least) [best, least] = [spot, far];
  }
  return best;
}
