import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { compile } from "#drivers/virtual/formula";
import { noise } from "#drivers/virtual/noise";

const at = (source: string, t = 0, seed = 0) => compile(source)({ t, seed });

describe("a formula", () => {
  test.each([
    ["1 + 2 * 3", 7],
    ["(1 + 2) * 3", 9],
    ["10 - 3 - 2", 5],
    ["12 / 3 / 2", 2],
    ["7 % 4", 3],
    ["-2 * -3", 6],
    ["--2", 2],
    ["1.5e2 + 0.0", 150],
    ["2 < 3", true],
    ["2 >= 3", false],
    ["2 + 2 == 4", true],
    ["1 != 1", false],
    ["1 < 2 ? 10 : 20", 10],
    ["0 ? 1 : 0 ? 2 : 3", 3],
    ["min(3, 1, 2) + max(3, 1, 2)", 4],
    ["abs(-4) + sqrt(9) + floor(1.9) + round(1.5)", 10],
    ["sin(pi / 2) + cos(0)", 2],
    ["  20  +\t5 ", 25],
    ["(1 < 2) + 1", 2],
  ])("%s is %p", (source, expected) => {
    expect(at(source)).toBe(expected);
  });

  test("knows the time", () => {
    expect(at("20 + 5 * sin(t / 60)", 60)).toBeCloseTo(20 + 5 * Math.sin(1));
    expect(at("t % 10 < 5", 13)).toBe(true);
  });

  test.each([
    ["", "at position 1: something is missing"],
    ["1 +", "at position 4: something is missing"],
    ["1 + $", 'at position 5: "$" does not belong'],
    ["1 2", 'at position 3: "2" does not belong'],
    ["(1", 'at position 3: ")" is missing'],
    ["1 ? 2", 'at position 6: ":" is missing'],
    ["2 * temp", 'at position 5: there is no "temp"'],
    ["eval(1)", 'at position 1: there is no function "eval"'],
    ["constructor", 'at position 1: there is no "constructor"'],
    ["toString(1)", 'at position 1: there is no function "toString"'],
    ["1 constructor 2", 'at position 3: "constructor" does not belong'],
    ["sin()", 'at position 5: ")" does not belong'],
    ["sin(1, 2)", "at position 1: sin takes 1 values, not 2"],
    ["1 < 2 < 3", 'at position 7: "<" does not belong'],
  ])("%p is refused: %s", (source, message) => {
    expect(() => compile(source)).toThrow(message);
  });

  test("either gives a number or boolean, or is refused with a position; nothing else", () => {
    const words = fc.constantFrom(
      ..."t pi sin ( ) + - * / % < == ? : , 1 2.5 noise min abs x __proto__ ; '".split(" "),
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 12 }), (parts) => {
        try {
          expect(["number", "boolean"]).toContain(typeof at(parts.join(" "), 5));
        } catch (error) {
          expect(error).toMatchObject({ code: "VALUE_INVALID", message: expect.stringMatching(/^at position \d+: /) });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("noise", () => {
  test("stays between -1 and 1, repeats itself, and has no jumps", () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: -1e6, max: 1e6, noNaN: true }), (seed, x) => {
        const value = noise(seed, x);
        expect(Math.abs(value)).toBeLessThanOrEqual(1 + 1e-9);
        expect(noise(seed, x)).toBe(value);
        expect(Math.abs(noise(seed, x + 0.001) - value)).toBeLessThan(0.01);
      }),
    );
  });

  test("differs by seed", () => {
    const series = (seed: number) => Array.from({ length: 10 }, (_, x) => at("noise(t)", x, seed));
    expect(series(1)).not.toEqual(series(2));
    expect(new Set(series(1)).size).toBe(10);
  });
});
