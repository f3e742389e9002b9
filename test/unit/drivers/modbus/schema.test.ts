import { describe, expect, test } from "@jest/globals";
import { link } from "#drivers/modbus/link";
import { address, station } from "#drivers/modbus/schema";
import { problems, tell } from "#std/schema";

const told = (schema: Parameters<typeof problems>[0], value: unknown) => problems(schema, value).map(tell);

describe("a Modbus manifest", () => {
  test("needs little: a host, a table and a register", () => {
    expect(link.parse({ host: "10.0.0.5" })).toEqual({
      transport: "tcp",
      host: "10.0.0.5",
      port: 502,
      timeoutMs: 1000,
      retries: 0,
    });
    expect(station.parse({})).toEqual({
      unit: 1,
      maxRegisters: 125,
      maxGap: 8,
      single: false,
      identify: true,
      writeMultiple: false,
      readWrite: false,
    });
    const word = { table: "holding", register: 10 };
    expect(address.parse(word)).toEqual({ ...word, type: "uint16", words: "big", bytes: "big" });
    expect(address.parse({ table: "coil", register: 3 })).toEqual({ table: "coil", register: 3 });
  });

  test("is told every wrong field at once", () => {
    expect(told(link, { host: "", port: 70000, timeout: 5, baud: 9600 })).toHaveLength(4);
    expect(told(station, { unit: 256, maxRegisters: 126 })).toHaveLength(2);
  });

  test.each([
    [{ table: "holding", register: 1, type: "bit" }, "bit: type bit needs the number of the bit, 0 to 15"],
    [{ table: "holding", register: 1, type: "int16", bit: 2 }, "bit: only type bit has it, not int16"],
    [{ table: "holding", register: 1, type: "string" }, "length: type string needs its length in registers"],
    [{ table: "input", register: 1, length: 2 }, "length: only type string has it, not uint16"],
    [
      { table: "input", register: 65534, type: "float64" },
      "register: float64 at 65534 ends at 65537, beyond the last register 65535",
    ],
    [{ table: "coil", register: 1, type: "int16" }, "type: unknown field"],
    [{ table: "holding", register: 65536 }, "register: must be at most 65535, not 65536"],
  ])("is refused %p", (value, message) => {
    expect(told(address, value)).toEqual([message]);
  });

  test("may use the last register", () => {
    expect(told(address, { table: "input", register: 65532, type: "float64" })).toEqual([]);
  });
});
