import { describe, expect, test } from "vitest";

import { type Palette, type Rgb, type Theme, contrast, css, diverging, linear, luminance, ramp, readableOn } from "../../src/colour";

const SETS: [Palette, Theme][] = [
  ["red-blue", "light"],
  ["red-blue", "dark"],
  ["colour-blind", "light"],
  ["colour-blind", "dark"],
];
const STEPS = Array.from({ length: 101 }, (_, i) => i / 100);

/** CIE 1976 lightness, 0 to 100: another measure than the one the scales are made with. */
function cieLightness(colour: Rgb): number {
  const y = luminance(colour);
  return y <= 216 / 24389 ? (y * 24389) / 27 : 116 * Math.cbrt(y) - 16;
}

describe.each(SETS)("%s on %s", (palette, theme) => {
  test("zero is neutral: white on a light page, a grey on a dark one", () => {
    const [r, g, b] = diverging(0, palette, theme);
    expect(r).toBe(g);
    expect(g).toBe(b);
    expect(diverging(-0, palette, theme)).toEqual([r, g, b]);
    if (theme === "light") expect(r).toBe(255);
    else expect(r).toBeLessThan(40);
    expect(ramp(palette, theme).cell(0).background).toBe(css([r, g, b]));
  });

  test("both signs are equally far from the page, more so as they grow", () => {
    let last = -1;
    for (const t of STEPS) {
      const [positive, negative] = [cieLightness(diverging(t, palette, theme)), cieLightness(diverging(-t, palette, theme))];
      expect(Math.abs(positive - negative)).toBeLessThan(3);
      const away = Math.abs(positive - cieLightness(diverging(0, palette, theme)));
      if (t > 0) expect(away).toBeGreaterThan(last);
      last = away;
    }
    expect(last).toBeGreaterThan(35);
  });

  test("text reads on every cell", () => {
    const { cell } = ramp(palette, theme);
    const bytes = (text: string) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16)) as unknown as Rgb;
    for (const t of [...STEPS, ...STEPS.map((t) => -t)]) {
      const { background, text } = cell(t);
      expect(contrast(bytes(background), bytes(text))).toBeGreaterThanOrEqual(4.5);
    }
  });

  test("the lines' colours stand out from the page", () => {
    const bytes = (text: string) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16)) as unknown as Rgb;
    const { zero, positive, negative } = ramp(palette, theme);
    for (const ink of [positive, negative]) expect(contrast(bytes(zero), bytes(ink))).toBeGreaterThanOrEqual(4.5);
  });

  test("beyond the ends it stays at the ends, and no number is grey", () => {
    expect(diverging(7, palette, theme)).toEqual(diverging(1, palette, theme));
    expect(diverging(-Infinity, palette, theme)).toEqual(diverging(-1, palette, theme));
    expect(diverging(NaN, palette, theme)).toEqual([128, 128, 128]);
    expect(ramp(palette, theme).cell(NaN).background).toBe("#808080");
  });
});

test("the light red-blue scale is the one of the printed figures", () => {
  // The ends that the figures' scale states: (181, 28, 45) and (31, 101, 170).
  // They are computed in f32 there, so a byte may be rounded the other way.
  const stated = [181, 28, 45, 31, 101, 170];
  [...diverging(1), ...diverging(-1)].forEach((byte, i) => expect(Math.abs(byte - (stated[i] ?? 0))).toBeLessThanOrEqual(1));
});

test("black on white is 21 to 1", () => {
  expect(contrast([0, 0, 0], [255, 255, 255])).toBeCloseTo(21, 6);
  expect(readableOn([255, 255, 255])).toEqual([0, 0, 0]);
});

// Machado, Oliveira & Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
// severity 1, on linear light.
const BLINDNESS = {
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** The distance in OKLab of x and −x as such an eye sees them. */
function apart(x: number, palette: Palette, theme: Theme, matrix: number[][]): number {
  const [one, other] = [x, -x].map((x) => {
    const light = diverging(x, palette, theme).map(linear);
    const [r = 0, g = 0, b = 0] = matrix.map((row) => Math.max(0, row.reduce((sum, k, i) => sum + k * (light[i] ?? 0), 0)));
    const l = Math.cbrt(0.41222146 * r + 0.53633255 * g + 0.051445995 * b);
    const m = Math.cbrt(0.2119035 * r + 0.6806995 * g + 0.10739696 * b);
    const s = Math.cbrt(0.08830246 * r + 0.28171885 * g + 0.6299787 * b);
    return [0.21045426 * l + 0.7936178 * m - 0.004072047 * s, 1.9779985 * l - 2.4285922 * m + 0.4505937 * s, 0.025904037 * l + 0.78277177 * m - 0.80867577 * s];
  });
  return Math.hypot(...(one ?? []).map((v, i) => v - (other?.[i] ?? 0)));
}

describe.each(Object.entries(BLINDNESS))("with %s", (name, matrix) => {
  test.each(["light", "dark"] as const)("the colour-blind palette keeps the signs apart on a %s page", (theme) => {
    expect(apart(0.5, "colour-blind", theme, matrix)).toBeGreaterThan(0.13);
    expect(apart(0.25, "colour-blind", theme, matrix)).toBeGreaterThan(0.06);
    if (name !== "tritanopia") expect(apart(0.5, "colour-blind", theme, matrix)).toBeGreaterThan(1.2 * apart(0.5, "red-blue", theme, matrix));
  });
});
