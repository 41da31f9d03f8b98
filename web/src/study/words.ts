/**
 * What the tables' names mean to a reader, and figures as they are read.
 */

import { size } from "../number";

/** The roles in the order in which a reader meets them, each in a few words. */
export const ROLES: Readonly<Record<string, string>> = {
  cls: "the token [CLS], which stands for no answer",
  "question-sep": "the [SEP] after the question",
  "final-sep": "the [SEP] at the end",
  "question-word": "who, when, how …",
  "question-keyword": "a word of the question that carries its meaning",
  "question-other": "any other word of the question",
  punctuation: "punctuation, in the question or the passage",
  match: "a word of the passage that the question has too",
  answer: "the answer the model gives",
  sentence: "the rest of the answer's sentence",
  passage: "the rest of the passage",
};

const NAMES: Readonly<Record<string, string>> = {
  cls: "[CLS]",
  "question-sep": "[SEP] of the question",
  "final-sep": "[SEP] at the end",
  "question-word": "question word",
  "question-keyword": "question keyword",
  "question-other": "rest of the question",
  match: "match",
  sentence: "answer’s sentence",
  passage: "rest of the passage",
};

export function roleName(role: string): string {
  return Object.hasOwn(NAMES, role) ? (NAMES[role] ?? role) : role;
}

/** Roles as the page orders them; one that is unknown comes last. */
export function ordered(roles: readonly string[]): string[] {
  const known = Object.keys(ROLES);
  const place = (role: string) => (known.includes(role) ? known.indexOf(role) : known.length);
  return [...roles].sort((a, b) => place(a) - place(b));
}

const GROUPINGS: Readonly<Record<string, string>> = {
  all: "all questions",
  "question-type": "type of question",
  answered: "answer given or not",
  answerable: "answerable or not",
  right: "right or wrong",
  "answer-right": "answer right or wrong",
  article: "article",
  length: "length of the passage",
  digits: "density of digits",
  names: "density of names",
  overlap: "overlap with the question",
  place: "place of the answer",
};

export function groupingName(grouping: string): string {
  return Object.hasOwn(GROUPINGS, grouping) ? (GROUPINGS[grouping] ?? grouping) : grouping;
}

/** A group's name, where that of the table says too little by itself. */
export function groupName(grouping: string, group: string): string {
  const yes = /^(1|yes|true)$/.test(group);
  const no = /^(0|no|false)$/.test(group);
  if (yes || no) {
    if (grouping === "right") return yes ? "right" : "wrong";
    if (grouping === "answerable") return yes ? "answerable" : "not answerable";
    if (grouping === "answered") return yes ? "answer" : "no answer";
  }
  return group;
}

const REPRESENTATIONS: Readonly<Record<string, string>> = { profile: "layer profiles", heads: "head fingerprints", maps: "learned from the maps" };

export function representationName(name: string): string {
  return Object.hasOwn(REPRESENTATIONS, name) ? (REPRESENTATIONS[name] ?? name) : name;
}

/** A share: `37 %`, `4.2 %`, `<0.1 %`. */
export function percent(x: number): string {
  const value = 100 * x;
  const abs = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (abs === 0) return "0\u202f%";
  if (abs < 0.1) return `${sign === "" ? "<" : "−<"}0.1\u202f%`;
  return `${sign}${abs.toFixed(abs < 9.95 ? 1 : 0)}\u202f%`;
}

/** A count with its thousands apart. */
export function count(n: number): string {
  return Math.round(n).toLocaleString("en-GB");
}

/** A number with its sign only where it is negative. */
export function plain(x: number, significant = 3): string {
  return (x < 0 ? "−" : "") + size(x, significant);
}

/** `0.31 [0.29, 0.33]`: all three to the digits that the width of the interval tells apart. */
export function interval(mean: number | null, low: number | null, high: number | null): string {
  if (mean === null) return "no value";
  if (low === null || high === null) return plain(mean);
  const width = high - low;
  if (!(width > 0)) return `${plain(mean)} [${plain(low)}, ${plain(high)}]`;
  const places = Math.max(0, Math.min(6, Math.ceil(-Math.log10(width / 4) - 1e-6)));
  const write = (x: number) => {
    const text = Math.abs(x).toFixed(places);
    return x < 0 && Number(text) !== 0 ? `−${text}` : text;
  };
  return `${write(mean)} [${write(low)}, ${write(high)}]`;
}

/** One of several things in a sentence. */
export function listed(parts: readonly string[]): string {
  return parts.length < 2 ? (parts[0] ?? "") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** `1 question`, `12 questions`. */
export function counted(n: number, one: string): string {
  return `${count(n)} ${one}${n === 1 ? "" : "s"}`;
}
