import { describe, expect, test } from "@jest/globals";
import type { Raw } from "#devices/driver";
import { openConnection } from "#drivers/modbus/connection";
import { decoder, encode, type Format } from "#drivers/modbus/registers";
import { address, station } from "#drivers/modbus/schema";
import type { Transport } from "#drivers/modbus/transport";
import { answer, blankUnit, type Unit } from "#drivers/modbus/unit";

const big = { words: "big", bytes: "big" } as const;
const forever = new AbortController().signal;

describe("registers hold", () => {
  test.each<[Raw, Partial<Format>, string]>([
    [1234, { type: "bcd16" }, "1234"],
    [12345678, { type: "bcd32" }, "1234 5678"],
    [12345678, { type: "bcd32", words: "little" }, "5678 1234"],
    ["2026-11-20T12:00:00.000Z", { type: "unix32" }, "6b1e 3cc0"],
    ["2026-11-20T12:00:00.000Z", { type: "unix64" }, "0000 0000 6b1e 3cc0"],
    ["2026-11-20T12:00:00.123Z", { type: "unixms64" }, "0000 019d a0f5 8e7b"],
    ["2026-11-20T12:34:56.789Z", { type: "datetime" }, "001a 0b14 0c22 ddd5"],
    ["größe", { type: "string", length: 4, encoding: "latin1", pad: "space" }, "6772 f6df 6520 2020"],
    ["AB", { type: "string", length: 2, encoding: "ascii", bytes: "little" }, "4241 0000"],
  ])("%p as %p in %s", (raw, format, hex) => {
    const full = { ...big, ...format } as Format;
    const words = hex.split(" ").map((word) => Number.parseInt(word, 16));
    if (full.type !== "unixms64" && !full.type.startsWith("unix")) expect(encode(raw, full)).toEqual(words);
    expect(decoder(full)(viewOf(encode(raw, full)), 0)).toEqual(raw);
  });

  test.each<[string, Partial<Format>]>([
    ["12a4", { type: "bcd16" }],
    ["001a 0d14 0c22 ddd5", { type: "datetime" }],
    ["ffff ffff ffff ffff", { type: "unix64" }],
    ["e400", { type: "string", length: 1, encoding: "ascii" }],
  ])("%s, which is nothing as %p", (hex, format) => {
    const words = hex.split(" ").map((word) => Number.parseInt(word, 16));
    const read = () => decoder({ ...big, ...format } as Format)(viewOf(words), 0);
    expect(read).toThrow(expect.objectContaining({ code: "ANSWER_INVALID" }));
  });

  test.each<[Raw, Partial<Format>]>([
    [10_000, { type: "bcd16" }],
    [-1, { type: "bcd32" }],
    ["yesterday", { type: "unix32" }],
    ["1999-01-01T00:00:00Z", { type: "datetime" }],
    ["€", { type: "string", length: 2, encoding: "latin1" }],
    ["ä", { type: "string", length: 2, encoding: "ascii" }],
  ])("never %p as %p", (raw, format) => {
    const write = () => encode(raw, { ...big, ...format } as Format);
    expect(write).toThrow(expect.objectContaining({ code: "VALUE_INVALID" }));
  });
});

describe("a register that is shared by two bytes", () => {
  test("gives each of them, and changes one without the other", async () => {
    const unit = blankUnit({ holding: 1 });
    unit.holding[0] = 0x12f0;
    const connection = openConnection(lineTo(unit), Date.now);
    const byte = (type: string, byte: string) => ({
      property: byte,
      address: address.parse({ table: "holding", register: 0, type, byte }),
    });
    const points = [byte("uint8", "high"), byte("int8", "low")] as const;
    expect(raws(await connection.read(station.parse({}), points, forever))).toEqual([0x12, -16]);
    await connection.write(station.parse({}), points[0], 0x34, forever);
    await connection.write(station.parse({}), points[1], -1, forever);
    expect(unit.holding[0]).toBe(0x34ff);
    const wide = connection.write(station.parse({}), points[1], 128, forever);
    await expect(wide).rejects.toThrow("128 does not fit int8, which goes from -128 to 127");
  });
});

describe("a number that means nothing", () => {
  test("is no reading, and says which number it was", async () => {
    const unit = blankUnit({ holding: 12 });
    unit.holding.set([0x8000, 0xffff, 5, 0x7fc0, 0, 0x8000, 0, 0, 0]);
    const connection = openConnection(lineTo(unit), Date.now);
    const points = [
      { register: 0, type: "int16", sentinels: [-32768] },
      { register: 1, sentinels: [65535, 65534] },
      { register: 2, sentinels: [65535] },
      { register: 3, type: "float32" },
      { register: 5, type: "int64", sentinels: ["-9223372036854775808"] },
    ].map((where, i) => ({ property: `p${i}`, address: address.parse({ table: "holding", ...where }) }));
    const readings = await connection.read(station.parse({}), points, forever);
    expect(readings.map((reading) => (reading.ok ? reading.raw : reading.fault.message))).toEqual([
      "the device has no value: it says -32768",
      "the device has no value: it says 65535",
      5,
      "the device has no value: it says NaN",
      "the device has no value: it says -9223372036854775808",
    ]);
  });
});

function lineTo(unit: Unit): Transport {
  return {
    request: async (_, pdu) => answer(unit, Buffer.from(pdu)),
    async [Symbol.asyncDispose]() {},
  };
}

function raws(readings: Awaited<ReturnType<ReturnType<typeof openConnection>["read"]>>): readonly unknown[] {
  return readings.map((reading) => (reading.ok ? reading.raw : reading.fault.code));
}

function viewOf(words: readonly number[]): DataView {
  const view = new DataView(new ArrayBuffer(words.length * 2));
  for (const [i, word] of words.entries()) view.setUint16(2 * i, word);
  return view;
}
