// Makes the data of a report out of nothing: invented questions with planted shapes, the same for the same options.
//   node tests/study.mjs '{"questions": 2000}' > page.html
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROLES = ["cls", "question-sep", "final-sep", "question-word", "question-keyword", "question-other", "punctuation", "match", "answer", "sentence", "passage"];
const TYPES = ["what", "who", "when", "where", "how many", "why", "other"];
const NOUNS = "harbour mill lighthouse bridge canal orchard quarry ferry tower market brewery foundry workshop reservoir granary station".split(" ");
const NAMES = "Ida Marrow|Tomas Vell|Greta Olin|Piers Hawtrey|Anselm Rook|Mara Quill|Otto Lindqvist|Wren Castell".split("|");
const VERBS = "built rented repaired bought painted surveyed closed reopened".split(" ");

/** mulberry32: numbers from 0 to 1. */
function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const round = (x) => (x === null || !Number.isFinite(x) ? null : Number(x.toPrecision(6)));

/**
 * The weights of roles at depth 0..1 for a planted kind of question: separators first, then punctuation; keywords early and late; matches in the
 * middle, most for kind 1; the answer last, late for kind 2.
 */
function weights(kind, depth, right) {
  const late = kind === 2 ? 0.82 : kind === 1 ? 0.6 : 0.5;
  const answer = sigmoid((depth - late - (right ? 0 : 0.12)) * 14);
  const hump = (at, width) => Math.exp(-(((depth - at) / width) ** 2));
  return [
    0.05 + (kind === 2 ? 0.25 * hump(0.75, 0.25) : 0),
    0.9 * hump(0, 0.22) + 0.03,
    0.7 * hump(0, 0.25) + 0.04,
    0.12,
    0.35 * hump(0.05, 0.25) + (kind === 0 ? 0.35 : 0.2) * hump(0.9, 0.2) + 0.05,
    0.08,
    0.4 * hump(0.28, 0.18) + 0.04,
    (kind === 1 ? 0.9 : 0.3) * hump(0.5, 0.2) + 0.05,
    1.6 * answer + 0.04,
    0.35 * hump(0.65, 0.25) + 0.06,
    0.3 * (1 - answer) + 0.05,
  ];
}

/** Words with their offsets; words of more than seven letters are two pieces, and what is no letter is a piece of its own. */
function pieces(text) {
  const found = [];
  for (const { 0: word, index } of text.matchAll(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu)) {
    const start = [...text.slice(0, index)].length;
    const length = [...word].length;
    if (length > 7) found.push([start, start + 5, false], [start + 5, start + length, true]);
    else found.push([start, start + length, false]);
  }
  return found;
}
function packed(list) {
  let at = 0;
  return list.flatMap(([start, end, continues]) => {
    const gap = start - at;
    at = end;
    return [gap, 2 * (end - start) + (continues ? 1 : 0)];
  });
}

export const HOSTILE = `</script><script>alert(1)</script><img src=x onerror="alert(2)"><!-- \u2028 \u202eevil\u202c "'\`\${alert(3)} </spanlift-study>`;

