// Makes a large explanation out of a small one, for tests of speed and layout: its passage again and again, its
// layers and heads in turn. The numbers are the small one's, so the sums do not hold; it says so of itself.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export function synthesise(small, { tokens: S, layers: L, heads: A }) {
  const first = small.tokens.findIndex(({ part }) => part === "passage");
  const last = small.tokens.findLastIndex(({ part }) => part === "passage");
  const length = [...small.passage].length;
  // For each token of the large one, the token of the small one and how often the passage was repeated before.
  const from = Array.from({ length: S }, (_, i) => {
    if (i === S - 1) return { token: small.tokens.length - 1, round: 0 };
    if (i < first) return { token: i, round: 0 };
    const n = last - first + 1;
    return { token: first + ((i - first) % n), round: Math.floor((i - first) / n) };
  });
  const wave = (i) => 0.35 + 0.65 * Math.cos(i * 1.7) ** 2;
  const spread = (list) => from.map(({ token, round }, i) => Math.fround(list[token] * (round ? wave(i) * (round % 2 ? -0.6 : 0.8) : 1)));
  const rounds = 1 + Math.max(...from.map(({ round }) => round));
  const layer = (l) => Math.min(small.model.layers - 1, Math.floor((l * small.model.layers) / L));
  return {
    ...small,
    model: { ...small.model, name: `${small.model.name}, repeated`, layers: L, heads: A },
    passage: small.passage.repeat(rounds),
    window: { index: 0, count: 1, start: 0, end: length * rounds },
    tokens: from.map(({ token, round }) => {
      const { start, end, ...rest } = small.tokens[token];
      const by = rest.part === "passage" ? round * length : 0;
      return { ...rest, start: start === null ? null : start + by, end: end === null ? null : end + by };
    }),
    layers: Array.from({ length: L + 1 }, (_, l) => {
      const { score, positive, negative, ...rest } = small.layers[l === L ? small.model.layers : layer(l)];
      return { ...rest, name: l === L ? "output" : String(l + 1), score: spread(score), positive: spread(positive), negative: spread(negative) };
    }),
    word_score: spread(small.word_score),
    heads: {
      score: Array.from({ length: L }, (_, l) => Array.from({ length: A }, (_, a) => small.heads.score[layer(l)][a % small.model.heads])),
      by_token: Array.from({ length: L }, (_, l) =>
        Array.from({ length: A }, (_, a) => spread(small.heads.by_token[layer(l)][a % small.model.heads])),
      ),
      residual: Array.from({ length: L }, (_, l) => small.heads.residual[layer(l)]),
      error: Array.from({ length: L }, (_, l) => small.heads.error[layer(l)]),
    },
    mlp: Array.from({ length: L }, (_, l) => small.mlp[layer(l)]),
    mlp_residual: Array.from({ length: L }, (_, l) => small.mlp_residual[layer(l)]),
    mlp_error: Array.from({ length: L }, (_, l) => small.mlp_error[layer(l)]),
    completeness: { ...small.completeness, worst: 0.5, cut: "words", holds: false },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file, tokens, layers, heads] = process.argv.slice(2);
  if (!heads) {
    console.error("usage: node tools/synthesise.mjs SMALL.json TOKENS LAYERS HEADS > LARGE.json");
    process.exit(2);
  }
  const small = JSON.parse(readFileSync(file, "utf8"));
  process.stdout.write(JSON.stringify(synthesise(small, { tokens: +tokens, layers: +layers, heads: +heads })) + "\n");
}
