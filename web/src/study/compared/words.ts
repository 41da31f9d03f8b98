/**
 * What each method is, in a sentence.
 */

import type { MethodFacts } from "./data";

const ABOUT: Readonly<Record<string, string>> = {
  deeplift: "multipliers of one walk back, times the difference to the reference: they share out the change exactly",
  "deep-shap": "the mean of DeepLIFT over several references",
  "gradient-x-input": "the gradient times the difference to the reference",
  "integrated-gradients": "the gradient in the mean along the path from the reference, times the difference",
  lrp: "relevance handed back layer by layer (AttnLRP), without a reference",
  occlusion: "what the target loses when the word alone is replaced",
  attention: "where the answer’s tokens look, in the mean of the heads",
  rollout: "the same, multiplied from the output down",
  random: "noise: the floor",
};

export function about({ label, rule, reference }: MethodFacts): string {
  const text = Object.hasOwn(ABOUT, label) ? (ABOUT[label] ?? "") : "";
  const more = [rule ? `rule ${rule}` : "", reference && reference !== "none" ? `reference ${reference}` : ""].filter(Boolean).join(", ");
  return [text, more].filter(Boolean).join("; ");
}
