// What the built file needs beyond its code: the licences of what is in it, and to be safe inside a page.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Plugin } from "vite";

const PERMISSIVE = new Set(["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "0BSD"]);

/** The package that a module's file belongs to; none for our own. */
function packageOf(id: string): string | null {
  const [file = ""] = id.replace(/^\0/, "").split("?");
  if (!file.includes("/node_modules/")) return null;
  let folder = dirname(file);
  while (!existsSync(join(folder, "package.json")) || !JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).name) {
    folder = dirname(folder);
  }
  return folder;
}

/** Puts the licence of every package in the bundle at its head; a licence that is not permissive ends the build. */
export function notices(name: string): Plugin {
  return {
    name: "notices",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        const used = Object.entries(chunk.modules).filter(([, { renderedLength }]) => renderedLength > 0);
        const folders = [...new Set(used.map(([id]) => packageOf(id)).filter((folder) => folder !== null))].sort();
        const texts = folders.map((folder) => {
          const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
          if (!PERMISSIVE.has(license)) throw new Error(`${name} ${version}: licence ${license} is not permissive`);
          const file = ["LICENSE.md", "LICENSE", "license", "license.md", "LICENSE.txt"].find((file) => existsSync(join(folder, file)));
          if (!file) throw new Error(`${name} ${version}: no licence text`);
          const text = readFileSync(join(folder, file), "utf8").trim().replaceAll("*/", "* /");
          return `${name} ${version} (${license})\n\n${text}`;
        });
        const own = `<${name}> is licensed MIT OR Apache-2.0. It contains:`;
        chunk.code = `/*!\n${[own, ...texts].join("\n\n")}\n*/\n${chunk.code}`;
      }
    },
  };
}

/**
 * Nothing in the file may open a comment or end a script where it stands inside a page: in a string or a template,
 * which is where these occur, `\x3c` is the same character.
 */
export function embed(): Plugin {
  return {
    name: "embed",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type === "chunk") chunk.code = chunk.code.replace(/<(?=!--|\/?script)/gi, "\\x3c");
      }
    },
  };
}
