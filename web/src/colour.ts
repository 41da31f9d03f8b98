/**
 * The colours of scores: diverging scales that are neutral at zero and symmetric around it.
 *
 * For x in -1..=1 with t = |x|, a straight line in OKLab (lightness L, colour axes a and b):
 *
 *     (L, a, b)(x) = (L0, 0, 0)·(1 − t) + (L1, a_end, b_end)·t
 *
 * On a light page L0 = 1 (white) and L1 = 1/2, the scale of the printed figures. On a dark page zero is the
 * page's own dark grey, and a score gets lighter as it grows. x and −x are always equally light, so that neither
 * sign stands out and a grey copy still shows the size.
 *
 * OKLab: https://bottosson.github.io/posts/oklab/. Contrast: https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio.
 */

export type Rgb = readonly [number, number, number];
export type Palette = "red-blue" | "colour-blind";
export type Theme = "light" | "dark";
/** How a score's share of its scale becomes a place on the colours: in proportion, or by the square root of its size. */
export type Shape = "linear" | "root";

/** The place on the colours, -1 to 1, of a share of the scale. */
export function place(share: number, shape: Shape): number {
  return shape === "root" ? Math.sign(share) * Math.sqrt(Math.abs(share)) : share;
}

/** The share of the scale that has this place: what a legend writes there. */
export function shareAt(place: number, shape: Shape): number {
  return shape === "root" ? place * Math.abs(place) : place;
}

/** OKLab a and b of the two ends, positive and negative. */
const ENDS: Record<Palette, { positive: readonly [number, number]; negative: readonly [number, number] }> = {
  // #b2182b and #2166ac, the dark red and blue of ColorBrewer's RdBu.
  "red-blue": { positive: [0.171, 0.0706], negative: [-0.0395, -0.1241] },
  // Orange and a full blue: yellow against blue is what red-green blindness leaves, and chroma widens it.
  "colour-blind": { positive: [0.068, 0.1055], negative: [-0.034, -0.172] },
};

/** OKLab lightness at zero and at the ends, and how much of the ends' chroma is used. */
const LIGHTNESS: Record<Theme, { zero: number; end: number; chroma: number }> = {
  light: { zero: 1, end: 0.5, chroma: 1 },
  dark: { zero: 0.215, end: 0.56, chroma: 1.08 },
};

/** For lines, arcs and bars on the page's own ground. */
const INK: Record<Theme, number> = { light: 0.53, dark: 0.71 };

/** Steps from zero to an end. */
const STEPS = 100;

/** A cell's ground and the text that reads on it. */
export interface Cell {
  background: string;
  text: string;
}

/** The colours of one palette on one kind of page. */
export interface Ramp {
  /** The cell of a score that is x times its scale; beyond ±1 as at ±1, no number is grey. */
  cell(x: number): Cell;
  /** The cell of a place on the colours. */
  at(place: number): Cell;
  zero: string;
  positive: string;
  negative: string;
}

/** The colour of a score that is `x` times its scale. */
export function diverging(x: number, palette: Palette = "red-blue", theme: Theme = "light"): Rgb {
  if (Number.isNaN(x)) return [128, 128, 128];
  const t = Math.min(1, Math.abs(x));
  const { zero, end, chroma } = LIGHTNESS[theme];
  const [a, b] = x > 0 ? ENDS[palette].positive : ENDS[palette].negative;
  return fromOklab(zero + t * (end - zero), t * chroma * a, t * chroma * b);
}

/** All colours of one palette and theme, made once. */
export function ramp(palette: Palette, theme: Theme, shape: Shape = "linear"): Ramp {
  const cells: Cell[] = [];
  for (let i = -STEPS; i <= STEPS; i++) cells.push(cell(diverging(i / STEPS, palette, theme)));
  const grey = cell([128, 128, 128]);
  const ink = (end: readonly [number, number]) => css(fromOklab(INK[theme], end[0], end[1]));
  const at = (x: number) => cells[STEPS + Math.round(STEPS * Math.max(-1, Math.min(1, x)))] ?? grey;
  return {
    cell: (x) => at(place(x, shape)),
    at,
    zero: css(diverging(0, palette, theme)),
    positive: ink(ENDS[palette].positive),
    negative: ink(ENDS[palette].negative),
  };
}

function cell(background: Rgb): Cell {
  return { background: css(background), text: css(readableOn(background)) };
}

const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/** Black or white, whichever contrasts more: at least 4.5 to 1 on any ground. */
export function readableOn(background: Rgb): Rgb {
  return contrast(background, BLACK) >= contrast(background, WHITE) ? BLACK : WHITE;
}

/** The contrast ratio of two colours, 1 to 21. */
export function contrast(one: Rgb, other: Rgb): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

export function luminance([r, g, b]: Rgb): number {
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

export function css(colour: Rgb): string {
  return "#" + colour.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The share of light behind a byte of sRGB. */
export function linear(byte: number): number {
  const x = byte / 255;
  return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
}

/** The byte of sRGB for a share of light. */
function encoded(share: number): number {
  const x = Math.max(0, Math.min(1, share));
  return Math.round(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055));
}

function fromOklab(lightness: number, a: number, b: number): Rgb {
  const l = (lightness + 0.39633778 * a + 0.21580376 * b) ** 3;
  const m = (lightness - 0.105561346 * a - 0.06385417 * b) ** 3;
  const s = (lightness - 0.08948418 * a - 1.2914855 * b) ** 3;
  return [
    encoded(4.0767417 * l - 3.3077116 * m + 0.23096994 * s),
    encoded(-1.268438 * l + 2.6097574 * m - 0.3413194 * s),
    encoded(-0.0041960863 * l - 0.7034186 * m + 1.7076147 * s),
  ];
}
