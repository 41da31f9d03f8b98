// A headless Chromium with pages made of the built file, as the program makes them.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { type BrowserContext, type Page, chromium } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";

// @ts-expect-error a plain script without types
import { page as makePage, study as makeStudy } from "../../tools/page.mjs";

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
const QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-sync"];

type Look = { width?: number; height?: number; dark?: boolean; attributes?: string };

/** One browser with a profile of its own for the tests of a file; every page must stay silent. */
export function browser() {
  let folder = "";
  let context: BrowserContext;
  let pages = 0;
  let noise: string[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "spanlift-web-"));
    context = await chromium.launchPersistentContext(join(folder, "profile"), {
      executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
      args: [...FLAGS, ...QUIET],
      acceptDownloads: true,
      permissions: ["clipboard-read", "clipboard-write"],
    });
    context.setDefaultTimeout(5_000);
    // Nothing outside may be asked for.
    await context.route(/^(?!file:|blob:|data:)/, (route) => {
      noise.push(`request ${route.request().url()}`);
      return route.abort();
    });
  });
  afterAll(async () => {
    await context?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const page of context.pages()) await page.close().catch(() => undefined);
    const heard = noise;
    noise = [];
    expect(heard, "errors, warnings, dialogs and requests of the page").toEqual([]);
  });

  async function blank({ width = 1280, height = 900, dark = false }: Look = {}): Promise<Page> {
    const page = await context.newPage();
    page.on("console", (message) => noise.push(`console ${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => noise.push(`error: ${error.message}`));
    page.on("dialog", (dialog) => {
      noise.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
    await page.addInitScript(() => {
      addEventListener("ready", () => ((window as unknown as { readyAt: number }).readyAt = performance.now()), true);
    });
    return page;
  }

  return {
    blank,
    /** Opens a page around this JSON; waits until it can be used unless it is not meant to be. */
    async open(json: unknown, look: Look & { ready?: boolean } = {}): Promise<Page> {
      const file = join(folder, `${pages++}.html`);
      const text = typeof json === "string" ? json : JSON.stringify(json);
      writeFileSync(file, makePage(text, { attributes: look.attributes ?? "" }));
      const page = await blank(look);
      await page.goto(pathToFileURL(file).href);
      if (look.ready !== false) await page.waitForFunction("window.readyAt");
      return page;
    },
    /** Opens the page of a study in the same way. */
    async study(json: unknown, look: Look = {}): Promise<Page> {
      const file = join(folder, `${pages++}.html`);
      writeFileSync(file, makeStudy(typeof json === "string" ? json : JSON.stringify(json), { attributes: look.attributes ?? "" }));
      const page = await blank(look);
      await page.goto(pathToFileURL(file).href);
      await page.waitForFunction("window.readyAt");
      return page;
    },
    /** Writes a page of its own and opens it. */
    async write(html: string): Promise<Page> {
      const file = join(folder, `${pages++}.html`);
      writeFileSync(file, html);
      const page = await blank();
      await page.goto(pathToFileURL(file).href);
      return page;
    },
  };
}
