import { readFileSync } from "node:fs";

import { svelte } from "@sveltejs/vite-plugin-svelte";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

import { embed, notices } from "./tools/bundle";

/** The development page shows a real explanation in the shape in which the program writes its pages. */
function fixture(): Plugin {
  return {
    name: "fixture",
    apply: "serve",
    transformIndexHtml: (html) =>
      html.replace("%EXPLANATION%", () => {
        const json = readFileSync(new URL("tests/fixtures/harbour.json", import.meta.url), "utf8");
        return json.replaceAll("<", "\\u003c");
      }),
  };
}

export default defineConfig({
  plugins: [
    svelte(),
    fixture(),
    notices(),
    embed(),
  ],
  esbuild: { charset: "ascii", legalComments: "none" },
  build: {
    target: "es2022",
    minify: "esbuild",
    lib: { entry: "src/main.ts", formats: ["iife"], name: "spanlift", fileName: () => "spanlift-explanation.js" },
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
});
