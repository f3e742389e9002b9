import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Raw } from "#devices/driver";
import { extractor } from "#drivers/serial/extract";
import { address } from "#drivers/serial/schema/address";
import { Fault } from "#std/fault";

/** The raw value in a frame, or the code of the fault. */
function taken(written: object, frame: string | Buffer): Raw {
  const bytes = typeof frame === "string" ? Buffer.from(frame, "latin1") : frame;
  const raw = extractor(address.parse(written), "07")?.({ bytes, text: bytes.toString("latin1") });
  return raw instanceof Fault ? raw.code : (raw as Raw);
}

describe("a number", () => {
  const cases: readonly (readonly [object, string, Raw])[] = [
    [{}, "12", 12],
    [{}, "+   123.45", 123.45],
    [{}, "-     0.5", -0.5],
    [{}, "  .5 ", 0.5],
    [{}, "1.5e-3", 0.0015],
    [{}, "007", 7],
    [{}, "9007199254740993", 9007199254740993n],
    [{}, "-9007199254740993", -9007199254740993n],
    [{}, "", "DEVICE_REFUSED"],
    [{}, "   ", "DEVICE_REFUSED"],
    [{}, "12 34", "ANSWER_INVALID"],
    [{}, "1,5", "ANSWER_INVALID"],
    [{}, "0x10", "ANSWER_INVALID"],
    [{}, "Infinity", "ANSWER_INVALID"],
    [{}, "1e999", "ANSWER_INVALID"],
    [{}, "--1", "ANSWER_INVALID"],
    [{ decimal: "," }, "1,5", 1.5],
    [{ decimal: "," }, "15", 15],
    [{ decimal: "," }, "1.5", "ANSWER_INVALID"],
    [{ decimal: "," }, "1.000,5", "ANSWER_INVALID"],
    [{ base: 16 }, "fF", 255],
    [{ base: 16 }, "-10", -16],
    [{ base: 16 }, "ffffffffffffffff", 2n ** 64n - 1n],
    [{ base: 2 }, "102", "ANSWER_INVALID"],
    [{ base: 16 }, "-", "ANSWER_INVALID"],
    [{ base: 16 }, "", "DEVICE_REFUSED"],
    [{ map: { A: true, V: false } }, " A", true],
    [{ map: { A: true, V: false } }, "V", false],
    [{ map: { A: true, V: false } }, "X", "ANSWER_INVALID"],
    [{ map: { A: true } }, "toString", "ANSWER_INVALID"],
    [{ map: { "": 0, A: 1 } }, "", 0],
    [{ type: "text" }, "a b ", "a b "],
  ];

  test.each(cases)("declared as %j is read from %j as %p", (written, text, raw) => {
    expect(taken({ column: 0, separator: ";", ...written }, text)).toEqual(raw);
  });

  test("that was printed is the number that it was", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }), (number) => {
        expect(Number(taken({ column: 0, separator: ";" }, String(number)))).toBeCloseTo(number, 9);
      }),
    );
  });
});

describe("degrees", () => {
  const cases: readonly (readonly [string, Raw])[] = [
    ["4807.038,N", 48.1173],
    ["4807.038,S", -48.1173],
    ["01131.000,W", -11.516666667],
    ["18000.0,E", 180],
    ["9000,N", 90],
    ["9000.1,N", "ANSWER_INVALID"],
    ["18000.1,W", "ANSWER_INVALID"],
    ["4860.0,N", "ANSWER_INVALID"],
    ["4807.038,", "ANSWER_INVALID"],
    ["4807.038", "ANSWER_INVALID"],
    ["4807.038,X", "ANSWER_INVALID"],
    ["7.0,N", "ANSWER_INVALID"],
    [",", "DEVICE_REFUSED"],
  ];

  test.each(cases)("of %s are %p", (text, raw) => {
    expect(taken({ column: 0, type: "degrees" }, text)).toBe(raw);
  });

  test("are found by a pattern with both groups", () => {
    const regex = "^(?<hemisphere>[NS])(?<value>\\d+\\.\\d+)";
    expect(taken({ regex, type: "degrees" }, "S3351.408")).toBe(-33.8568);
  });
});

