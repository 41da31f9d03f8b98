/**
 * The Explanation: everything Spanlift found out about one question, as plain JSON, version 1.
 *
 * Dimension letters: S tokens of the explained window, L layers, A heads. `read` checks once, at the border, that
 * every list has its length and every index points into its list; afterwards nothing needs a further look.
 */

export const FORMAT = "spanlift.explanation";
export const VERSION = 1;

export interface Method {
  name: string;
  rule: string;
  reference: string;
  references: number;
  rules: Record<string, string>;
  complete?: boolean;
}

/** What the field calls it: its name, or `deep-shap` for DeepLIFT against several references. */
export function methodLabel(method: Method): string {
  return method.name === "deeplift" && method.references > 1 ? "deep-shap" : method.name;
}

export interface Explanation {
  format: string;
  version: number;
  model: { name: string; family: string; layers: number; heads: number; hidden: number };
  method: Method;
  question: string;
  passage: string;
  /** The part of the passage, in characters, that was explained; `index` from 0. */
  window: { index: number; count: number; start: number; end: number };
  answer: Answer;
  candidates: Candidate[];
  /** (S) */
  tokens: Token[];
  target: Target;
  /** The cuts at the input of each layer, then `output`; (L+1). */
  layers: LayerScores[];
  /** (S) */
  word_score: number[];
  word_sum: number;
  word_error: number;
  heads: {
    /** (L, A) */
    score: number[][];
    /** By query token; (L, A, S). */
    by_token: number[][][];
    /** (L) */
    residual: number[];
    /** (L) */
    error: number[];
  };
  /** (L) */
  mlp: number[];
  /** (L) */
  mlp_residual: number[];
  /** (L) */
  mlp_error: number[];
  top_edges: Edge[];
  completeness: { bound: number; worst: number; cut: string; holds: boolean };
}

export interface Answer {
  text: string;
  start: number | null;
  end: number | null;
  start_token: number;
  end_token: number;
  score: number;
  null_score: number;
  has_answer: boolean;
  probability: number;
}

export interface Candidate {
  text: string;
  start: number;
  end: number;
  window: number;
  start_token: number;
  end_token: number;
  score: number;
  probability: number;
}

export type Part = "special" | "question" | "passage";

export interface Token {
  text: string;
  id: number;
  part: Part;
  start: number | null;
  end: number | null;
}

export interface Target {
  kind: "span" | "start" | "end" | "margin" | "versus";
  start_token: number;
  end_token: number;
  versus?: { text: string; start_token: number; end_token: number } | null;
  value: number;
  reference_value: number;
  delta: number;
}

export interface LayerScores {
  name: string;
  /** (S) */
  score: number[];
  /** (S) */
  positive: number[];
  /** (S) */
  negative: number[];
  sum: number;
  error: number;
}

export interface Edge {
  /** From 1. */
  layer: number;
  /** From 1. */
  head: number;
  /** The token that looks. */
  query: number;
  /** The token that is looked at. */
  key: number;
  /** Contribution of where the head looks. */
  pattern: number;
  /** Contribution of what it carries from there. */
  content: number;
}

/** Why something is not an Explanation that can be shown. */
export class ReadError extends Error {}

/** An Explanation of this version, or a `ReadError` that names the field, what was expected and what was found. */
export function read(value: unknown): Explanation {
  if (typeof value !== "object" || value === null) {
    throw new ReadError(`expected an object with "format": "${FORMAT}", got ${describe(value)}`);
  }
  const head = value as { format?: unknown; version?: unknown };
  if (head.format !== FORMAT) throw new ReadError(`format: expected "${FORMAT}", got ${describe(head.format)}`);
  if (head.version !== VERSION) {
    throw new ReadError(`version: this viewer reads version ${VERSION}, got ${describe(head.version)}`);
  }
  check(value as Explanation);
  return value as Explanation;
}

