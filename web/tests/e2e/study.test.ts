import { readFileSync } from "node:fs";

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";

import { ramp } from "../../src/colour";
import { read } from "../../src/study/data";
import { unpack } from "../../src/study/unpack";
// @ts-expect-error a plain script without types
import { synthesise } from "../study.mjs";
import { browser } from "./browser";

// After each test the browser has said nothing on its console, asked the network for nothing and shown no dialog.
const { study, write } = browser();
const small = synthesise({ questions: 120 });

/** Places where the page is wider than the window. */
const tooWide = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const section = (page: Page, name: string) => page.locator(`section#${name}`);
const map = (page: Page) => page.getByRole("application");
const panel = (page: Page) => page.getByRole("dialog");
const cells = (page: Page, table: string, column: number) => page.locator("details").filter({ hasText: table }).locator(`tbody td:nth-child(${column})`).allInnerTexts();

describe("the page of a study", () => {
  test("has every section, filled", async () => {
    const page = await study(small);
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("harbour-run");
    expect(await page.getByRole("heading", { level: 2 }).allInnerTexts()).toEqual(["The shift through the layers", "The paper’s claims", "Map of the questions", "Clusters", "Heads", "All tables"]);
    expect(await section(page, "overview").innerText()).toContain("Of the paper’s claims (a) and (c) hold");
    expect(await section(page, "shift").locator("figure").count()).toBe(14);
    expect(await section(page, "claims").locator("article").count()).toBe(4);
    expect(await section(page, "clusters").locator("article").count()).toBe(3);
    expect(await section(page, "heads").getByRole("gridcell").count()).toBe(72);
    expect(await page.locator(".missing").count()).toBe(0);
    expect(await tooWide(page)).toBe(0);
  });

  test.each([320, 390, 768])("is no wider than a window of %d pixels", async (width) => {
    const page = await study(synthesise({ questions: 120, layers: 24, heads: 16 }), { width });
    for (const details of await page.locator("summary").all()) await details.click();
    expect(await tooWide(page)).toBe(0);
    await map(page).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    expect(await panel(page).evaluate((element) => element.scrollWidth - element.clientWidth)).toBe(0);
  });

  test("follows a dark system, and its attribute", async () => {
    const dark = await study(small, { dark: true });
    const ground = (page: Page) => page.locator(".app").evaluate((element) => getComputedStyle(element).backgroundColor);
    expect(await ground(dark)).toBe("rgb(25, 25, 25)");
    expect(await ground(await study(small, { dark: true, attributes: 'theme="light"' }))).toBe("rgb(255, 255, 255)");
  });

  test("says what is wrong with its data", async () => {
    const page = await write(`<spanlift-study><script type="application/json">{"format": "spanlift.study", "version": 9}</script></spanlift-study><script>${readFileSync(new URL("../../dist/spanlift-study.js", import.meta.url), "utf8")}</script>`);
    expect(await page.getByRole("alert").innerText()).toContain("version: expected 1, got 9");
  });
});

