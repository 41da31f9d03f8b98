// Makes one self-contained page from an explanation or a study: node tools/page.mjs EXPLANATION.json > PAGE.html
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const built = (tag) => readFileSync(new URL(`../dist/${tag}.js`, import.meta.url), "utf8");

/** The page of an explanation, in the shape in which the program writes it. */
export function page(json, { attributes = "", script = built("spanlift-explanation"), title = "Explanation" } = {}) {
  return around("spanlift-explanation", json, attributes, script, title);
}

/** The page of a study. */
export function study(json, { attributes = "", script = built("spanlift-study"), title = "Study" } = {}) {
  return around("spanlift-study", json, attributes, script, title);
}

function around(tag, json, attributes, script, title) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</title>
<style>body { margin: 0 }</style>
</head>
<body>
<${tag} ${attributes}><script type="application/json">${json.replaceAll("<", "\\u003c")}</script></${tag}>
<script>
${script}</script>
</body>
</html>
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [file] = process.argv.slice(2);
  if (!file) {
    console.error("usage: node tools/page.mjs EXPLANATION.json > PAGE.html");
    process.exit(2);
  }
  const json = readFileSync(file, "utf8");
  process.stdout.write(["spanlift.study", "spanlift.compared", "spanlift.training"].includes(JSON.parse(json).format) ? study(json) : page(json));
}
