import { readFileSync } from "node:fs";

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";

import { ramp } from "../../src/colour";
import { signed } from "../../src/number";
// @ts-expect-error a plain script without types
import { synthesise } from "../../tools/synthesise.mjs";
import { fixture, hostile, tiny } from "../support";
import { browser } from "./browser";

const { open, write, blank } = browser();
const harbour = fixture("harbour");
const script = readFileSync(new URL("../../dist/spanlift-explanation.js", import.meta.url), "utf8");

/** The ground of each unit of the map, as `#rrggbb`. */
const grounds = (page: Page) =>
  page.locator("[data-u]").evaluateAll((units) =>
    units.map((unit) => "#" + (getComputedStyle(unit).backgroundColor.match(/\d+/g) ?? []).slice(0, 3).map((byte) => Number(byte).toString(16).padStart(2, "0")).join("")),
  );
/** Places where the page is wider than the window. */
const tooWide = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const slider = (page: Page) => page.getByRole("slider", { name: "Cut through the network" });
const heading = (page: Page) => page.locator("section h2").first();
const unit = (page: Page, text: string) => page.locator("[data-u]").filter({ hasText: new RegExp(`^${text}$`) }).first();
const choose = (page: Page, name: string) => page.getByRole("radio", { name, exact: true }).check();
const card = (page: Page) => page.locator("aside");

describe("the page", () => {
  test("says question, answer, Δt and whether the sums hold", async () => {
    const page = await open(harbour);
    const text = (await page.locator("header").innerText()).replaceAll("\u202f", " ");
    expect(text).toContain("When did Ida Marrow rent the salt store?");
    expect(text).toContain("1975");
    expect(text).toContain("p 0.697");
    expect(text).toContain("Δt +13.6");
    expect(text).toContain("sums hold at every cut, worst 2.5e−7 of 1e−4");
    expect(await page.getByRole("alert").count()).toBe(0);
    expect(await tooWide(page)).toBe(0);
  });

  test("says so where there is no answer", async () => {
    const page = await open(fixture("harbour-none"));
    expect(await page.locator("header").innerText()).toContain("no answer");
    expect(await page.locator(".marks").innerText()).toContain("[CLS] stands for no answer");
  });

  test("warns aloud where the sums do not hold", async () => {
    const page = await open({ ...harbour, completeness: { bound: 1e-4, worst: 0.031, cut: "mlp 3", holds: false } });
    const text = await page.getByRole("alert").innerText();
    expect(text).toMatch(/The sums do not hold.*mlp 3.*0\.0310/s);
    expect(await page.locator("header").innerText()).not.toContain("hold");
  });

  test("warns of nothing where the method promises no sums, and says so", async () => {
    const method = { ...harbour.method, rule: "sigma-fixed", complete: false };
    const page = await open({ ...harbour, method, completeness: { bound: 1e-4, worst: 0.031, cut: "mlp 3", holds: false } });
    expect(await page.getByRole("alert").count()).toBe(0);
    expect(await page.locator("header").innerText()).toMatch(/no sums promised, worst error 0\.031 at mlp 3/);
    await page.getByText("Method, and how to read this").click();
    const text = await page.locator("details").filter({ hasText: "Method, and how" }).innerText();
    expect(text).toContain("the method promises no sums");
    expect(text).not.toContain("add up to it.");
  });

  test("shows every word in the colour of its score", async () => {
    const page = await open(harbour, { attributes: 'scale="layer"' });
    await choose(page, "wordpieces");
    const score = harbour.layers[0]!.score;
    const scale = Math.max(...score.map(Math.abs));
    expect(await grounds(page)).toEqual(score.map((x) => ramp("red-blue", "light").cell(x / scale).background));
  });

  test("marks the answer and the special tokens otherwise than by colour", async () => {
    const page = await open(harbour);
    const marked = page.locator(".map .answer");
    expect(await marked.allInnerTexts()).toEqual(["1975"]);
    expect(await marked.evaluate((element) => getComputedStyle(element).textDecorationLine)).toBe("underline");
    expect(await marked.evaluate((element) => getComputedStyle(element).borderLeftStyle)).toBe("solid");
    expect(await page.locator(".map .special").evaluateAll((list) => list.map((element) => [element.textContent, getComputedStyle(element).borderStyle]))).toEqual([
      ["[CLS]", "dashed"],
      ["[SEP]", "dashed"],
      ["[SEP]", "dashed"],
    ]);
  });
});

