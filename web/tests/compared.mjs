// Makes the data of a comparison's page out of nothing: invented methods whose curves are apart by as much as their places.
export const METHODS = ["deeplift", "deep-shap", "gradient-x-input", "integrated-gradients", "lrp", "occlusion", "attention", "rollout", "random"];

const CURVE = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100];
const SHARES = [1, 5, 10, 20, 50];
const STAGES = ["head", "layer 6", "layer 5", "layer 4", "layer 3", "layer 2", "layer 1", "embeddings"];

function table(name, about, names, rows) {
  const kind = (value) => (typeof value === "string" ? "text" : "number");
  const columns = names.map((column, i) => ({
    name: column,
    kind: kind(rows.find((row) => row[i] !== null)?.[i]),
    values: rows.map((row) => row[i]),
  }));
  return { name, about, rows: rows.length, columns };
}

/** `methods`: their names; `examples`: how many questions; `words`: of each passage. */
export function synthesise({ methods = METHODS, examples = 6, words = 120, sanity = true } = {}) {
  const last = Math.max(1, methods.length - 1);
  // 1 for the first method, 0 for the last.
  const quality = (m) => 1 - m / last;
  const around = (mean) => [mean, mean - 0.5, mean + 0.5, 400];
  const faithfulness = [];
  for (const [grouping, groups] of [["all", ["all"]], ["question-type", ["what", "who"]], ["answered", ["answer", "no answer"]], ["answerable", ["yes", "no"]], ["right", ["right", "wrong"]]]) {
    groups.forEach((group, g) => {
      methods.forEach((method, m) => {
        const add = (metric, removal, at, better, mean) => faithfulness.push([grouping, group, metric, removal, at, method, better, ...around(mean - g)]);
        for (const removal of ["mask", "delete"]) {
          add("deletion-area", removal, null, "high", 4 + 10 * quality(m));
          add("insertion-area", removal, null, "high", 3 + 8 * quality(m));
          for (const at of CURVE) {
            add("deletion", removal, at, "high", 14 * (at / 100) ** (0.2 + m / 6));
            add("insertion", removal, at, "high", 12 * (at / 100) ** (0.2 + m / 6) - (at < 30 ? m / 3 : 0));
          }
          for (const at of SHARES) {
            add("comprehensiveness", removal, at, "high", 12 * quality(m) * (at / 50) ** 0.5);
            add("sufficiency", removal, at, "low", 14 - 12 * quality(m) * (at / 50) ** 0.5);
          }
        }
        add("completeness", "", null, "low", m === 0 ? 2e-7 : m / 4);
        add("seconds", "", null, "low", 0.05 * (m + 1));
        add("forward", "", null, "low", m + 2);
        add("backward", "", null, "low", m + 1);
      });
    });
  }
  const pairs = [];
  methods.forEach((method, m) =>
    methods.slice(m + 1).forEach((other, i) => pairs.push(["deletion-area", "mask", null, method, other, "high", ...around(10 * (quality(m) - quality(m + 1 + i))), ...(i === 0 ? [0.2, 0.4] : [0.0001, 0.0005])])),
  );
  const agreement = [];
  for (const metric of ["overlap", "pearson", "spearman"]) {
    methods.forEach((method, m) => methods.forEach((other, o) => m !== o && agreement.push([metric, null, method, other, ...around(1 - Math.abs(m - o) / last)])));
  }
  const checks = [];
  for (const metric of ["randomised", "randomised-size"]) {
    methods.forEach((method, m) => STAGES.forEach((stage, s) => checks.push([metric, s + 1, method, stage, ...around(m === last ? 1 : 0.8 - 0.15 * s)])));
  }
  for (const method of methods.slice(0, 2)) for (const other of ["pad", "zero"]) checks.push(["reference", null, method, other, ...around(0.5)]);
  const measured = ["mean", "low", "high", "questions"];
  const tables = [
    table("faithfulness", "The mean of a metric under a method.", ["grouping", "group", "metric", "removal", "at", "method", "better", ...measured], faithfulness),
    table("agreement", "The mean agreement of two methods.", ["metric", "at", "method", "other", ...measured], agreement),
    table("sanity", "Correlation with other scores.", ["metric", "at", "method", "other", ...measured], sanity ? checks : []),
    table("pairs", "Methods against each other.", ["metric", "removal", "at", "method", "other", "better", ...measured, "p", "adjusted_p"], pairs),
  ];
  const nouns = "harbour mill lighthouse bridge canal orchard quarry ferry tower market".split(" ");
  return {
    format: "spanlift.compared",
    version: 1,
    facts: {
      model: "tiny",
      family: "bert",
      layers: 6,
      heads: 12,
      data: "harbour.json",
      questions: 400,
      reference: "mask",
      version: "0.1.0",
      options: [["resamples", "1000"]],
      methods: methods.map((name, m) => ({ name, label: name.split(" ")[0], rule: "rescale", reference: "mask", complete: m === 0 })),
    },
    tables,
    examples: Array.from({ length: examples }, (_, e) => {
      const text = [
        { part: "special", before: "", text: "[CLS]", answer: false },
        ...["Who", "built", "the", nouns[e % nouns.length], "?"].map((text, i) => ({ part: "question", before: i === 0 || text === "?" ? "" : " ", text, answer: false })),
        ...Array.from({ length: words }, (_, i) => ({ part: "passage", before: i === 0 ? "" : " ", text: nouns[(i * 7 + e) % nouns.length], answer: e < 4 && i === 3 })),
      ];
      return {
        id: `q${e}`,
        title: "Harbours",
        answer: e < 4 ? text[9].text : "",
        has_answer: e < 4,
        gold: e % 2 === 0 ? ["mill"] : [],
        exact: e % 2 === 0,
        words: text,
        methods: methods.map((name, m) => ({
          name,
          scores: text.map((_, i) => Math.sin(i * (m + 1))),
          delta: 10,
          error: m === 0 ? 1e-6 : m,
          complete: m === 0,
        })),
      };
    }),
  };
}
