// Builds into an empty folder and compares with the committed file, byte for byte; also holds its size to the limit.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const NAME = "spanlift-explanation.js";
const LIMIT = 60_000;
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spanlift-web-check-"));
const faults = [];
try {
  execFileSync(process.execPath, [join(root, "node_modules/vite/bin/vite.js"), "build", "--outDir", folder, "--emptyOutDir", "--logLevel", "warn"], {
    cwd: root,
    stdio: "inherit",
  });
  const built = readFileSync(join(folder, NAME));
  let committed = Buffer.alloc(0);
  try {
    committed = readFileSync(join(root, "dist", NAME));
  } catch {
    faults.push(`dist/${NAME} is missing`);
  }
  if (committed.length > 0 && !built.equals(committed)) {
    faults.push(`dist/${NAME} (${committed.length} bytes) is not what the source builds (${built.length} bytes): run npm run build`);
  }
  const zipped = gzipSync(built, { level: 9 }).length;
  if (zipped > LIMIT) faults.push(`${zipped} bytes gzip, at most ${LIMIT} are allowed`);
  const text = built.toString("utf8");
  if (/<!--|<\/?script/i.test(text)) faults.push("the file holds text that would end the script element it stands in");
  for (const [, host] of text.matchAll(/\b(?:src|href|url|import|fetch)\s*[=(]\s*["'`]?https?:\/\/([^/"'`\s)]+)/g)) faults.push(`the file asks ${host} for something`);
  console.log(`${NAME}: ${built.length} bytes, ${zipped} gzip`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const fault of faults) console.error(`check: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);