export function synthesise(options = {}) {
  const { questions: N = 300, maps: M = 2000, layers: L = 6, heads: A = 12, seed = 1, clusters = true, claims = true, controls = true, noise = false, hostile = false, articles = 12, drop = [] } = options;
  const rnd = random(seed);
  const normal = () => (rnd() + rnd() + rnd() + rnd() - 2) * 1.7;
  const pick = (list) => list[Math.floor(rnd() * list.length)];
  const cuts = [...Array.from({ length: L }, (_, l) => String(l + 1)), "output"];
  const depth = (cut) => (L === 1 ? (cut === 0 ? 0.4 : 1) : cut / L);
  const titles = Array.from({ length: articles }, (_, i) => (hostile && i === 0 ? HOSTILE : `The ${NOUNS[i % NOUNS.length]} of ${["Saltmere", "Orwin", "Kessel", "Brackwater"][i % 4]}`));
  const passages = [];
  const specials = [[["[CLS]"], ["[SEP]"], ["[SEP]"]]];
  const list = [];
  const maps = [];

  for (let q = 0; q < N; q++) {
    const kind = noise ? 0 : [0, 0, 0, 0, 1, 1, 1, 2, 2][q % 9];
    const title = Math.floor((q / N) * titles.length);
    if (q % 6 === 0) {
      const lines = Array.from({ length: 3 + Math.floor(rnd() * 4) }, () => `In ${1700 + Math.floor(rnd() * 290)}, ${pick(NAMES)} ${pick(VERBS)} the old ${pick(NOUNS)} beside the ${pick(NOUNS)}, which was ${pick(VERBS)} again after the flood.`);
      passages.push(hostile && q === 0 ? `${HOSTILE} ${lines.join(" ")}` : lines.join(q % 18 === 0 ? "\n" : " "));
    }
    const passage = passages.length - 1;
    const type = TYPES[Math.floor(rnd() * (kind === 1 ? 3 : TYPES.length))];
    const answerable = rnd() < (kind === 2 ? 0.15 : 0.65);
    const answered = rnd() < (answerable ? 0.85 : 0.2);
    const right = answerable === answered && rnd() < 0.9;
    const question = hostile && q % 50 === 0 ? `${HOSTILE} ${q}?` : `${type.charAt(0).toUpperCase()}${type.slice(1)} ${pick(VERBS)} the ${pick(NOUNS)} beside the ${pick(NOUNS)}?`;
    // Shares of this question: the kind's weights, each shaken.
    const shares = cuts.map((_, cut) => {
      const w = weights(kind, depth(cut), right).map((x) => x * Math.exp(0.3 * normal()));
      const total = cut === L ? 0 : w.reduce((a, b) => a + b);
      return w.map((x, role) => (cut === L ? (role === 8 ? 1 : 0) : x / total));
    });
    const negative = cuts.map((_, cut) => {
      if (cut === L) return null;
      const w = ROLES.map((_, role) => (0.1 + (role === 10 ? 0.8 : 0) + (role === 9 ? 0.5 : 0)) * Math.exp(0.3 * normal()));
      const total = w.reduce((a, b) => a + b);
      return w.map((x) => x / total);
    });
    const attention = cuts.slice(0, L).map((_, cut) => {
      const d = depth(cut);
      const w = [0.1 + 0.3 * (1 - d), 0.2 + 0.5 * Math.exp(-(((d - 0.6) / 0.3) ** 2)), 0.2 + 0.5 * Math.exp(-(((d - 0.6) / 0.3) ** 2)), 0.05, 0.1, 0.05, 0.15, 0.08, 0.04 + 0.12 * d, 0.2, 0.4].map((x) => x * Math.exp(0.15 * normal()));
      const total = w.reduce((a, b) => a + b);
      return w.map((x) => x / total);
    });
    const length = 60 + Math.floor(rnd() * 200);
    const leads = answered ? (kind === 2 && rnd() < 0.3 ? null : Math.max(1, Math.min(L + 1, Math.round((kind === 2 ? 0.9 : 0.62) * L + normal() * 0.6 + 1)))) : null;
    list.push({ id: `q${String(q).padStart(5, "0")}`, kind, title, type, answerable, answered, right, length, shares, negative, attention, leads, passage, spread: shares.map((s) => Math.exp(-s.reduce((a, p) => a + (p > 0 ? p * Math.log(p) : 0), 0)) * (length / 30)) });
    if (maps.length < M) maps.push(mapOf(list.at(-1), question));
  }

  function mapOf(question, text) {
    const asked = pieces(text);
    const given = pieces(passages[question.passage]);
    const start = question.answered ? Math.floor(rnd() * Math.max(1, given.length - 4)) : 0;
    const S = 3 + asked.length + given.length;
    const offset = 2 + asked.length;
    const answer = question.answered ? [offset + start, offset + Math.min(given.length - 1, start + 1)] : [0, 0];
    const words = new Set(text.toLowerCase().match(/[\p{L}]{4,}/gu) ?? []);
    const roleOf = (i) => {
      if (question.answered && i >= answer[0] && i <= answer[1]) return 8;
      if (i === 0) return question.answered ? 0 : 8;
      if (i === offset - 1) return 1;
      if (i === S - 1) return 2;
      const inQuestion = i < offset;
      const [from, to] = inQuestion ? asked[i - 1] : given[i - offset];
      const word = [...(inQuestion ? text : passages[question.passage])].slice(from, to).join("").toLowerCase();
      if (!/[\p{L}\p{N}]/u.test(word)) return 6;
      if (inQuestion) return i === 1 ? 3 : words.has(word) ? 4 : 5;
      if (words.has(word)) return 7;
      return question.answered && Math.abs(i - answer[0]) < 12 ? 9 : 10;
    };
    const roles = Array.from({ length: S }, (_, i) => roleOf(i));
    const count = ROLES.map((_, role) => roles.filter((other) => other === role).length);
    const levels = new Int8Array(S * cuts.length);
    const scales = cuts.map((_, cut) => {
      const scores = roles.map((role) => (10 * ((question.shares[cut][role] / count[role]) * Math.exp(0.6 * normal()) - (cut === L ? 0 : 0.35 * ((question.negative[cut]?.[role] ?? 0) / count[role]) * Math.exp(0.6 * normal())))));
      const scale = Math.max(...scores.map(Math.abs));
      scores.forEach((x, i) => (levels[cut * S + i] = scale > 0 ? Math.round((127 * x) / scale) : 0));
      return round(scale);
    });
    const characters = [...passages[question.passage]];
    const span = question.answered ? characters.slice(given[start][0], given[answer[1] - offset][1]).join("") : "";
    return {
      id: question.id,
      title: question.title,
      question: text,
      tokens: packed(asked),
      passage: question.passage,
      specials: 0,
      roles: roles.map((role) => String.fromCharCode(97 + role)).join(""),
      answer,
      has_answer: question.answered,
      answer_text: span,
      gold: question.answerable ? (question.right ? [span] : [pick(NAMES), pick(NAMES)]) : [],
      scales,
      scores: Buffer.from(levels.buffer).toString("base64"),
    };
  }

  // Groups.
  const terciles = (name, of) => {
    const sorted = list.map(of).sort((a, b) => a - b);
    const [low, high] = [sorted[Math.floor(N / 3)], sorted[Math.floor((2 * N) / 3)]];
    return [name, (q) => (of(q) <= low ? `low: ≤ ${low}` : of(q) <= high ? `middle: to ${high}` : `high: > ${high}`)];
  };
  const groupings = [
    ["all", () => "all"],
    ["question-type", (q) => q.type],
    ["answered", (q) => (q.answered ? "answer" : "no answer")],
    ["answerable", (q) => (q.answerable ? "yes" : "no")],
    ["right", (q) => (q.right ? "right" : "wrong")],
    ["answer-right", (q) => (!q.answered ? null : q.right ? "right" : "wrong")],
    ["article", (q) => titles[q.title]],
    terciles("length", (q) => q.length),
  ];
  const groups = groupings.flatMap(([grouping, of]) => {
    const found = new Map();
    for (const question of list) if (of(question) !== null) found.set(of(question), [...(found.get(of(question)) ?? []), question]);
    return [...found].filter(([, members]) => grouping !== "article" || members.length >= 20).map(([group, members]) => ({ grouping, group, members }));
  });
  const interval = (values) => {
    const known = values.filter((x) => x !== null);
    if (known.length === 0) return { mean: null, low: null, high: null };
    const mean = known.reduce((a, b) => a + b, 0) / known.length;
    const deviation = Math.sqrt(known.reduce((a, b) => a + (b - mean) ** 2, 0) / Math.max(1, known.length - 1));
    const half = (1.96 * deviation) / Math.sqrt(known.length);
    return { mean: round(mean), low: round(mean - half), high: round(mean + half) };
  };
  const distance = (p, q) => {
    const half = (a, b) => a.reduce((sum, x, i) => sum + (x > 0 ? x * Math.log2(x / ((x + b[i]) / 2)) : 0), 0);
    return Math.sqrt(Math.max(0, (half(p, q) + half(q, p)) / 2));
  };

  const tables = [];
  const table = (name, about, rows) => {
    const names = Object.keys(rows[0] ?? {});
    const kindOf = (values) => {
      const value = values.find((x) => x !== null);
      return typeof value === "string" ? "text" : typeof value === "boolean" ? "truth" : values.every((x) => x === null || Number.isInteger(x)) ? "integer" : "number";
    };
    tables.push({ name, about, rows: rows.length, columns: names.map((column) => ({ name: column, kind: kindOf(rows.map((row) => row[column])), values: rows.map((row) => row[column]) })) });
  };
  const at = (kind) => [[-2, 0], [2.4, 1.6], [1.6, -2.2]][kind];
  const place = (kind, size) => (noise ? [normal() * 2, normal() * 2] : [at(kind)[0] * size + normal(), at(kind)[1] * size + normal()]);
  const clusterOf = (q) => (noise ? 1 + Math.floor(rnd() * 2) : rnd() < 0.03 ? null : q.kind + 1);
  for (const question of list) Object.assign(question, { pca: place(question.kind, 1), tsne: place(question.kind, 4), profile: clusterOf(question), fingerprint: noise ? 1 : rnd() < 0.5 ? 1 : 2 });
  table(
    "questions",
    "A question of the run.",
    list.map((q) => ({
      id: q.id, title: titles[q.title], question_type: q.type, answered: q.answered, answerable: q.answerable, exact: q.right, f1: q.right ? 1 : round(rnd() < 0.5 ? 0 : rnd()), probability: round(0.2 + 0.8 * rnd()),
      passage_tokens: q.length, digits: round(rnd() * 0.1), names: round(rnd() * 0.2), overlap: round(rnd()), place: q.answered ? round(rnd()) : null, leads_cut: q.leads, order_tau: round(rnd() * 2 - 1),
      x_pca: round(q.pca[0]), y_pca: round(q.pca[1]), x_tsne: round(q.tsne[0]), y_tsne: round(q.tsne[1]),
      ...(clusters ? { cluster_profile: q.profile, cluster_heads: q.fingerprint } : {}),
    })),
  );
  const shares = [];
  for (const { grouping, group, members } of groups) {
    for (const [source, measure, of] of [["deeplift", "positive", (q) => q.shares], ["deeplift", "negative", (q) => q.negative], ["deeplift", "absolute", (q) => q.shares.map((s, c) => s.map((x, r) => (q.negative[c] ? 0.7 * x + 0.3 * q.negative[c][r] : x)))], ["attention", "absolute", (q) => q.attention]]) {
      const each = members.map(of);
      cuts.slice(0, source === "attention" ? L : L + 1).forEach((cut, c) => {
        ROLES.forEach((role, r) => shares.push({ grouping, group, source, measure, cut, role, questions: members.length, ...interval(each.map((s) => s[c]?.[r] ?? null)) }));
      });
    }
  }
  const counted = [1, 1, 1, 1, 3, 5, 14, 6, 2, 18, 90];
  for (const { grouping, group, members } of groups) {
    ROLES.forEach((role, r) => shares.push({ grouping, group, source: "tokens", measure: "absolute", cut: "tokens", role, questions: members.length, mean: round(counted[r] / 142), low: round(counted[r] / 150), high: round(counted[r] / 135) }));
  }
  table("shares", "The share of a role's tokens in the scores of a cut: mean over questions.", shares);
  const both = (of) => groups.flatMap((group) => ["deeplift", "attention"].flatMap((source) => of(group, source)));
  const head = ({ grouping, group }, source) => ({ grouping, group, source });
  table("spread", "The effective number of tokens.", both((g, source) => cuts.slice(0, source === "attention" ? L : L + 1).map((cut, c) => ({ ...head(g, source), cut, questions: g.members.length, ...interval(g.members.map((q) => (source === "attention" ? 40 + q.length / 10 : q.spread[c]))) }))));
  if (L > 1) table("shift", "The distance of neighbouring cuts.", both((g, source) => cuts.slice(1, source === "attention" ? L : L + 1).map((cut, c) => ({ ...head(g, source), from: cuts[c], to: cut, questions: g.members.length, ...interval(g.members.map((q) => { const s = source === "attention" ? q.attention : q.shares; return distance(s[c], s[c + 1]); })) }))));
  table("leads", "Where the answer leads first.", groups.flatMap((g) => {
    const members = g.members.filter((q) => q.answered);
    return [...cuts, "never"].map((cut, c) => ({ ...head(g, "deeplift"), cut, questions: members.length, ...interval(members.map((q) => (c === L + 1 ? (q.leads === null ? 1 : 0) : q.leads === c + 1 ? 1 : 0))) }));
  }));
  table("heads", "The score through a head.", Array.from({ length: L * A }, (_, i) => { const mean = normal() * 0.02 * (1 + Math.floor(i / A) / L) + (i % 17 === 3 ? 0.08 : 0); return { grouping: "all", group: "all", layer: 1 + Math.floor(i / A), head: 1 + (i % A), questions: N, mean: round(mean), low: round(mean - 0.004), high: round(mean + 0.004) }; }));
  if (claims) {
    const statement = { a: "The first layers focus on separators, then on punctuation.", b: "Question keywords matter early, are dropped in the middle, and come back in the last layers.", c: "The spread narrows to the answer in the final layers.", d: "Keywords, matches, the answer's sentence and the answer peak in the order in which a person reads." };
    const control = (mean, on, name) => ({ [`${name}_mean`]: on ? round(mean) : null, [`${name}_low`]: on ? round(mean - 0.03) : null, [`${name}_high`]: on ? round(mean + 0.03) : null });
    const row = (claim, statistic, meaning, measure, expected, mean, half, spans, weights, outcome) => ({ claim, statement: statement[claim], statistic, meaning, measure, expected, questions: N, mean, low: round(mean - half), high: round(mean + half), ...control(spans, controls, "spans"), ...control(weights, controls, "weights"), outcome });
    table("claims", "A statistic of a claim.", [
      row("a", "separators_first", "share on separators, first third minus last third", "positive", "> 0", 0.31, 0.02, 0.06, 0.22, "yes"),
      row("a", "punctuation_second", "share on punctuation, second third minus first third", "positive", "> 0", 0.05, 0.01, 0.02, 0.05, "yes"),
      row("a", "separators_first_absolute", "share on separators, first third minus last third", "absolute", "> 0", 0.24, 0.02, 0.03, 0.19, "yes"),
      row("b", "early_over_middle", "share on keywords, first third minus middle third", "positive", "> 0", 0.08, 0.01, 0.05, 0.06, "yes"),
      row("b", "late_over_middle", "share on keywords, last third minus middle third", "positive", "> 0", -0.01, 0.02, -0.02, 0.03, "unclear"),
      row("c", "narrows", "effective number of tokens, first layer minus last", "absolute", "> 0", 21.5, 1.2, 4.1, 16.2, "yes"),
      row("d", "order", "Kendall τ of the order of the peaks", "positive", "> 0", -0.12, 0.03, -0.2, -0.11, "no"),
    ]);
    table("verdicts", "What the statistics say together.", [["a", "holds", "both statistics have the expected sign, also against both controls"], ["b", "mixed", "keywords do fall, but do not come back"], ["c", "holds", "the statistic has the expected sign, also against both controls"], ["d", "does not", "the order is another one"]].map(([claim, verdict, why]) => ({ claim, statement: statement[claim], verdict, why })));
  }
  if (clusters) {
    const verdict = noise ? "noise" : "structure";
    const kinds = [["profile", "k-means", (q) => q.profile, noise ? 2 : 3, verdict], ["heads", "k-means", (q) => q.fingerprint, noise ? 1 : 2, "noise"]];
    table("clusterings", "A clustering.", kinds.map(([representation, algorithm, of, k, verdict]) => ({ representation, algorithm, questions: N, k, noise: list.filter((q) => of(q) === null).length, silhouette: verdict === "noise" ? 0.06 : 0.41, stability: verdict === "noise" ? 0.31 : 0.94, chance: "cloud", chance_silhouette: 0.07, chance_high: 0.09, bar: 0.1, verdict })));
    table("k", "A k that was tried.", kinds.flatMap(([representation, algorithm, , best]) => [2, 3, 4, 5, 6, 7, 8].map((k) => ({ representation, algorithm, k, silhouette: round(0.4 - 0.05 * Math.abs(k - best)) }))));
    const each = kinds.flatMap(([representation, algorithm, of, k, verdict]) => Array.from({ length: k }, (_, c) => ({ representation, algorithm, cluster: c + 1, verdict, members: list.filter((q) => of(q) === c + 1) }))).filter(({ members }) => members.length > 0);
    const name = ({ representation, algorithm, cluster }) => ({ representation, algorithm, cluster });
    const part = (members, is) => round(members.filter(is).length / members.length);
    table("clusters", "A cluster.", each.map((c) => ({ ...name(c), questions: c.members.length, share: round(c.members.length / N), silhouette: c.verdict === "noise" ? 0.05 : 0.3 + 0.1 * c.cluster, bar: 0.2, stability: c.verdict === "noise" ? 0.3 : 0.9, verdict: c.verdict, exact: part(c.members, (q) => q.right), f1: part(c.members, (q) => q.right), answered: part(c.members, (q) => q.answered), answerable: part(c.members, (q) => q.answerable) })));
    table("medoids", "A typical question.", each.flatMap((c) => c.members.slice(0, 5).map((q, i) => ({ ...name(c), rank: i + 1, id: q.id, question_type: q.type, answered: q.answered, exact: q.right }))));
    table("features", "What sets a cluster apart.", each.flatMap((c) => Array.from({ length: 10 }, (_, i) => { const role = (i * 5 + c.cluster * 3) % ROLES.length; const cut = i % (L + 1); const mean = interval(c.members.map((q) => q.shares[cut][role])).mean; const elsewhere = interval(list.filter((q) => !c.members.includes(q)).map((q) => q.shares[cut][role])).mean ?? 0; return { ...name(c), rank: i + 1, feature: c.representation === "heads" ? `head ${1 + (i % L)} ${1 + role}` : `positive ${cuts[cut]} ${ROLES[role]}`, mean, elsewhere, effect: round(2.4 * Math.sign(mean - elsewhere || 1) * (1 - i / 12)) }; })));
    table("lifts", "Kinds of question in a cluster.", each.flatMap((c) => groups.filter(({ grouping }) => grouping !== "all").map(({ grouping, group, members }) => { const inside = members.filter((q) => c.members.includes(q)).length; const lift = inside / c.members.length / (members.length / N); return { ...name(c), grouping, group, questions: inside, share: round(inside / c.members.length), lift: round(lift), low: round(lift * 0.8), high: round(lift * 1.25), adjusted_p: Math.abs(Math.log(lift)) > 0.25 ? 0.01 : 0.4 }; })));
    table("cluster_shares", "The mean shares of a cluster.", each.flatMap((c) => [["deeplift", "positive", "shares"], ["deeplift", "negative", "negative"]].flatMap(([source, measure, of]) => cuts.flatMap((cut, i) => ROLES.map((role, r) => ({ ...name(c), source, measure, cut, role, mean: interval(c.members.map((q) => q[of][i]?.[r] ?? null)).mean }))))));
  }
  return {
    format: "spanlift.study",
    version: 1,
    facts: {
      run: hostile ? HOSTILE : "harbour-run", model: "invented-l6", family: "bert", layers: L, heads: A, method: "deeplift, rescale", reference: "mask", data: "harbour.json", questions: N, version: "0.1.0",
      options: [["seed", String(seed)], ["bootstraps", "1000"]], controls: { spans: controls, weights: controls },
    },
    tables: tables.filter(({ name }) => !drop.includes(name)),
    missing: [
      { table: "claims", how: "`spanlift study claims` tests them." },
      { table: "clusterings", how: "`spanlift study cluster` makes them." },
    ],
    roles: ROLES,
    titles,
    passages: passages.map((text) => ({ text, tokens: packed(pieces(text)) })),
    specials,
    maps,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { study } = await import("../tools/page.mjs");
  const script = readFileSync(new URL("../dist/spanlift-study.js", import.meta.url), "utf8");
  process.stdout.write(study(JSON.stringify(synthesise(JSON.parse(process.argv[2] ?? "{}"))), { script }));
}
