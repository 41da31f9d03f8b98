import { readFileSync } from "node:fs";

import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";

import { browser } from "./browser";

const { study } = browser();
const data = JSON.parse(readFileSync(new URL("../../../crates/spanlift-study/tests/data/training.json", import.meta.url), "utf8")) as object;

const tooWide = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const section = (page: Page, name: string) => page.locator(`section#${name}`);
const slider = (page: Page) => page.getByRole("slider", { name: "Step of the training" });
const share = (page: Page) => section(page, "roles").locator("tbody tr").filter({ has: page.getByRole("rowheader", { name: "answer", exact: true }) }).locator("td").nth(2);

describe("the page of a training", () => {
  test("has every section, filled", async () => {
    const page = await study(data);
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("invented");
    expect(await page.getByRole("heading", { level: 2 }).allInnerTexts()).toEqual(["The loss", "How the attention forms", "The probe questions", "All tables"]);
    expect(await section(page, "loss").locator("figure").count()).toBe(2);
    // Two over the layers, and one for each role.
    expect(await section(page, "roles").locator("figure").count()).toBe(13);
    expect(await section(page, "overview").innerText()).toContain("probe.json, 12 questions, at 3 steps");
    expect(await tooWide(page)).toBe(0);
  });

  test.each([320, 390, 768])("is no wider than a window of %d pixels", async (width) => {
    const page = await study(data, { width });
    for (const details of await page.locator("summary").all()) await details.click();
    expect(await tooWide(page)).toBe(0);
  });

  test("begins at the last step, and the slider moves all that is of a step", async () => {
    const page = await study(data);
    expect(await share(page).getAttribute("title")).toBe("answer, layer 3: 68\u202f%");
    expect(await section(page, "roles").locator("h3").first().innerText()).toBe("Step 40: shares by role and layer");
    await slider(page).fill("0");
    expect(await section(page, "roles").locator("h3").first().innerText()).toBe("Step 0: shares by role and layer");
    expect(await share(page).getAttribute("title")).not.toBe("answer, layer 3: 68\u202f%");
    await section(page, "questions").getByRole("combobox").selectOption("q1");
    expect(await section(page, "questions").locator("strong").first().innerText()).toBe("no answer");
    await section(page, "questions").getByRole("button", { name: "20" }).click();
    expect(await section(page, "questions").locator("strong").first().innerText()).toBe("May 1901");
    expect(await slider(page).inputValue()).toBe("1");
  });

  test("shows the difference from the first step, and those with an answer alone", async () => {
    const page = await study(data);
    const roles = section(page, "roles");
    await roles.getByRole("radio", { name: "difference from step 0" }).check();
    expect(await share(page).getAttribute("title")).toMatch(/^answer, layer 3: \+\d+ points$/);
    await slider(page).fill("0");
    expect(await share(page).getAttribute("title")).toBe("answer, layer 3: 0 points");
    await roles.getByRole("radio", { name: "share", exact: true }).check();
    await roles.getByRole("radio", { name: "without", exact: true }).check();
    expect(await share(page).getAttribute("title")).toBe("answer, layer 3: 0\u202f%");
  });

  test("plays the steps from the first to the last", async () => {
    const page = await study(data);
    await page.getByRole("button", { name: "Play" }).click();
    expect(await slider(page).inputValue()).toBe("0");
    await page.getByRole("button", { name: "Play" }).waitFor();
    expect(await slider(page).inputValue()).toBe("2");
  });
});
