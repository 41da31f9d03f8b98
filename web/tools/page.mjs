// Makes one self-contained page from an explanation: node tools/page.mjs EXPLANATION.json > PAGE.html
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const DIST = new URL("../dist/spanlift-explanation.js", import.meta.url);

/** The page, in the shape in which the program writes it. */
export function page(json, { attributes = "", script = readFileSync(DIST, "utf8"), title = "Explanation" } = {}) {
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
<spanlift-explanation ${attributes}><script type="application/json">${json.replaceAll("<", "\\u003c")}</script></spanlift-explanation>
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
  process.stdout.write(page(readFileSync(file, "utf8")));
}