describe("the cut", () => {
  test("is changed by the slider, and the map with it", async () => {
    const page = await open(harbour);
    const before = await grounds(page);
    await slider(page).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await heading(page).innerText()).toBe("Layer 3");
    expect(await slider(page).getAttribute("aria-valuetext")).toBe("Layer 3, sum +13.6");
    expect(await grounds(page)).not.toEqual(before);
    await page.keyboard.press("Home");
    expect(await heading(page).innerText()).toBe("Layer 1");
    await page.keyboard.press("End");
    expect(await heading(page).innerText()).toBe("Output");
  });

  test("is chosen by a click on its small copy, or by arrow keys among them", async () => {
    const page = await open(harbour);
    const copies = page.getByRole("radiogroup", { name: "All cuts" }).getByRole("radio");
    // The words look as layer 1: seven maps of eight cuts.
    expect(await copies.count()).toBe(7);
    await copies.nth(4).click();
    expect(await heading(page).innerText()).toBe("Layer 5");
    expect(await slider(page).inputValue()).toBe("5");
    await page.keyboard.press("ArrowRight");
    expect(await heading(page).innerText()).toBe("Layer 6");
    expect(await copies.nth(5).getAttribute("aria-checked")).toBe("true");
  });

  test("has small copies that are drawn", async () => {
    const page = await open(harbour);
    // At the output only the answer has a score: somewhere the copy has the full red, nowhere else any.
    const count = await page.locator("canvas").last().evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      let [red, blue] = [0, 0];
      for (let i = 0; i < data.length; i += 4) {
        const [r = 0, , b = 0] = data.slice(i, i + 3);
        if (r - b > 60) red++;
        if (b - r > 60) blue++;
      }
      return { red, blue };
    });
    expect(count.red).toBeGreaterThan(10);
    expect(count.blue).toBe(0);
  });

  test("has the words' map where it is another than layer 1's", async () => {
    const score = harbour.word_score.map((x, i) => (i === 3 ? x + 1 : x));
    const page = await open({ ...harbour, word_score: score });
    expect(await page.getByRole("radiogroup", { name: "All cuts" }).getByRole("radio").count()).toBe(8);
    await slider(page).focus();
    await page.keyboard.press("Home");
    expect(await heading(page).innerText()).toBe("Words");
    const same = await open(harbour);
    expect(await same.locator(".title").first().innerText()).toContain("the same as at the word embeddings");
  });

  test("can have the colours of the square root, with the true numbers in the legend", async () => {
    const page = await open(harbour, { attributes: 'ramp="root" unit="wordpieces"' });
    const score = harbour.layers[0]!.score;
    const scale = Math.max(...score.map(Math.abs));
    expect(await grounds(page)).toEqual(score.map((x) => ramp("red-blue", "light").cell(Math.sign(x) * Math.sqrt(Math.abs(x) / scale)).background));
    expect(await page.locator(".top .numbers span").allInnerTexts()).toEqual([-1, -0.25, 0, 0.25, 1].map((x) => signed(x * scale)));
    await choose(page, "linear");
    expect(await grounds(page)).toEqual(score.map((x) => ramp("red-blue", "light").cell(x / scale).background));
  });

  test("has its own scale or one with the others", async () => {
    const page = await open(harbour);
    const ends = () => page.locator(".top .numbers span").allInnerTexts();
    expect(await ends()).toEqual(["−3.81", "−1.91", "0", "+1.91", "+3.81"]);
    await choose(page, "shared");
    // The largest score of any cut.
    const most = Math.max(...harbour.layers.flatMap(({ score }) => score.map(Math.abs)));
    expect(await ends()).toEqual([-1, -0.5, 0, 0.5, 1].map((x) => signed(x * most)));
    expect(await page.locator(".top").innerText()).toContain("one scale for all cuts");
  });
});

