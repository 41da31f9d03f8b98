// Builds into an empty folder and compares with the committed files, byte for byte; also holds their sizes to the limits.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** Each file, the mode that builds it, and the most bytes that it may have after gzip. */
const FILES = [
  { name: "spanlift-explanation.js", mode: "production", limit: 60_000 },
  { name: "spanlift-study.js", mode: "study", limit: 90_000 },
];
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "spanlift-web-check-"));
const faults = [];
try {
  for (const { name, mode, limit } of FILES) {
    execFileSync(process.execPath, [join(root, "node_modules/vite/bin/vite.js"), "build", "--mode", mode, "--outDir", folder, "--logLevel", "warn"], {
      cwd: root,
      stdio: "inherit",
    });
    const built = readFileSync(join(folder, name));
    let committed = Buffer.alloc(0);
    try {
      committed = readFileSync(join(root, "dist", name));
    } catch {
      faults.push(`dist/${name} is missing`);
    }
    if (committed.length > 0 && !built.equals(committed)) {
      faults.push(`dist/${name} (${committed.length} bytes) is not what the source builds (${built.length} bytes): run npm run build`);
    }
    const zipped = gzipSync(built, { level: 9 }).length;
    if (zipped > limit) faults.push(`${name}: ${zipped} bytes gzip, at most ${limit} are allowed`);
    const text = built.toString("utf8");
    if (/<!--|<\/?script/i.test(text)) faults.push(`${name} holds text that would end the script element it stands in`);
    for (const [, host] of text.matchAll(/\b(?:src|href|url|import|fetch)\s*[=(]\s*["'`]?https?:\/\/([^/"'`\s)]+)/g)) faults.push(`${name} asks ${host} for something`);
    console.log(`${name}: ${built.length} bytes, ${zipped} gzip`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const fault of faults) console.error(`check: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);
