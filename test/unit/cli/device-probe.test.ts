/** What is probed, and what people see of it. */
import { describe, expect, test } from "@jest/globals";
import { allLines, probeLines } from "#cli/devices/probe-lines";
import { integer, linkOf, number } from "#cli/devices/probe-target";
import { decodings, matches } from "#drivers/modbus/probe";
import { Fault } from "#std/fault";

const plain = { transport: "tcp", timeout: "2s", baudRate: undefined, parity: undefined } as const;

test.each<[string, object, object]>([
  ["plc", plain, { transport: "tcp", host: "plc", timeout: "2s" }],
  ["10.0.0.7:1502", plain, { transport: "tcp", host: "10.0.0.7", port: 1502, timeout: "2s" }],
  ["[fe80::1]:502", plain, { transport: "tcp", host: "fe80::1", port: 502, timeout: "2s" }],
  ["gw:4001", { ...plain, transport: "rtu-tcp" }, { transport: "rtu-tcp", host: "gw", port: 4001, timeout: "2s" }],
  [
    "/dev/ttyUSB0",
    { ...plain, transport: "rtu", baudRate: "9600", parity: "even" },
    { transport: "rtu", path: "/dev/ttyUSB0", timeout: "2s", baudRate: 9600, parity: "even" },
  ],
])("%s over %j is a link", (target, options, link) => {
  expect(linkOf(target, options as typeof plain)).toEqual(link);
});

test.each([
  () => linkOf("http://plc", plain),
  () => linkOf("plc:port", plain),
  () => linkOf("tty", { ...plain, transport: "rtu", baudRate: "fast" }),
  () => integer("--count", "0", 1, 10),
  () => integer("--count", "1.5"),
  () => number("--expect", "warm"),
])("%s is a mistake of usage", (act) => {
  let found: unknown;
  try {
    act();
  } catch (error) {
    found = error;
  }
  expect(Fault.is(found, "USAGE_INVALID")).toBe(true);
});

describe("what a probe found", () => {
  const rows = decodings([0x00d7, undefined, 0x41ac, 0x0000], "holding", 10);

  test("stands side by side, with a star at what gives the expected number", () => {
    const lines = probeLines({ rows, matches: matches(rows, 21.5) }, 21.5);
    expect(lines[0]).toMatch(/^REGISTER +HEX +INT16 +UINT16 +INT32 +INT32 ↔ +UINT32 +FLOAT32 +FLOAT32 ↔$/);
    expect(lines[1]).toMatch(/^10 +00d7 +215 \* +215 \*/);
    expect(lines[2]).toMatch(/^11 +-$/);
    expect(lines[3]).toMatch(/^12 +41ac .* 21\.5 \*/);
    expect(lines).toContain("what gives 21.5, the likeliest first:");
    expect(lines.join("\n")).toContain("address: { register: 12, type: float32 }");
    expect(lines.join("\n")).toMatch(/address: \{ register: 10, type: int16 \} +scale: 0\.1/);
  });

  test("says what to try when nothing fits", () => {
    expect(probeLines({ rows, matches: [] }, 7).at(-1)).toMatch("nothing gives 7: try another table");
  });

  test("of bits is bits", () => {
    const bits = decodings([1, 0], "coil", 0);
    expect(probeLines({ rows: bits, matches: [] }, undefined)).toEqual([
      "REGISTER   HEX   BOOL",
      "0          1     true",
      "1          0     false",
    ]);
  });

  test("can be shown whole", () => {
    expect(allLines({ rows, matches: [] }).length).toBeGreaterThan(20);
  });
});