describe("a word", () => {
  test("shows its line, its numbers and its arcs under the pointer", async () => {
    const page = await open(harbour);
    expect(await page.locator(".map svg path").count()).toBe(0);
    await unit(page, "1975").hover();
    expect(await card(page).locator("h2").innerText()).toBe("1975");
    const rows = card(page).locator(".chart tbody tr");
    expect(await rows.count()).toBe(7);
    const layer3 = harbour.layers[2]!;
    const cells = await rows.nth(2).locator(".number").allInnerTexts();
    expect(cells).toEqual([layer3.score[58]!, layer3.positive[58]!, layer3.negative[58]!].map((x) => (x < 0 ? "−" : "+") + Math.abs(x).toFixed(2)));
    const line = await card(page).locator(".chart svg path").getAttribute("d");
    expect(line?.match(/[ML]/g)).toHaveLength(7);
    expect(await page.locator(".map .content path").count()).toBeGreaterThan(2);
    expect(await page.locator(".map .pattern path").count()).toBeGreaterThan(2);
    await page.mouse.move(5, 5);
    expect(await page.locator(".map svg path").count()).toBe(0);
  });

  test("has its strongest edge first, pattern and content apart", async () => {
    const page = await open(harbour);
    await unit(page, "1975").click();
    const of58 = harbour.top_edges.filter(({ query, key }) => query === 58 || key === 58);
    const most = of58.reduce((a, b) => (Math.abs(b.pattern + b.content) > Math.abs(a.pattern + a.content) ? b : a));
    const first = await card(page).locator(".edges tbody tr").first().locator("td").allInnerTexts();
    expect(first).toEqual([`${most.layer}·${most.head}`, "from When", `+${most.content.toFixed(2)}`, `+${most.pattern.toFixed(2)}`]);
    await choose(page, "content");
    expect(await page.locator(".map .content path").count()).toBeGreaterThan(2);
    expect(await page.locator(".map .pattern path").count()).toBe(0);
    await choose(page, "off");
    expect(await page.locator(".map svg path").count()).toBe(0);
  });

  test("begins and ends its arcs at the words", async () => {
    const page = await open(harbour);
    await unit(page, "1975").click();
    const path = await page.locator(".map .content path").nth(1).getAttribute("d");
    const [x0 = 0, , x1 = 0, y1 = 0] = [...(path?.match(/^M(\S+) (\S+)C/)?.slice(1) ?? []), ...(path?.match(/(\S+) (\S+)$/)?.slice(1) ?? [])].map(Number);
    const box = async (text: string) => {
      const [map, at] = [await page.locator(".map").boundingBox(), await unit(page, text).boundingBox()];
      return { left: at!.x - map!.x, right: at!.x + at!.width - map!.x, top: at!.y - map!.y };
    };
    const [when, answer] = [await box("When"), await box("1975")];
    expect(x0).toBeGreaterThan(when.left);
    expect(x0).toBeLessThan(when.right);
    expect(x1).toBeGreaterThan(answer.left);
    expect(x1).toBeLessThan(answer.right);
    expect(Math.abs(y1 - answer.top)).toBeLessThan(8);
  });

  test("is reached and left with the keyboard alone", async () => {
    const page = await open(harbour);
    await slider(page).focus();
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press("Tab");
      if (await page.evaluate(() => document.querySelector("spanlift-explanation")!.shadowRoot!.activeElement?.matches("[data-u]"))) break;
    }
    const focused = () => page.evaluate(() => document.querySelector("spanlift-explanation")!.shadowRoot!.activeElement?.textContent);
    expect(await focused()).toBe("[CLS]");
    await page.keyboard.press("ArrowRight");
    expect(await focused()).toBe("When");
    expect(await page.locator("[data-live]").innerText()).toMatch(/^When, question, Layer 1: \+3\.81, rank 1 of 156, strongest edge to 1975 \+2\.83$/);
    await page.keyboard.press("ArrowDown");
    // The word below it.
    expect(await focused()).toBe("old");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("End");
    expect(await focused()).toBe("[SEP]");
    await page.keyboard.press("]");
    expect(await heading(page).innerText()).toBe("Layer 2");
    await page.keyboard.press("Escape");
    expect(await page.locator('[aria-selected="true"]').count()).toBe(0);
  });

  test("is a wordpiece at first where the element says so", async () => {
    const page = await open(harbour, { attributes: 'unit="wordpieces"' });
    expect(await page.locator("[data-u]").count()).toBe(harbour.tokens.length);
    expect(await page.getByRole("radio", { name: "wordpieces" }).isChecked()).toBe(true);
    await choose(page, "words");
    expect(await page.locator("[data-u]").count()).toBe(harbour.tokens.length - 1);
  });

  test("has no mark of the vocabulary where there is text", async () => {
    const tokens = harbour.tokens.map((token) => (token.part === "special" ? token : { ...token, text: `\u0120${token.text}\u00c3\u00a9` }));
    const page = await open({ ...harbour, model: { ...harbour.model, family: "roberta" }, tokens });
    await choose(page, "wordpieces");
    await unit(page, "1975").click();
    const all = await page.locator("spanlift-explanation").evaluate((element) => element.shadowRoot!.textContent ?? "");
    expect(all).not.toMatch(/\u0120|\u00c3/);
  });

  test("is shown in pieces on request", async () => {
    const page = await open(harbour);
    const count = await page.locator("[data-u]").count();
    await choose(page, "wordpieces");
    expect(await page.locator("[data-u]").count()).toBe(harbour.tokens.length);
    expect(count).toBe(harbour.tokens.length - 1);
    expect(await page.locator("[data-u]").filter({ hasText: /^llin$/ }).count()).toBe(1);
  });
});