describe("what is missing", () => {
  test("says what makes it", async () => {
    const page = await study(synthesise({ questions: 30, claims: false, clusters: false, controls: false }));
    expect(await section(page, "claims").innerText()).toContain("spanlift study claims");
    expect(await section(page, "clusters").innerText()).toContain("spanlift study cluster");
    const bare = await study(synthesise({ questions: 30, controls: false }));
    expect(await section(bare, "claims").innerText()).toContain("Not run here: the control with random spans and the control with random weights");
    expect(await section(bare, "claims").innerText()).not.toContain("no value");
    expect(await section(page, "overview").innerText()).toMatch(/controls\s+none/);
  });

  test("a study without any table is a page all the same", async () => {
    const page = await study({ ...small, tables: [], maps: [] });
    expect(await page.locator(".missing").count()).toBe(5);
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("harbour-run");
  });

  test.each(small.tables.map(({ name }: { name: string }) => [name]) as [string][])("without the table %s", async (name) => {
    const page = await study({ ...small, tables: small.tables.filter((table: { name: string }) => table.name !== name) });
    expect(await page.getByRole("heading", { level: 2 }).count()).toBe(6);
  });

  test("numbers that are null are no value", async () => {
    const tables = small.tables.map((table: { columns: { kind: string; values: unknown[] }[] }) => ({
      ...table,
      columns: table.columns.map((column) => (column.kind === "number" ? { ...column, values: column.values.map(() => null) } : column)),
    }));
    const page = await study({ ...small, tables });
    expect(await section(page, "claims").innerText()).toContain("no value");
    expect(await page.locator("body").innerText()).not.toMatch(/NaN|undefined|null/);
  });

  test("one layer, three questions", async () => {
    const page = await study(synthesise({ questions: 3, layers: 1, heads: 2 }));
    expect(await page.locator("body").innerText()).not.toMatch(/NaN|undefined|Infinity/);
    await map(page).focus();
    await page.keyboard.press("Enter");
    expect(await panel(page).getByRole("slider").getAttribute("max")).toBe("1");
  });
});

describe("the shift", () => {
  test("compares groups, each with its line", async () => {
    const page = await study(small);
    const lines = () => section(page, "shift").locator("figure").filter({ hasText: "answer" }).first().locator("path.solid").count();
    expect(await lines()).toBe(1);
    await section(page, "shift").getByRole("combobox").selectOption("right");
    expect(await lines()).toBe(2);
    await section(page, "shift").getByRole("button", { name: /^wrong/ }).click();
    expect(await lines()).toBe(1);
  });

  test("tells the values of the cut that is pointed at, by keyboard too", async () => {
    const page = await study(small);
    const chart = section(page, "shift").getByRole("img", { name: /^match/ });
    await chart.focus();
    for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowRight");
    const json = small.tables.find(({ name }: { name: string }) => name === "shares");
    const column = (name: string) => json.columns.find((column: { name: string }) => column.name === name).values;
    const row = column("role").findIndex((role: string, i: number) => role === "match" && column("cut")[i] === "4" && column("measure")[i] === "positive" && column("grouping")[i] === "all");
    expect(await chart.getAttribute("aria-label")).toContain(`match, 4: DeepLIFT ${(100 * column("mean")[row]).toFixed(0)}\u202f%`);
  });
});

