import { readFileSync } from "node:fs";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// @ts-expect-error a plain script without types
import { synthesise } from "./tests/study.mjs";
import { embed, notices } from "./tools/bundle";

/** The development pages show a real explanation, and an invented study, in the shape in which the program writes its pages. */
function fixture(): Plugin {
  return {
    name: "fixture",
    apply: "serve",
    transformIndexHtml: (html) =>
      html
        .replace("%EXPLANATION%", () => {
          const json = readFileSync(new URL("tests/fixtures/harbour.json", import.meta.url), "utf8");
          return json.replaceAll("<", "\\u003c");
        })
        .replace("%STUDY%", () => JSON.stringify(synthesise({ questions: 600 })).replaceAll("<", "\\u003c")),
  };
}

/** Each file that is built, by the mode that builds it: `vite build --mode study`. */
const ENTRIES: Record<string, { entry: string; tag: string }> = {
  study: { entry: "src/study/main.ts", tag: "spanlift-study" },
};
const EXPLANATION = { entry: "src/main.ts", tag: "spanlift-explanation" };

export default defineConfig(({ mode }) => {
  const { entry, tag } = ENTRIES[mode] ?? EXPLANATION;
  return {
    plugins: [
      svelte(),
      fixture(),
      notices(tag),
      embed(),
    ],
    esbuild: { charset: "ascii", legalComments: "none" },
    build: {
      target: "es2022",
      minify: "esbuild",
      emptyOutDir: false,
      lib: { entry, formats: ["iife"], name: "spanlift", fileName: () => `${tag}.js` },
      reportCompressedSize: false,
    },
    test: {
      projects: [
        { extends: true, test: { name: "unit", include: ["tests/unit/*.test.ts"], environment: "node" } },
        {
          extends: true,
          test: {
            name: "e2e",
            include: ["tests/e2e/*.test.ts"],
            environment: "node",
            testTimeout: 30_000,
            hookTimeout: 60_000,
            fileParallelism: false,
          },
        },
      ],
    },
  };
});
