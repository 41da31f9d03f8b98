/**
 * Numbers as people read them: with their sign and three significant digits.
 *
 * The minus is U+2212, as wide as the plus, so that a column of tabular figures lines up.
 */

const MINUS = "\u2212";

function decimals(size: number, significant: number): number {
  return Math.max(0, significant - 1 - Math.floor(Math.log10(size)));
}

function exponential(size: number, digits: number): string {
  const [mantissa, exponent] = size.toExponential(digits - 1).split("e");
  return `${mantissa}e${Number(exponent) < 0 ? MINUS : ""}${Math.abs(Number(exponent))}`;
}

/** The size of a number, without its sign: `13.6`, `0.0823`, `2.54e−7`; zero is `0`. */
export function size(x: number, significant = 3): string {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "not a number" : "∞";
  const abs = Math.abs(x);
  if (abs === 0) return "0";
  // Rounded first, so that 9.996 becomes 10.0 and not 10.00.
  const rounded = Number(abs.toPrecision(significant));
  if (rounded < 1e-3 || rounded >= 1e6) return exponential(rounded, significant);
  return rounded.toFixed(decimals(rounded, significant));
}

/** With its sign: `+13.6`, `−0.0823`; zero is `0`, never signed. */
export function signed(x: number, significant = 3): string {
  const text = size(x, significant);
  if (text === "0" || Number.isNaN(x)) return text;
  return (x < 0 ? MINUS : "+") + text;
}

/** An error: two digits are enough. */
export function error(x: number): string {
  return signed(x, 2);
}

/**
 * A writer for one column: as many decimals as the largest number needs for its digits, so that points line up.
 * Zero is `0`; what only rounds to nothing keeps its sign, `−0.00`.
 */
export function column(numbers: Iterable<number>, significant = 3): (x: number) => string {
  let largest = 0;
  for (const x of numbers) largest = Math.max(largest, Math.abs(x) || 0);
  const rounded = Number(largest.toPrecision(significant));
  if (!(rounded >= 1e-3 && rounded < 1e6)) return (x) => signed(x, significant);
  const places = decimals(rounded, significant);
  return (x) => {
    if (!Number.isFinite(x) || x === 0) return signed(x);
    return (x < 0 ? MINUS : "+") + Math.abs(x).toFixed(places);
  };
}

/** A probability: `0.697`. */
export function probability(p: number): string {
  return p > 0 && p < 0.0005 ? "<0.001" : p.toFixed(3);
}
