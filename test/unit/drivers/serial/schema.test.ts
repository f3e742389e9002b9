import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { serial } from "#drivers/serial/index";
import { checksum, framing } from "#drivers/serial/schema/framing";
import { problems, type Schema, tell, z } from "#std/schema";

const { link, station, address } = serial();
const wrong = (schema: Schema<unknown>, value: unknown) => problems(schema, value).map(tell).join("; ");

describe("a link", () => {
  test("has defaults for everything but the way to the line", () => {
    expect(link.parse({ path: "/dev/ttyUSB0" })).toMatchObject({
      baudRate: 9600,
      dataBits: 8,
      parity: "none",
      timeoutMs: 1000,
    });
  });

  const cases: readonly (readonly [object, string])[] = [
    [{}, "give one of path, usb, host and file"],
    [{ path: "/dev/ttyS0", host: "10.0.0.1" }, "give one of path, usb, host and file"],
    [{ usb: { vendor: 403, product: "6001" } }, "usb.vendor"],
    [{ usb: { vendor: "0403", product: "60" } }, 'usb.product: four hexadecimal digits in quotes, such as "0403"'],
    [{ path: "x", baudRate: 0 }, "baudRate"],
    [{ path: "x", dataBits: 9 }, "dataBits"],
  ];

  test.each(cases)("%j is refused: %s", (written, problem) => {
    expect(wrong(link, written)).toContain(problem);
  });

  test("takes USB ids in either case", () => {
    expect(link.parse({ usb: { vendor: "10C4", product: "EA60" } })).toMatchObject({
      usb: { vendor: "10c4", product: "ea60" },
    });
  });
});

describe("a station", () => {
  test("is lines that end in CR LF unless it says otherwise", () => {
    expect(station.parse({})).toMatchObject({
      framing: { by: "delimiter", delimiter: "\r\n" },
      timeoutMs: 300,
      retries: 1,
    });
  });

  const cases: readonly (readonly [object, string])[] = [
    [{ framing: { by: "magic" } }, "framing"],
    [{ framing: { by: "delimiter", delimiter: "\\q" } }, "\\q is not known"],
    [{ framing: { by: "delimiter", delimiter: "€" } }, "Latin-1"],
    [{ framing: { by: "marks", start: "x", end: "x" } }, "differ from the start"],
    [{ framing: { by: "marks", after: 1 } }, "what the bytes after the end are"],
    [{ framing: { by: "silence", silence: "1s" } }, "a frame ends after 1000 ms"],
    [{ framing: { by: "length", field: 0, width: 3 } }, "framing.width"],
    [{ checksum: { name: "xor", mark: "*" } }, "form is hex"],
    [{ checksum: { name: "md5" } }, "checksum.name"],
    [{ encoding: "hex", records: ";" }, "records"],
    [{ encoding: "hex", request: "P\\r\\n" }, "hexadecimal digits"],
    [{ request: "{value}" }, "no value"],
    [{ request: "#{id}" }, "{id} is used"],
    [{ refused: "(a+)+" }, "refused: it is not linear"],
    [{ id: "a b" }, "id"],
  ];

  test.each(cases)("%j is refused: %s", (written, problem) => {
    expect(wrong(station, written)).toContain(problem);
  });
});

test("a visit may take as long as the device's own timeout and retries need, also beyond the link's", () => {
  const { timeoutMs } = serial();
  const line = link.parse({ path: "/dev/ttyS0" });
  expect(timeoutMs?.(line, station.parse({}))).toBe(1_000);
  expect(timeoutMs?.(line, station.parse({ timeout: "2s", retries: 0, quiet: "0ms" }))).toBe(2_000);
  // Three times two seconds, and twice as long for the late answers of the first two.
  expect(timeoutMs?.(line, station.parse({ timeout: "2s", retries: 2, quiet: "0ms" }))).toBe(10_000);
});

describe("an address", () => {
  const cases: readonly (readonly [object, string])[] = [
    [{}, "give one of regex, column, json and offset"],
    [{ column: 1, offset: 1, length: 2 }, "give one of regex, column, json and offset"],
    [{ regex: "^a" }, "no group (?<value>...)"],
    [{ regex: "^.*(?<value>\\d+)" }, "it is not linear"],
    [{ regex: "(?=a)(?<value>b)" }, "lookahead and lookbehind"],
    [{ frame: "^(a)\\1", column: 1 }, "backreferences"],
    [{ column: 1, type: "int16" }, "found by its offset"],
    [{ offset: 1 }, "needs its length"],
    [{ offset: 1, type: "int16", length: 2 }, "only text at an offset has it"],
    [{ offset: 1, type: "bit" }, "needs the number of the bit"],
    [{ offset: 1, type: "uint8", bit: 1 }, "others have none"],
    [{ regex: "^(?<value>a)", type: "degrees" }, "(?<hemisphere>...)"],
    [{ json: "a..b" }, "keys and indices"],
    [{ column: 1, answer: "^OK" }, "only what is written is confirmed"],
    [{ column: 1, request: "{value}" }, "no value"],
    [{ write: "{wert}" }, "{wert} is not known"],
  ];

  test.each(cases)("%j is refused: %s", (written, problem) => {
    expect(wrong(address, written)).toContain(problem);
  });

  test("may only be written", () => {
    expect(problems(address, { write: "\\eT\\r\\n" })).toEqual([]);
  });
});

test("the README says of framing and checksum what their schemas say", () => {
  const readme = readFileSync(new URL("../../../../drivers/serial/README.md", import.meta.url), "utf8");
  const { oneOf = [] } = z.toJSONSchema(framing, { io: "input" });
  const shapes = [...oneOf, z.toJSONSchema(checksum, { io: "input" })];
  expect(shapes).toHaveLength(6);
  for (const { properties = {} } of shapes as z.core.JSONSchema.BaseSchema[]) {
    for (const [name, shape] of Object.entries(properties)) {
      const { description = "", default: preset } = shape as z.core.JSONSchema.BaseSchema;
      const row = readme
        .split("\n")
        .find((line) => line.startsWith(`| \`${name}\` `) && line.includes(`| ${description} `));
      expect({ name, row }).toEqual({ name, row: expect.any(String) });
      if (preset !== undefined) expect(row).toContain(`\`${JSON.stringify(preset)}\``);
    }
  }
});