describe("the map", () => {
  test("opens a question's heatmap by keyboard, and gives the focus back", async () => {
    const page = await study(small);
    await map(page).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    const asked = await map(page).locator(".tip bdi").innerText();
    await page.keyboard.press("Enter");
    expect(await panel(page).getByRole("heading").innerText()).toBe(asked);
    await page.keyboard.press("Escape");
    expect(await panel(page).count()).toBe(0);
    expect(await map(page).evaluate((element) => element.matches(":focus"))).toBe(true);
  });

  test("opens the point that is clicked, and leaves empty places alone", async () => {
    const page = await study(small);
    await map(page).click({ position: { x: 3, y: 3 } });
    expect(await panel(page).count()).toBe(0);
    await map(page).focus();
    await page.keyboard.press("ArrowUp");
    const ring = (await map(page).locator(".ring").boundingBox())!;
    const asked = await map(page).locator(".tip bdi").innerText();
    await page.mouse.click(ring.x + ring.width / 2, ring.y + ring.height / 2);
    expect(await panel(page).getByRole("heading").innerText()).toBe(asked);
  });

  test("is drawn in the colours of its legend", async () => {
    const page = await study(small);
    const colours = () =>
      page.locator("canvas").evaluate((canvas: HTMLCanvasElement) => {
        const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height }).getContext("2d", { willReadFrequently: true })!;
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
        const found = new Set<string>();
        for (let i = 0; i < data.length; i += 4) if (data[i + 3]! > 150) found.add(data[i]! > data[i + 1]! + 60 ? "red" : data[i + 2]! > data[i]! + 60 && data[i + 2]! > data[i + 1]! + 40 ? "blue" : data[i + 1]! > data[i]! + 60 ? "green" : "other");
        return [...found].sort();
      });
    expect(await colours()).toEqual(expect.arrayContaining(["blue", "green", "red"]));
    await section(page, "map").getByRole("button", { name: /^cluster 1/ }).click();
    expect(await colours()).toEqual(expect.arrayContaining(["blue"]));
    expect(await colours()).not.toContain("green");
  });

  test("2,000 points answer at once, 12,000 soon", async () => {
    const one = synthesise({ questions: 600, maps: 50 });
    const questions = one.tables.find(({ name }: { name: string }) => name === "questions");
    // Milliseconds until the map is drawn anew after a choice, on a slow machine.
    for (const [times, most] of [
      [4, 250],
      [20, 1000],
    ] as const) {
      const many = { ...questions, rows: 600 * times, columns: questions.columns.map((column: { name: string; values: unknown[] }) => ({ ...column, values: Array.from({ length: 600 * times }, (_, i) => (column.name === "id" ? `r${i}` : typeof column.values[i % 600] === "number" ? (column.values[i % 600] as number) + Number(column.name.includes("tsne")) * Math.sin(i) : column.values[i % 600])) })) };
      const page = await study({ ...one, tables: [many] });
      const spent = await page.evaluate(async () => {
        const button = document.querySelector("spanlift-study")!.shadowRoot!.querySelector<HTMLElement>("#map .legend button")!;
        const began = performance.now();
        button.click();
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        return performance.now() - began;
      });
      expect(spent).toBeLessThan(most);
    }
  }, 60_000);

  test("a question without its heatmap says so", async () => {
    const page = await study(synthesise({ questions: 40, maps: 0 }));
    await map(page).focus();
    await page.keyboard.press("Enter");
    expect(await panel(page).innerText()).toContain("Its heatmap is not in this page");
  });
});

describe("a question", () => {
  async function opened(): Promise<{ page: Page; known: ReturnType<typeof unpack> }> {
    const page = await study(small);
    await section(page, "clusters").locator(".typical button").first().click();
    const id = (await panel(page).locator(".id").innerText()).trim();
    const data = read(small);
    return { page, known: unpack(data.maps.get(id)!, data) };
  }
  const grounds = (page: Page) => panel(page).locator("[data-u]").evaluateAll((units) => units.map((unit) => "#" + (getComputedStyle(unit).backgroundColor.match(/\d+/g) ?? []).slice(0, 3).map((byte) => Number(byte).toString(16).padStart(2, "0")).join("")));

  test("has the colours of the cut that the slider says", async () => {
    const { page, known } = await opened();
    await panel(page).getByRole("radio", { name: "wordpieces" }).check();
    const expected = (cut: number) => known.cuts[cut]!.scores.map((x) => ramp("red-blue", "light").cell(x / known.cuts[cut]!.scale).background);
    expect(await panel(page).locator(".now").innerText()).toBe("Layer 6");
    expect(await grounds(page)).toEqual(expected(5));
    await panel(page).getByRole("slider").focus();
    await page.keyboard.press("Home");
    expect(await panel(page).locator(".now").innerText()).toBe("Layer 1");
    expect(await grounds(page)).toEqual(expected(0));
    await page.keyboard.press("End");
    expect(await panel(page).innerText()).toContain("At the output only the answer scores, by construction.");
  });

  test("tells score and role of a word, and marks a role", async () => {
    const { page, known } = await opened();
    await panel(page).locator("[data-u]").nth(1).hover();
    expect(await panel(page).getByRole("status").innerText()).toMatch(/question word$/);
    await panel(page).getByRole("button", { name: "punctuation" }).click();
    expect(await panel(page).locator(".marked").count()).toBe(known.roles.filter((role) => role === "punctuation").length);
  });
});