describe("a head", () => {
  test("shows its tokens in the map when it is clicked", async () => {
    const page = await open(harbour);
    await page.getByRole("button", { name: /^layer 4, head 6:/ }).click();
    expect(await heading(page).innerText()).toBe("Layer 4, head 6");
    await choose(page, "wordpieces");
    const score = harbour.heads.by_token[3]![5]!;
    const scale = Math.max(...score.map(Math.abs));
    expect(await grounds(page)).toEqual(score.map((x) => ramp("red-blue", "light").cell(x / scale).background));
    await page.getByRole("button", { name: "back to layer 4" }).click();
    expect(await heading(page).innerText()).toBe("Layer 4");
  });

  test("is reached by arrow keys, and the matrix says its numbers", async () => {
    const page = await open(harbour);
    const cells = page.getByRole("grid").getByRole("button");
    expect(await cells.count()).toBe(72);
    await cells.first().focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    expect(await heading(page).innerText()).toBe("Layer 2, head 2");
    const cell = page.getByRole("button", { name: `layer 2, head 2: ${signed(harbour.heads.score[1]![1]!)}` });
    expect(await cell.getAttribute("aria-pressed")).toBe("true");
    await page.keyboard.press("Escape");
    expect(await heading(page).innerText()).toBe("Layer 2");
  });
});

describe("the books", () => {
  test("of every layer add up to Δt", async () => {
    const page = await open(harbour);
    const rows = await page.locator("section", { has: page.getByRole("heading", { name: "Ledger" }) }).locator("tbody tr").evaluateAll((rows) =>
      rows.map((row) => [...row.querySelectorAll("td")].map((cell) => Number(cell.textContent!.replace("−", "-").replace("e−", "e-")))),
    );
    expect(rows).toHaveLength(8);
    for (const [tokens, , heads, residual, , mlp, past] of rows.slice(1, 7)) {
      expect(tokens).toBe(13.57);
      expect(Math.abs(heads! + residual! - 13.57)).toBeLessThan(0.016);
      expect(Math.abs(mlp! + past! - 13.57)).toBeLessThan(0.016);
    }
  });

  test("and the rest are there to unfold", async () => {
    const page = await open(harbour);
    await page.getByText("Candidates (20)").click();
    expect(await page.locator("details").first().innerText()).toContain("spring of 1975");
    await page.getByText("Method, and how to read this").click();
    const text = await page.locator("details").last().innerText();
    for (const [operation, rule] of Object.entries(harbour.method.rules)) expect(text).toMatch(new RegExp(`${operation}\\s+${rule}`));
    expect(text).toContain("replaced by the mask token");
  });
});

