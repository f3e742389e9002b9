import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Coded, decode, encode, same } from "#devices/codec";
import type { Raw } from "#devices/driver";
import type { Value } from "#devices/value";

const number: Coded = { name: "t", type: "number" };
const integer: Coded = { name: "n", type: "integer" };

describe("decoding", () => {
  const table: readonly [Partial<Coded>, Raw, Value][] = [
    [{}, 21.5, 21.5],
    [{ scale: 0.1 }, 214, 21.4],
    [{ scale: 0.1 }, -3, -0.3],
    [{ scale: 0.01, offset: -40 }, 6543, 25.43],
    [{ scale: 0.001 }, 1_234_567, 1234.567],
    [{ scale: 1e-10 }, 37, 3.7e-9],
    [{ scale: 1e-12 }, 12_345, 1.2345e-8],
    [{ offset: 273.15 }, 0, 273.15],
    [{ type: "integer" }, 7, 7],
    [{ type: "integer", scale: 10 }, 7, 70],
    [{ type: "integer" }, 2n ** 53n - 1n, 9_007_199_254_740_991],
    [{ type: "integer" }, 2n ** 53n + 1n, "9007199254740993"],
    [{ type: "integer" }, -(2n ** 63n), "-9223372036854775808"],
    [{ type: "integer" }, "9007199254740993", "9007199254740993"],
    [{}, "21.5", 21.5],
    [{}, " 7 ", 7],
    [{}, true, 1],
    [{ type: "boolean" }, 1, true],
    [{ type: "boolean" }, false, false],
    [{ type: "string" }, "tank", "tank"],
    [{ type: "string" }, 12, "12"],
    [{ type: "json" }, '{"a":[1]}', { a: [1] }],
    [{ type: "json" }, 3, 3],
  ];

  test.each(table)("%j takes %p as %p", (rest, raw, value) => {
    expect(decode({ ...number, ...rest }, raw)).toEqual({ value, quality: "good" });
  });

  test.each<[Partial<Coded>, Raw]>([
    [{}, Number.NaN],
    [{}, Number.POSITIVE_INFINITY],
    [{ scale: 2 }, Number.NEGATIVE_INFINITY],
    [{}, "warm"],
    [{}, ""],
    [{}, "Infinity"],
    [{ scale: 1e300 }, 1e300],
    [{ type: "boolean" }, 2],
    [{ type: "boolean" }, "true"],
    [{ type: "json" }, "{"],
  ])("%j calls %p bad and gives no value", (rest, raw) => {
    expect(decode({ ...number, ...rest }, raw)).toEqual({
      value: undefined,
      quality: "bad",
      reason: expect.stringMatching(/no/),
    });
  });

  test("a value out of range is uncertain and still shown", () => {
    const limited = { ...number, minimum: 0, maximum: 100 };
    expect(decode(limited, -1)).toEqual({ value: -1, quality: "uncertain", reason: "below the minimum 0" });
    expect(decode(limited, 101)).toMatchObject({ value: 101, quality: "uncertain" });
    expect([decode(limited, 0).quality, decode(limited, 100).quality]).toEqual(["good", "good"]);
    expect(decode({ ...limited, type: "integer" }, 2n ** 60n)).toMatchObject({ quality: "uncertain" });
  });
});

describe("encoding", () => {
  test.each<[Partial<Coded>, Value, Raw]>([
    [{ scale: 0.1 }, 21.4, 214],
    [{ scale: 0.1, offset: 20 }, 20.1, 1],
    [{ scale: 0.01, offset: -40 }, 25.43, 6543],
    [{ type: "integer" }, 7, 7],
    [{ type: "integer" }, "9007199254740993", 9007199254740993n],
    [{ type: "boolean" }, true, true],
    [{ type: "string" }, "tank", "tank"],
    [{ type: "json" }, { a: 1 }, '{"a":1}'],
  ])("%j writes %j as %p", (rest, value, raw) => {
    expect(encode({ ...number, ...rest }, value)).toEqual(raw);
  });

  test.each<[Partial<Coded>, Value, string]>([
    [{}, "21", "VALUE_INVALID"],
    [{}, true, "VALUE_INVALID"],
    [{}, null, "VALUE_INVALID"],
    [{ type: "integer" }, 1.5, "VALUE_INVALID"],
    [{ type: "integer" }, "1.5", "VALUE_INVALID"],
    [{ type: "integer" }, "1".repeat(21), "VALUE_INVALID"],
    [{ type: "boolean" }, 1, "VALUE_INVALID"],
    [{ type: "string" }, 1, "VALUE_INVALID"],
    [{ maximum: 90 }, 90.1, "VALUE_OUT_OF_RANGE"],
    [{ minimum: 20 }, 19, "VALUE_OUT_OF_RANGE"],
    [{ type: "integer", maximum: 90 }, "1000", "VALUE_OUT_OF_RANGE"],
    [{ type: "integer", minimum: 20 }, "-9007199254740993", "VALUE_OUT_OF_RANGE"],
  ])("%j refuses %j with %s", (rest, value, code) => {
    const property = { ...number, ...rest };
    expect(() => encode(property, value)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(/^t can not be/) }),
    );
  });

  test("a number in a text is held to scale and range as the number itself", () => {
    expect(encode({ ...integer, scale: 10 }, "70")).toBe(encode({ ...integer, scale: 10 }, 70));
  });
});

test("what was written reads back as the same value, whatever scale and offset", () => {
  const scales = fc.constantFrom(1, 0.1, 0.01, 0.001, 0.5, 2, 10, -0.1, 1e-6, 0.25);
  const offsets = fc.constantFrom(0, -40, 273.15, 0.5, 1000);
  fc.assert(
    fc.property(scales, offsets, fc.integer({ min: -32_768, max: 65_535 }), (scale, offset, raw) => {
      const property = { ...number, scale, offset };
      const { value, quality } = decode(property, raw);
      expect(quality).toBe("good");
      expect(Number(encode(property, value as Value)) + 0).toBe(raw + 0);
    }),
    { numRuns: 1000 },
  );
});

test("decoded numbers have the digits that people expect", () => {
  fc.assert(
    fc.property(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: 0, max: 12 }), (raw, places) => {
      const { value } = decode({ ...number, scale: Number(`1e-${places}`) }, raw);
      expect(Number(value) + 0).toBe(Number(`${raw}e-${places}`) + 0);
    }),
  );
});

test("every integer of 64 bits survives a round trip", () => {
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n), (raw) => {
      const { value } = decode(integer, raw);
      expect(BigInt(encode(integer, value as Value) as bigint)).toBe(raw);
    }),
  );
});

describe("a desired and a reported value are the same", () => {
  test.each<[Partial<Coded>, Value, Value, boolean]>([
    [{ resolution: 0.1 }, 70, 70.04, true],
    [{ resolution: 0.1 }, 70, 70.1, false],
    [{}, 21.4, Math.fround(21.4), true],
    [{}, 21.4, 21.5, false],
    [{ type: "integer" }, 7, "7", true],
    [{ type: "string" }, "a", "b", false],
    [{ type: "json" }, { a: 1, b: [2] }, { b: [2], a: 1 }, true],
  ])("%j: %j and %j, %p", (rest, desired, reported, expected) => {
    expect(same({ ...number, ...rest }, desired, reported)).toBe(expected);
  });
});

test("integers that a 32-bit float can not tell apart are not the same", () => {
  const counter = { name: "counter", type: "integer" } as const;
  expect(same(counter, 16_777_217, 16_777_216)).toBe(false);
  expect(same(counter, 16_777_217, 16_777_217)).toBe(true);
});
