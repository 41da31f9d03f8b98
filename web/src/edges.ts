/**
 * The edges of a token, out of the largest of the explanation.
 */

import type { Edge, Explanation } from "./explanation";
import type { Unit } from "./units";

/** Which edges are wanted; null is all. Layers and heads count from 1. */
export interface Filter {
  layer: number | null;
  head: number | null;
}

/** An edge with the units at its ends. */
export interface Arc {
  edge: Edge;
  /** The unit that looks. */
  query: number;
  /** The unit that is looked at. */
  key: number;
}

/** What flows between two units in one direction, over all heads. */
export interface Flow {
  query: number;
  key: number;
  pattern: number;
  content: number;
}

/** The arcs added up by pair of units, largest first. */
export function flows(arcs: readonly Arc[]): Flow[] {
  const pairs = new Map<string, Flow>();
  for (const { edge, query, key } of arcs) {
    const flow = pairs.get(`${query} ${key}`) ?? { query, key, pattern: 0, content: 0 };
    flow.pattern += edge.pattern;
    flow.content += edge.content;
    pairs.set(`${query} ${key}`, flow);
  }
  const size = ({ pattern, content }: Flow) => Math.abs(pattern) + Math.abs(content);
  return [...pairs.values()].sort((a, b) => size(b) - size(a));
}

/** The edges that begin or end at a unit, largest |pattern + content| first. */
export function edgesOf(unit: Unit, explanation: Explanation, unitOf: readonly number[], filter: Filter): Arc[] {
  const inside = (token: number) => unit.first <= token && token <= unit.last;
  return explanation.top_edges
    .filter(({ query, key }) => inside(query) || inside(key))
    .filter(({ layer, head }) => (filter.layer ?? layer) === layer && (filter.head ?? head) === head)
    .map((edge) => ({ edge, query: unitOf[edge.query] ?? 0, key: unitOf[edge.key] ?? 0 }))
    .sort((a, b) => Math.abs(b.edge.pattern + b.edge.content) - Math.abs(a.edge.pattern + a.edge.content));
}

/** The unit of each token. */
export function unitOfToken(units: readonly Unit[]): number[] {
  return units.flatMap((unit) => Array.from({ length: unit.last - unit.first + 1 }, () => unit.index));
}