describe("tables", () => {
  test("sort up, down and back", async () => {
    const page = await study(small);
    await page.locator("summary").filter({ hasText: "questions" }).first().click();
    const first = page.locator("details").first();
    // The rows are drawn after the click that opens them.
    await first.locator("tbody tr").first().waitFor();
    const order = async () => (await first.locator("tbody td:first-child").allInnerTexts()).slice(0, 3);
    expect(await order()).toEqual(["q00000", "q00001", "q00002"]);
    const heading = first.getByRole("columnheader").first();
    const sorted = async (way: string) => {
      await heading.getByRole("button").click();
      await first.locator(`th[aria-sort="${way}"]`).first().waitFor();
      expect(await heading.getAttribute("aria-sort")).toBe(way);
      return order();
    };
    expect(await sorted("ascending")).toEqual(["q00000", "q00001", "q00002"]);
    expect(await sorted("descending")).toEqual(["q00119", "q00118", "q00117"]);
    expect(await sorted("none")).toEqual(["q00000", "q00001", "q00002"]);
  });

  test("filter by the question's text, page by page", async () => {
    const page = await study(small);
    await page.locator("summary").first().click();
    await page.locator("details tbody tr").first().waitFor();
    expect(await cells(page, "A question of the run.", 1)).toHaveLength(100);
    await page.getByRole("button", { name: "20 more rows" }).click();
    expect(await cells(page, "A question of the run.", 1)).toHaveLength(120);
    const words = small.maps[7].question.toLowerCase().split(" ");
    await page.getByRole("searchbox", { name: "Filter the rows of questions" }).fill(words.join("  "));
    const asked = await cells(page, "A question of the run.", 2);
    const holds = ({ question, title }: { question: string; title: number }) => words.every((word: string) => `${question}\n${small.titles[title]}`.toLowerCase().includes(word));
    expect(asked).toContain(small.maps[7].question);
    expect(asked.length).toBeLessThan(20);
    expect(asked).toEqual(small.maps.filter(holds).map(({ question }: { question: string }) => question));
    await page.locator("details").first().locator("tbody button").first().click();
    expect(await panel(page).getByRole("heading").innerText()).toBe(asked[0]);
  });

  test("are saved whole as CSV", async () => {
    const page = await study(small);
    await page.locator("summary").filter({ hasText: "shift" }).click();
    await page.getByRole("searchbox").fill("nothing at all");
    const waiting = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save as CSV" }).click();
    const download = await waiting;
    expect(download.suggestedFilename()).toBe("shift.csv");
    const lines = readFileSync(await download.path(), "utf8").trimEnd().split("\n");
    expect(lines[0]).toBe("grouping,group,source,from,to,questions,mean,low,high");
    expect(lines).toHaveLength(1 + small.tables.find(({ name }: { name: string }) => name === "shift").rows);
  });
});

test("foreign text does nothing", async () => {
  const page = await study(synthesise({ questions: 240, hostile: true }));
  for (const details of await page.locator("summary").all()) await details.click();
  await section(page, "shift").getByRole("combobox").selectOption("article");
  await page.locator("details").first().locator("tbody button").first().click();
  // The question, its passage, its title: text, with nothing in it that acts, and no element of theirs.
  expect(await panel(page).getByRole("heading").innerText()).toContain("</script><script>alert(1)</script><img src=x");
  expect(await panel(page).locator(".text").innerText()).toContain("alert(2)");
  expect(await page.locator("spanlift-study img, spanlift-study script:not([type])").count()).toBe(0);
  expect(await panel(page).innerText()).not.toMatch(/[\u2028\u202e]/);
});

test("on paper the page is light and without controls", async () => {
  const page = await study(small, { dark: true });
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  expect(await page.locator(".app").evaluate((element) => getComputedStyle(element).backgroundColor)).toBe("rgb(255, 255, 255)");
  expect(await page.locator("nav").isVisible()).toBe(false);
  expect(await section(page, "tables").isVisible()).toBe(false);
  const box = (await page.locator("canvas").boundingBox())!;
  const drawn = await page.locator("canvas").evaluate((canvas: HTMLCanvasElement) => canvas.width / canvas.height);
  expect(box.width / box.height).toBeCloseTo(drawn, 1);
});
