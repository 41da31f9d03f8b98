import { describe, expect, test } from "vitest";

import { column, error, probability, signed, size } from "../../src/number";

describe("numbers", () => {
  test("have their sign and three significant digits", () => {
    expect([13.5703, -0.08234, 3, 123.45, -12345, 0.00123].map((x) => signed(x))).toEqual(["+13.6", "−0.0823", "+3.00", "+123", "−12300", "+0.00123"]);
  });

  test("zero has no sign, of either kind", () => {
    expect([signed(0), signed(-0), size(0)]).toEqual(["0", "0", "0"]);
  });

  test("rounding up makes no fourth digit", () => {
    expect([signed(9.996), signed(0.9996), signed(-99.96)]).toEqual(["+10.0", "+1.00", "−100"]);
  });

  test("the very small and the very large have an exponent", () => {
    expect([signed(2.537e-7), signed(-1.5e9), error(3.2356e-6), size(1e-4, 1)]).toEqual(["+2.54e−7", "−1.50e9", "+3.2e−6", "1e−4"]);
  });

  test("what is no number says so", () => {
    expect([signed(NaN), signed(-Infinity)]).toEqual(["not a number", "−∞"]);
  });

  test("a column has one number of decimals, and tells nothing from a little", () => {
    const write = column([15.147, -0.005, 0]);
    expect([15.147, -0.3, -0.005, 0, 0.04].map(write)).toEqual(["+15.1", "−0.3", "−0.0", "0", "+0.0"]);
    expect(column([5.678, -2], 4)(-2)).toBe("−2.000");
    expect(column([0, 0])(0)).toBe("0");
    expect(column([2e-7])(2e-7)).toBe("+2.00e−7");
  });

  test("probabilities", () => {
    expect([probability(0.69662), probability(0), probability(0.0002), probability(1)]).toEqual(["0.697", "0.000", "<0.001", "1.000"]);
  });
});
