import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";

// @ts-expect-error a plain script without types
import { METHODS, synthesise } from "../compared.mjs";
import { browser } from "./browser";

const { study } = browser();
const data = synthesise();

const tooWide = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const section = (page: Page, name: string) => page.locator(`section#${name}`);
const cell = (page: Page, row: string, method: string) =>
  section(page, "metrics")
    .locator("tbody tr")
    .filter({ has: page.getByRole("rowheader", { name: row, exact: true }) })
    .locator("td")
    .nth(1 + METHODS.indexOf(method));

describe("the page of a comparison", () => {
  test("has every section, filled", async () => {
    const page = await study(data);
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("harbour.json");
    expect(await page.getByRole("heading", { level: 2 }).allInnerTexts()).toEqual([
      "Curves",
      "Methods and metrics",
      "Agreement",
      "Sanity checks",
      "The same question under every method",
      "All tables",
    ]);
    expect(await section(page, "overview").innerText()).toContain("400, 400 get an answer, 400 have an answer");
    expect(await section(page, "curves").locator("figure").count()).toBe(8);
    expect(await section(page, "sanity").locator("figure").count()).toBe(2);
    expect(await section(page, "examples").locator("article").count()).toBe(METHODS.length);
    expect(await tooWide(page)).toBe(0);
  });

  test("without sanity checks has no section of them", async () => {
    const page = await study(synthesise({ sanity: false }));
    expect(await section(page, "sanity").count()).toBe(0);
    expect(await page.getByRole("button", { name: "Sanity" }).count()).toBe(0);
  });

  test.each([320, 390, 768])("is no wider than a window of %d pixels", async (width) => {
    const page = await study(data, { width });
    for (const details of await page.locator("summary").all()) await details.click();
    expect(await tooWide(page)).toBe(0);
  });

  test("lets methods stand out, as many as there are colours", async () => {
    const page = await study(data);
    const pick = section(page, "curves").getByRole("group", { name: "Methods that stand out" });
    const solid = () => section(page, "curves").locator("figure").first().locator("path.solid").count();
    expect(await solid()).toBe(4);
    await pick.getByRole("button", { name: "lrp" }).click();
    await pick.getByRole("button", { name: "rollout" }).click();
    expect(await solid()).toBe(6);
    expect(await pick.getByRole("button", { name: "attention" }).isDisabled()).toBe(true);
    await pick.getByRole("button", { name: "random" }).click();
    expect(await solid()).toBe(5);
    expect(await pick.getByRole("button", { name: "attention" }).isDisabled()).toBe(false);
    // The same choice below.
    expect(await section(page, "sanity").getByRole("button", { name: "random" }).getAttribute("aria-pressed")).toBe("false");
  });

  test("marks the best of a metric, and what a test does not tell from it", async () => {
    const page = await study(data);
    expect(await cell(page, "deletion area, masked", "deeplift").innerText()).toContain("●");
    expect(await cell(page, "deletion area, masked", "deep-shap").innerText()).toContain("○");
    expect(await cell(page, "deletion area, masked", "lrp").innerText()).not.toMatch(/[●○]/);
    expect(await cell(page, "deletion area, masked", "lrp").getAttribute("title")).toContain("p = <0.001");
    expect(await cell(page, "sufficiency 20\u202f%, masked", "deeplift").innerText()).toContain("●");
    expect(await cell(page, "seconds a question", "deeplift").innerText()).not.toMatch(/[●○]/);
    expect((await cell(page, "|sum − Δt| / |Δt|", "deeplift").innerText()).trim()).toMatch(/^2\.0e−7$/);
  });

  test("shows the numbers of a group", async () => {
    const page = await study(data);
    expect(await cell(page, "deletion area, masked", "deeplift").innerText()).toContain("14");
    await section(page, "curves").getByRole("combobox").selectOption("right\nwrong");
    expect(await cell(page, "deletion area, masked", "deeplift").innerText()).toContain("13");
    // Tests are of all questions.
    expect(await section(page, "metrics").innerText()).not.toContain("○");
  });

  test("shows agreement by each measure", async () => {
    const page = await study(data);
    const first = section(page, "agreement").locator("tbody tr").first().locator("td");
    expect(await first.allInnerTexts()).toEqual(["", "0.88", "0.75", "0.63", "0.50", "0.38", "0.25", "0.13", "0"]);
    await section(page, "agreement").getByRole("radio", { name: "ten first words" }).check();
    expect(await section(page, "agreement").innerText()).toContain("ten first words that are among those of another");
  });

  test("shows a question under every method, in the colours of its own scale", async () => {
    const page = await study(data);
    const examples = section(page, "examples");
    expect(await examples.getByRole("heading", { level: 3 }).innerText()).toBe("Who built the harbour?");
    const [deeplift, other] = [examples.locator("article").first(), examples.locator("article").nth(1)];
    expect(await deeplift.innerText()).toContain("largest 1.00; Σ +10.0");
    expect(await other.innerText()).toContain("+1.00 off Δt +10.0");
    expect(await deeplift.locator("p.passage").innerText()).toMatch(/^harbour \w+ \w+/);
    expect(await deeplift.locator("span.answer").count()).toBe(1);
    await examples.getByRole("group", { name: "Question" }).getByRole("button").nth(4).click();
    expect(await examples.getByText("no answer").first().isVisible()).toBe(true);
    expect(await examples.locator("span.answer").count()).toBe(0);
  });

  test("on paper is light, without controls, with its charts", async () => {
    const page = await study(data, { dark: true });
    await page.emulateMedia({ media: "print" });
    expect(await page.locator("nav").isVisible()).toBe(false);
    expect(await section(page, "tables").isVisible()).toBe(false);
    expect(await section(page, "curves").locator("figure").first().isVisible()).toBe(true);
  });
});