/** The same from its JSON text. */
export function parse(json: string): Explanation {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new ReadError(`not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  return read(value);
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  const text = typeof value === "object" && value !== null ? "an object" : (JSON.stringify(value) ?? typeof value);
  return text.length > 60 ? text.slice(0, 60) + "…" : text;
}

function check(x: Explanation): void {
  object("model", x.model);
  const [L, A] = [count("model.layers", x.model.layers), count("model.heads", x.model.heads)];
  string("model.name", x.model.name);
  string("model.family", x.model.family);
  number("model.hidden", x.model.hidden);
  object("method", x.method);
  for (const key of ["name", "rule", "reference"] as const) string(`method.${key}`, x.method[key]);
  number("method.references", x.method.references);
  object("method.rules", x.method.rules);
  for (const [key, rule] of Object.entries(x.method.rules)) string(`method.rules.${key}`, rule);
  string("question", x.question);
  string("passage", x.passage);
  object("window", x.window);
  for (const key of ["index", "count", "start", "end"] as const) number(`window.${key}`, x.window[key]);

  const S = list("tokens", x.tokens, null);
  x.tokens.forEach((token, i) => {
    object(`tokens[${i}]`, token);
    string(`tokens[${i}].text`, token.text);
    if (!["special", "question", "passage"].includes(token.part)) bad(`tokens[${i}].part`, "a part", token.part);
    for (const key of ["start", "end"] as const) if (token[key] !== null) number(`tokens[${i}].${key}`, token[key]);
  });

  object("answer", x.answer);
  string("answer.text", x.answer.text);
  for (const key of ["score", "null_score", "probability"] as const) number(`answer.${key}`, x.answer[key]);
  span("answer", x.answer, S);
  list("candidates", x.candidates, null);
  x.candidates.forEach((candidate, i) => {
    object(`candidates[${i}]`, candidate);
    string(`candidates[${i}].text`, candidate.text);
    for (const key of ["window", "score", "probability"] as const) number(`candidates[${i}].${key}`, candidate[key]);
  });
  object("target", x.target);
  if (!["span", "start", "end", "margin", "versus"].includes(x.target.kind)) {
    bad("target.kind", "span, start, end, margin or versus", x.target.kind);
  }
  for (const key of ["value", "reference_value", "delta"] as const) number(`target.${key}`, x.target[key]);
  span("target", x.target, S);
  if (x.target.versus) {
    string("target.versus.text", x.target.versus.text);
    span("target.versus", x.target.versus, S);
  }

  list("layers", x.layers, L + 1);
  x.layers.forEach((layer, i) => {
    object(`layers[${i}]`, layer);
    const name = i === L ? "output" : String(i + 1);
    if (layer.name !== name) bad(`layers[${i}].name`, `"${name}"`, layer.name);
    for (const key of ["score", "positive", "negative"] as const) numbers(`layers[${i}].${key}`, layer[key], S);
    for (const key of ["sum", "error"] as const) number(`layers[${i}].${key}`, layer[key]);
  });
  numbers("word_score", x.word_score, S);
  number("word_sum", x.word_sum);
  number("word_error", x.word_error);

  object("heads", x.heads);
  list("heads.score", x.heads.score, L);
  x.heads.score.forEach((row, l) => numbers(`heads.score[${l}]`, row, A));
  list("heads.by_token", x.heads.by_token, L);
  x.heads.by_token.forEach((row, l) => {
    list(`heads.by_token[${l}]`, row, A);
    row.forEach((head, a) => numbers(`heads.by_token[${l}][${a}]`, head, S));
  });
  for (const key of ["residual", "error"] as const) numbers(`heads.${key}`, x.heads[key], L);
  for (const key of ["mlp", "mlp_residual", "mlp_error"] as const) numbers(key, x[key], L);

  list("top_edges", x.top_edges, null);
  x.top_edges.forEach((edge, i) => {
    object(`top_edges[${i}]`, edge);
    index(`top_edges[${i}].layer`, edge.layer, 1, L + 1);
    index(`top_edges[${i}].head`, edge.head, 1, A + 1);
    index(`top_edges[${i}].query`, edge.query, 0, S);
    index(`top_edges[${i}].key`, edge.key, 0, S);
    number(`top_edges[${i}].pattern`, edge.pattern);
    number(`top_edges[${i}].content`, edge.content);
  });
  object("completeness", x.completeness);
  number("completeness.bound", x.completeness.bound);
  number("completeness.worst", x.completeness.worst);
  string("completeness.cut", x.completeness.cut);
}

function bad(field: string, expected: string, got: unknown): never {
  throw new ReadError(`${field}: expected ${expected}, got ${describe(got)}`);
}

function object(field: string, value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) bad(field, "an object", value);
}

function string(field: string, value: unknown): void {
  if (typeof value !== "string") bad(field, "text", value);
}

function number(field: string, value: unknown): void {
  if (typeof value !== "number" || !Number.isFinite(value)) bad(field, "a number", value);
}

function count(field: string, value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) bad(field, "a count", value);
  return value as number;
}

function index(field: string, value: unknown, first: number, end: number): void {
  if (!Number.isInteger(value) || (value as number) < first || (value as number) >= end) {
    bad(field, `an index from ${first} to ${end - 1}`, value);
  }
}

function list(field: string, value: unknown, length: number | null): number {
  if (!Array.isArray(value)) bad(field, "a list", value);
  if (length !== null && value.length !== length) bad(field, `a list of ${length}`, value);
  return value.length;
}

function numbers(field: string, value: unknown, length: number): void {
  list(field, value, length);
  (value as unknown[]).forEach((item, i) => {
    if (typeof item !== "number" || !Number.isFinite(item)) bad(`${field}[${i}]`, "a number", item);
  });
}

function span(field: string, value: { start_token: number; end_token: number }, tokens: number): void {
  object(field, value);
  index(`${field}.end_token`, value.end_token, 0, tokens);
  index(`${field}.start_token`, value.start_token, 0, value.end_token + 1);
}