describe("a field", () => {
  test("is what the group of a pattern matches; the id of the station is meant literally", () => {
    expect(taken({ regex: "^{id}:(?<value>\\d+)" }, "07:5")).toBe(5);
    expect(taken({ regex: "^{id}:(?<value>\\d+)" }, "08:5")).toBe("ANSWER_INVALID");
    expect(taken({ regex: "^(a)?(?<value>\\d*)" }, "7")).toBe(7);
  });

  test("is a column, quoted or not", () => {
    const text = 'a,"1,5",,"say ""hi""",9';
    const column = (column: number) => taken({ column, type: "text" }, text);
    expect([0, 1, 2, 3, 4].map(column)).toEqual(["a", "1,5", "", 'say "hi"', "9"]);
    expect(column(5)).toBe("ANSWER_INVALID");
    expect(taken({ column: 1, separator: "; " }, "a; 2; 3")).toBe(2);
    expect(taken({ column: 1, type: "text" }, '"open,')).toBe("ANSWER_INVALID");
  });

  test("is a value of JSON", () => {
    const text = '{"a":{"b":[1,{"c":21.5}],"s":"7","t":true,"n":null}}';
    const json = (json: string, more: object = {}) => taken({ json, ...more }, text);
    expect(json("a.b[1].c")).toBe(21.5);
    expect(json("a.s")).toBe(7);
    expect(json("a.t")).toBe(true);
    expect(json("a.t", { map: { true: 5, false: 6 } })).toBe(5);
    expect(json("a.b", { type: "text" })).toBe('[1,{"c":21.5}]');
    for (const path of ["a.x", "a.b[2]", "a.n", "a.b", "constructor", "a.__proto__"])
      expect(json(path)).toBe("ANSWER_INVALID");
    expect(taken({ json: "a" }, "{")).toBe("ANSWER_INVALID");
  });

  test("is text at an offset, without what fills it up", () => {
    expect(taken({ offset: 2, length: 6 }, "N:  12.5 g")).toBe(12.5);
    expect(taken({ offset: 8, length: 3, type: "text" }, "N:  12.5 g ")).toBe("g");
    expect(taken({ offset: 8, length: 4, type: "text" }, "N:  12.5 g ")).toBe("ANSWER_INVALID");
  });

  const bytes = Buffer.from("00ff807f0102030405060708c0490fdb", "hex");
  const numbers: readonly (readonly [object, Raw])[] = [
    [{ offset: 1, type: "int8" }, -1],
    [{ offset: 1, type: "uint8" }, 255],
    [{ offset: 2, type: "int16" }, -32641],
    [{ offset: 2, type: "uint16", order: "little" }, 0x7f80],
    [{ offset: 4, type: "int32" }, 0x01020304],
    [{ offset: 4, type: "uint32", order: "little" }, 0x04030201],
    [{ offset: 4, type: "int64" }, 0x0102030405060708n],
    [{ offset: 4, type: "uint64", order: "little" }, 0x0807060504030201n],
    [{ offset: 12, type: "float32" }, Math.fround(-Math.PI)],
    [{ offset: 2, type: "bit", bit: 7 }, true],
    [{ offset: 2, type: "bit", bit: 0 }, false],
    [{ offset: 13, type: "int32" }, "ANSWER_INVALID"],
    [{ offset: 16, type: "uint8" }, "ANSWER_INVALID"],
  ];

  test.each(numbers)("%j is the number %p", (written, raw) => {
    expect(taken(written, bytes)).toBe(raw);
  });

  test("never throws, whatever the frame", () => {
    const ways = [
      { regex: "^(?<value>[^,]*)," },
      { column: 1, type: "degrees" },
      { json: "a.b" },
      { offset: 1, length: 3 },
      { offset: 1, type: "float64" },
      { column: 0, base: 36 },
    ].map((written) => extractor(address.parse(written), ""));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (frame) => {
        const bytes = Buffer.from(frame);
        for (const extract of ways) expect(extract?.({ bytes, text: bytes.toString("latin1") })).toBeDefined();
      }),
    );
  });
});