describe("what can be taken away", () => {
  test("the scores as a table", async () => {
    const page = await open(harbour);
    await page.getByRole("button", { name: "Copy scores" }).click();
    await page.getByText("Scores copied").waitFor();
    const lines = (await page.evaluate(() => navigator.clipboard.readText())).trimEnd().split("\n");
    expect(lines).toHaveLength(157);
    expect(lines[0]).toBe(["token", "last_token", "part", "text", "words", ...[1, 2, 3, 4, 5, 6].map((l) => `layer_${l}`), "output"].join("\t"));
    expect(lines[2]).toBe(["1", "1", "question", "When", harbour.word_score[1], ...harbour.layers.map(({ score }) => score[1])].join("\t"));
  });

  test("the data as they are", async () => {
    const page = await open(harbour);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save data" }).click()]);
    expect(download.suggestedFilename()).toBe("explanation.json");
    expect(JSON.parse(readFileSync(await download.path(), "utf8"))).toEqual(harbour);
  });
});

describe("any text", () => {
  test("is shown as text and runs nothing", async () => {
    const x = hostile();
    const page = await open(x);
    const shown = await page.locator("[data-u]").allTextContents();
    expect(shown).toContain("<script>alert(1)</script>");
    expect(shown).toContain(`<img src=x onerror="alert(2)">`);
    expect(shown).toContain("&amp;&lt;b&gt;");
    expect(shown).toContain(`"'\`\${alert(3)}`);
    expect(shown).toContain("�evil�");
    expect(shown).toContain("bell��[31m");
    expect(shown).toContain("</spanlift-explanation>");
    const all = await page.locator("spanlift-explanation").evaluate((element) => element.shadowRoot!.textContent ?? "");
    expect(all).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u0007\u001b]/);
    const made = await page.locator("spanlift-explanation").evaluate((element) => element.shadowRoot!.querySelectorAll("img, script, b, spanlift-explanation").length);
    expect(made).toBe(0);
    await unit(page, "�evil�").click();
    await page.getByText("Candidates (1)").click();
  });

  test("keeps its place: marks, emoji, wide characters, right to left", async () => {
    const page = await open(hostile());
    const boxes = await page.locator("[data-u]").evaluateAll((units) =>
      units.map((unit) => ({ text: unit.textContent!, isolate: getComputedStyle(unit).unicodeBidi, ...unit.getBoundingClientRect().toJSON() })),
    );
    expect(new Set(boxes.map(({ isolate }) => isolate))).toEqual(new Set(["isolate"]));
    const at = (text: string) => boxes.find((box) => box.text === text)!;
    expect(at("cafe\u0301").width).toBeGreaterThan(20);
    // Hebrew is read from right to left: its first word stands to the right of its second, on one line.
    const [first, second] = [at("שלום"), at("עולם")];
    expect(first.top).toBe(second.top);
    expect(first.left).toBeGreaterThanOrEqual(second.right - 3);
    // And nothing overlaps anything.
    for (const a of boxes) {
      for (const b of boxes) {
        if (a === b) continue;
        const [w, h] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
        expect(w > 3 && h > 6, `${a.text} over ${b.text}`).toBe(false);
      }
    }
    expect(await tooWide(page)).toBe(0);
  });
});

