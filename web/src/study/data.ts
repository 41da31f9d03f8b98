/**
 * What the report's page is made of, read and checked in one place: facts, tables, and the maps of the questions.
 *
 *     JSON ──> parse ──> Data { facts, tables, questions' maps still packed }
 *                                               └─> unpack.ts, when one is opened
 *
 * A column is written plainly, or by the places of its values in a dictionary, or by lengths of runs: whichever is short.
 */

export const FORMAT = "spanlift.study";
export const VERSION = 1;

export type Value = string | number | boolean | null;
export type Kind = "text" | "integer" | "number" | "truth";

export interface Facts {
  run: string;
  model: string;
  family: string;
  layers: number;
  heads: number;
  method: string;
  reference: string;
  data: string;
  /** Questions of the run. */
  questions: number;
  /** The program's version. */
  version: string;
  /** Further lines of what was chosen: name and value. */
  options: readonly (readonly [string, string])[];
  /** Which controls the claims were set against. */
  controls: { spans: boolean; weights: boolean };
}

/** A map as it is in the file. */
export interface Packed {
  id: string;
  title: number;
  question: string;
  /** For each token: characters since the end of the one before, and twice its length plus whether it continues its word. */
  tokens: readonly number[];
  passage: number;
  specials: number;
  /** A letter a token, from `a`: the place in `roles`. */
  roles: string;
  /** First and last token. */
  answer: readonly [number, number];
  has_answer: boolean;
  answer_text: string;
  gold: readonly string[];
  /** The largest |score| of each cut. */
  scales: readonly number[];
  /** Bytes in base64: the scores of each cut in turn, in 127ths of its scale. */
  scores: string;
}

/** What maps share with each other. */
export interface Shared {
  roles: readonly string[];
  titles: readonly string[];
  passages: readonly { text: string; tokens: readonly number[] }[];
  /** Special tokens before the question, between it and the passage, and after. */
  specials: readonly (readonly (readonly string[])[])[];
}

export interface Data extends Shared {
  facts: Facts;
  tables: readonly Table[];
  /** What would make a table that is not there. */
  missing: ReadonlyMap<string, string>;
  maps: ReadonlyMap<string, Packed>;
}

export interface Column {
  name: string;
  kind: Kind;
  values: readonly Value[];
}

/** Columns of equal length. */
export class Table {
  readonly #indices = new Map<string, Map<string, number[]>>();

  constructor(
    readonly name: string,
    readonly about: string,
    readonly rows: number,
    readonly columns: readonly Column[],
  ) {}

  column(name: string): Column | undefined {
    return this.columns.find((column) => column.name === name);
  }

  get(row: number, name: string): Value {
    return this.column(name)?.values[row] ?? null;
  }

  number(row: number, name: string): number | null {
    const value = this.get(row, name);
    return typeof value === "number" ? value : null;
  }

  /** The value as text; empty for null. */
  text(row: number, name: string): string {
    const value = this.get(row, name);
    return value === null ? "" : String(value);
  }

  /** The different values of a column as texts, in order of appearance; null is left out. */
  distinct(name: string, rows?: readonly number[]): string[] {
    const values = this.column(name)?.values ?? [];
    const found = new Set<string>();
    const add = (value: Value | undefined) => value !== null && value !== undefined && found.add(String(value));
    if (rows) for (const row of rows) add(values[row]);
    else for (const value of values) add(value);
    return [...found];
  }

  /** The rows with these values, compared as texts; of a table without one of these columns none. */
  where(values: Record<string, string | number>): readonly number[] {
    const names = Object.keys(values);
    const key = names.join("\n");
    let index = this.#indices.get(key);
    if (!index) {
      index = new Map();
      const columns = names.map((name) => this.column(name)?.values);
      if (columns.every((column) => column !== undefined)) {
        for (let row = 0; row < this.rows; row++) {
          const at = columns.map((column) => String(column?.[row] ?? "")).join("\n");
          const rows = index.get(at);
          if (rows) rows.push(row);
          else index.set(at, [row]);
        }
      }
      this.#indices.set(key, index);
    }
    return index.get(Object.values(values).map(String).join("\n")) ?? [];
  }
}

/** Whether a value means yes; none where there is no value. */
export function truth(value: Value): boolean | null {
  return value === null ? null : typeof value === "string" ? value === "yes" || value === "true" : Number(value) > 0;
}

/** The JSON of a page, or an error that says that it is none. */
export function parse(text: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new Error(`the report's data is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return record(json, "the data");
}

/** The head that all kinds of page have: format and version, and facts with these numbers. */
export function head(root: Record<string, unknown>, format: string, version: number): Record<string, unknown> {
  if (root["format"] !== format) throw new Error(`format: expected ${format}, got ${String(root["format"])}`);
  if (root["version"] !== version) throw new Error(`version: expected ${version}, got ${String(root["version"])}`);
  const facts = record(root["facts"], "facts");
  for (const name of ["layers", "heads", "questions"]) if (typeof facts[name] !== "number") throw new Error(`facts.${name}: expected a number`);
  return facts;
}

/** A list, or an error that names it. */
export function listOf(root: Record<string, unknown>, name: string): unknown[] {
  if (!Array.isArray(root[name])) throw new Error(`${name}: expected a list`);
  return root[name];
}

export function tablesOf(root: Record<string, unknown>): Table[] {
  return listOf(root, "tables").map((table, i) => tableOf(record(table, `tables[${i}]`)));
}

export function sharedOf(root: Record<string, unknown>): Shared {
  const list = (name: string) => listOf(root, name);
  return {
    roles: list("roles") as string[],
    titles: list("titles") as string[],
    passages: list("passages") as Shared["passages"],
    specials: list("specials") as Shared["specials"],
  };
}

/** The data, or an error that names the field. */
export function read(json: unknown): Data {
  const root = record(json, "the data");
  const facts = head(root, FORMAT, VERSION) as unknown as Facts;
  const list = (name: string) => listOf(root, name);
  const maps = list("maps") as Packed[];
  const missing = list("missing") as { table: string; how: string }[];
  return {
    facts,
    tables: tablesOf(root),
    missing: new Map(missing.map(({ table, how }) => [table, how])),
    ...sharedOf(root),
    maps: new Map(maps.map((map) => [map.id, map])),
  };
}

function record(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${name}: expected an object`);
  return value as Record<string, unknown>;
}

function tableOf(json: Record<string, unknown>): Table {
  const name = String(json["name"]);
  const rows = Number(json["rows"]);
  if (!Array.isArray(json["columns"])) throw new Error(`table ${name}: columns: expected a list`);
  const columns = json["columns"].map((value): Column => {
    const column = value as { name: string; kind: Kind; dict?: Value[]; values?: Value[]; runs?: Value[] };
    const written = column.runs ? unrolled(column.runs) : (column.values ?? []);
    const { dict } = column;
    const values = dict ? written.map((place) => (place === null ? null : (dict[Number(place)] ?? null))) : written;
    if (values.length !== rows) throw new Error(`table ${name}, column ${column.name}: expected ${rows} values, got ${values.length}`);
    return { name: column.name, kind: column.kind, values };
  });
  return new Table(name, String(json["about"] ?? ""), rows, columns);
}

/** `[value, count, value, count, …]`. */
function unrolled(runs: readonly Value[]): Value[] {
  const values: Value[] = [];
  for (let i = 0; i < runs.length; i += 2) {
    const value = runs[i] ?? null;
    for (let n = Number(runs[i + 1]); n > 0; n--) values.push(value);
  }
  return values;
}
