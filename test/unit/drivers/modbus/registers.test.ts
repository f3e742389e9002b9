import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Raw } from "#devices/driver";
import { decoder, encode, type Format, wordsOf } from "#drivers/modbus/registers";

const orders = [
  ["ABCD", { words: "big", bytes: "big" }],
  ["CDAB", { words: "little", bytes: "big" }],
  ["BADC", { words: "big", bytes: "little" }],
  ["DCBA", { words: "little", bytes: "little" }],
] as const;

const big = orders[0][1];

const values = {
  int16: fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
  uint16: fc.integer({ min: 0, max: 2 ** 16 - 1 }),
  int32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  uint32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  uint64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  float32: fc.float(),
  float64: fc.double(),
  bool: fc.boolean(),
};

describe("registers", () => {
  for (const [name, order] of orders) {
    for (const [type, arbitrary] of Object.entries(values)) {
      test(`${type} in the order ${name} comes back as it went`, () => {
        const format = { type, ...order } as Format;
        fc.assert(fc.property(arbitrary, (raw) => expect(roundTrip(raw, format)).toEqual(raw)));
      });
    }

    test(`a text in the order ${name} comes back as it went`, () => {
      const format: Format = { type: "string", length: 12, ...order };
      const text = fc.string({ unit: "grapheme", maxLength: 24 }).filter((text) => fitsText(text, 24));
      fc.assert(fc.property(text, (raw) => expect(roundTrip(raw, format)).toBe(raw)));
    });
  }

  test("the four orders put the bytes where their names say", () => {
    const bytes = orders.map(([name, order]) => [name, hex(encode(0x0a0b0c0d, { type: "uint32", ...order }))]);
    expect(bytes).toEqual([
      ["ABCD", "0a0b 0c0d"],
      ["CDAB", "0c0d 0a0b"],
      ["BADC", "0b0a 0d0c"],
      ["DCBA", "0d0c 0b0a"],
    ]);
    const wide = encode(0x0102030405060708n, { type: "uint64", words: "little", bytes: "big" });
    expect(hex(wide)).toBe("0708 0506 0304 0102");
  });

  test("64-bit integers are exact beyond 2^53", () => {
    const exact = 2n ** 53n + 1n;
    expect(roundTrip(exact, { type: "uint64", ...big })).toBe(exact);
    expect(roundTrip(-exact, { type: "int64", words: "little", bytes: "little" })).toBe(-exact);
  });

  test("NaN and both infinities pass as they are", () => {
    for (const [, order] of orders) {
      for (const type of ["float32", "float64"] as const) {
        for (const raw of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0]) {
          expect(roundTrip(raw, { type, ...order })).toBe(raw);
        }
      }
    }
  });

  test("a bit is the same bit in both byte orders", () => {
    const view = viewOf([0x8001]);
    const bit = (number: number, bytes: "big" | "little") =>
      decoder({ type: "bit", bit: number, words: "big", bytes })(view, 0);
    expect([bit(0, "big"), bit(1, "big"), bit(15, "big")]).toEqual([true, false, true]);
    expect([bit(7, "little"), bit(8, "little"), bit(0, "little")]).toEqual([true, true, false]);
  });

  test("a text ends at its first NUL", () => {
    const view = viewOf([0x6869, 0x0068, 0x6900]);
    expect(decoder({ type: "string", length: 3, ...big })(view, 0)).toBe("hi");
  });

  test("bytes that are no UTF-8 are not a text", () => {
    const read = () => decoder({ type: "string", length: 1, ...big })(viewOf([0xff41]), 0);
    expect(read).toThrow(expect.objectContaining({ code: "ANSWER_INVALID" }));
  });

  test.each<[Raw, Format["type"], string]>([
    [32768, "int16", "32768 does not fit int16, which goes from -32768 to 32767"],
    [-1, "uint16", "-1 does not fit uint16"],
    [2n ** 64n, "uint64", "18446744073709551616 does not fit uint64"],
    [1.5, "int32", "1.5 is not an integer, as int32 needs"],
    [Number.NaN, "uint32", "NaN is not an integer"],
    [1e39, "float32", "1e+39 does not fit float32"],
    [true, "float64", "float64 takes a number, not a boolean"],
    ["70", "float32", "float32 takes a number, not a string"],
    [2, "bool", "2 is not a boolean, 0 or 1"],
    [7, "string", "string takes a text, not a number"],
    ["three", "string", "a text of 5 bytes does not fit 2 registers (4 bytes)"],
    ["a\0b", "string", "a text may not contain NUL"],
  ])("%p as %s is refused with the numbers", (raw, type, message) => {
    const write = () => encode(raw, { type, length: type === "string" ? 2 : undefined, ...big });
    expect(write).toThrow(expect.objectContaining({ code: "VALUE_INVALID" }));
    expect(write).toThrow(message);
  });
});

function roundTrip(raw: Raw, format: Format): Raw {
  const words = encode(raw, format);
  expect(words).toHaveLength(wordsOf(format));
  return decoder(format)(viewOf([0xdead, ...words, 0xdead]), 2);
}

function viewOf(words: readonly number[]): DataView {
  const view = new DataView(new ArrayBuffer(words.length * 2));
  for (const [i, word] of words.entries()) view.setUint16(2 * i, word);
  return view;
}

function hex(words: readonly number[]): string {
  return words.map((word) => word.toString(16).padStart(4, "0")).join(" ");
}

/** Whether the text survives UTF-8 at all: no lone surrogates, no NUL, not too long. */
function fitsText(text: string, bytes: number): boolean {
  return text.isWellFormed() && !text.includes("\0") && Buffer.byteLength(text) <= bytes;
}