describe("paragraphs", () => {
  test("begin where the text's do, each in its own direction", async () => {
    const x = tiny({
      question: "a",
      passage: "one two\nthree\n\n\u05e9\u05dc end",
      pieces: [[["a", 0, 1]], [["one", 0, 3], ["two", 4, 7], ["three", 8, 13], ["\u05e9\u05dc", 15, 17], ["end", 18, 21]]],
    });
    const page = await open(x);
    const box = (text: string) => unit(page, text).boundingBox().then((box) => box!);
    const [one, two, three, hebrew, end] = [await box("one"), await box("two"), await box("three"), await box("\u05e9\u05dc"), await box("end")];
    expect([two.y - one.y, end.y - hebrew.y]).toEqual([0, 0]);
    const step = three.y - one.y;
    expect(step).toBeGreaterThan(one.height);
    expect(hebrew.y - three.y).toBeGreaterThan(step + 5);
    expect(hebrew.x).toBeGreaterThan(end.x + end.width - 3);
    expect(await page.locator(".map [dir=rtl]").count()).toBeGreaterThan(0);
  });
});

describe("the looks", () => {
  test("a dark page: zero is the page's own colour, text reads", async () => {
    const page = await open(harbour, { dark: true });
    await page.getByText("output", { exact: true }).first().click();
    const zero = ramp("red-blue", "dark").zero;
    expect((await grounds(page)).filter((ground) => ground === zero).length).toBe(155);
    const ground = await page.locator(".app").evaluate((element) => getComputedStyle(element).backgroundColor);
    expect(ground).toBe(`rgb(${[1, 3, 5].map((i) => parseInt(zero.slice(i, i + 2), 16)).join(", ")})`);
  });

  test("an attribute sets light or dark, the palette and the scale", async () => {
    const page = await open(harbour, { attributes: 'theme="dark" palette="colour-blind" scale="shared"' });
    const most = Math.max(...harbour.layers.flatMap(({ score }) => score.map(Math.abs)));
    await choose(page, "wordpieces");
    const score = harbour.layers[0]!.score;
    const expected = (palette: "red-blue" | "colour-blind", theme: "light" | "dark") => score.map((x) => ramp(palette, theme).cell(x / most).background);
    expect(await grounds(page)).toEqual(expected("colour-blind", "dark"));
    await page.locator("spanlift-explanation").evaluate((element) => element.setAttribute("theme", "light"));
    await page.locator("spanlift-explanation").evaluate((element) => element.setAttribute("palette", "red-blue"));
    expect(await grounds(page)).toEqual(expected("red-blue", "light"));
  });

  test.each([false, true])("a phone: nothing sticks out (dark: %s)", async (dark) => {
    const page = await open(harbour, { width: 360, height: 740, dark });
    expect(await tooWide(page)).toBe(0);
    await unit(page, "1975").click();
    expect(await tooWide(page)).toBe(0);
    // The card of the chosen word is in sight.
    const box = await card(page).boundingBox();
    expect(box!.y).toBeLessThan(740);
    expect(box!.y + box!.height).toBeLessThanOrEqual(741);
    // And it does not hide the word.
    const word = await unit(page, "1975").boundingBox();
    expect(word!.y + word!.height).toBeLessThan(box!.y);
    await page.getByText("Candidates (20)").click();
    await page.getByText("Method, and how to read this").click();
    expect(await tooWide(page)).toBe(0);
  });

  test("paper: every cut, light, and no controls", async () => {
    const page = await open(harbour, { dark: true });
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    await page.getByRole("heading", { name: "Layer 6" }).waitFor();
    const titles = await page.locator("section h2").allInnerTexts();
    expect(titles).toEqual(["Layer 1", "Layer 2", "Layer 3", "Layer 4", "Layer 5", "Layer 6", "Output", "Heads", "Ledger"]);
    expect(await slider(page).count()).toBe(0);
    expect(await page.getByRole("button", { name: "Copy scores" }).count()).toBe(0);
    expect(await page.locator(".app").evaluate((element) => getComputedStyle(element).backgroundColor)).toBe("rgb(255, 255, 255)");
    await page.emulateMedia({ media: "screen" });
    await slider(page).waitFor();
    // A browser that prints says so first, and takes the page as it is then.
    const printed = await page.evaluate(() => {
      const titles = () => document.querySelector("spanlift-explanation")!.shadowRoot!.querySelectorAll("section h2").length;
      dispatchEvent(new Event("beforeprint"));
      const during = titles();
      dispatchEvent(new Event("afterprint"));
      return [during, titles()];
    });
    expect(printed).toEqual([9, 4]);
  });
});

describe("what cannot be shown", () => {
  test.each([
    ["another version", { ...harbour, version: 9 }, "version: this viewer reads version 1, got 9"],
    ["another format", { format: "x", version: 1 }, 'format: expected "spanlift.explanation", got "x"'],
    ["no JSON", "{ broken", "not JSON"],
    ["numbers that are missing", { ...harbour, word_score: [] }, "word_score: expected a list of 157, got a list of 0"],
  ])("%s", async (_, json, said) => {
    const page = await open(json, { ready: false });
    const message = page.getByRole("alert");
    await message.waitFor();
    expect(await message.innerText()).toContain(said);
    expect(await page.locator(".app").count()).toBe(0);
  });

  test("nothing at all", async () => {
    const page = await write(`<!doctype html><spanlift-explanation></spanlift-explanation><script>${script}</script>`);
    await page.getByRole("alert").waitFor();
    expect(await page.getByRole("alert").innerText()).toContain("nothing to show");
  });
});

describe("the element", () => {
  test("takes a property, set before or after it is defined, and another after that", async () => {
    const page = await blank();
    await page.goto("about:blank");
    await page.evaluate((x) => {
      const element = document.createElement("spanlift-explanation") as HTMLElement & { explanation: unknown };
      element.explanation = x;
      document.body.append(element);
    }, harbour as unknown);
    await page.addScriptTag({ content: script });
    await page.locator("header").waitFor();
    expect(await page.locator("header").innerText()).toContain("Ida Marrow");
    await page.evaluate((x) => {
      (document.querySelector("spanlift-explanation") as HTMLElement & { explanation: unknown }).explanation = x;
    }, fixture("harbour-none") as unknown);
    await page.getByText("no answer").first().waitFor();
  });

  test("finds JSON that comes later, and is defined once however often its script runs", async () => {
    const page = await write(
      `<!doctype html><meta charset="utf-8"><script>${script}</script><spanlift-explanation></spanlift-explanation><script>${script}</script>`,
    );
    await page.evaluate((json) => {
      const data = document.createElement("script");
      data.type = "application/json";
      data.textContent = json;
      document.querySelector("spanlift-explanation")!.append(data);
    }, JSON.stringify(harbour));
    await page.locator("header").waitFor();
    expect(await page.getByRole("alert").count()).toBe(0);
  });

  test.each([
    [384, 12, 12],
    [512, 24, 16],
  ])("%i tokens, %i layers, %i heads: all is drawn and follows; the times are printed", async (tokens, layers, heads) => {
    const page = await open(synthesise(harbour, { tokens, layers, heads }));
    const ready = await page.evaluate(() => (window as unknown as { readyAt: number }).readyAt);
    expect(await page.locator("canvas").count()).toBe(layers + 1);
    const moved = await page.evaluate(async () => {
      const root = document.querySelector("spanlift-explanation")!.shadowRoot!;
      const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      const input = root.querySelector("input[type=range]") as HTMLInputElement;
      const start = performance.now();
      input.value = "5";
      input.dispatchEvent(new Event("input", { bubbles: true }));
      await drawn();
      const slid = performance.now();
      root.querySelectorAll("[data-u]")[30]!.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, pointerType: "mouse" }));
      await drawn();
      return { slide: slid - start, hover: performance.now() - slid };
    });
    process.stdout.write(`${tokens} tokens, ${layers} layers: ready ${ready.toFixed(0)} ms, slide ${moved.slide.toFixed(0)} ms, hover ${moved.hover.toFixed(0)} ms\n`);
    expect(await heading(page).innerText()).toContain("Layer 5");
    expect(await card(page).locator("h2").first().innerText()).not.toBe("");
  });
});
