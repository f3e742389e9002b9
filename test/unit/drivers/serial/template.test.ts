import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Raw } from "#devices/driver";
import { checksum } from "#drivers/serial/schema/framing";
import { sumOf } from "#drivers/serial/sum";
import { type Filling, render, templateProblem } from "#drivers/serial/template";

const filling: Filling = { id: "07", encoding: "latin1", sum: undefined };
const sent = (template: string, raw?: Raw, more: Partial<Filling> = {}) =>
  render(template, { ...filling, ...more, ...(raw === undefined ? {} : { raw }) }).toString("latin1");

describe("a template", () => {
  const forms: readonly (readonly [string, Raw, string])[] = [
    ["{value}", 21.5, "21.5"],
    ["{value}", 1e-7, "0.0000001"],
    ["{value}", -3, "-3"],
    ["{value}", true, "true"],
    ["{value}", "AUTO", "AUTO"],
    ["{value}", 2n ** 63n, "9223372036854775808"],
    ["{value:.2}", 21.5, "21.50"],
    ["{value:.0}", 21.6, "22"],
    ["{value:6.1}", 21.5, "  21.5"],
    ["{value:06.1}", 21.5, "0021.5"],
    ["{value:06.1}", -1.5, "-001.5"],
    ["{value:5}", "ON", "   ON"],
    ["{value:d}", 42, "42"],
    ["{value:d}", true, "1"],
    ["{value:03d}", 7, "007"],
    ["{value:04X}", 255, "00FF"],
    ["{value:x}", 255n, "ff"],
    ["#{id}={value:d}{{x}}", 5, "#07=5{x}"],
  ];

  test.each(forms)("%s makes of %s the text %s", (template, raw, text) => {
    expect(sent(template, raw)).toBe(text);
  });

  const misfits: readonly (readonly [string, Raw])[] = [
    ["{value:d}", 1.5],
    ["{value:d}", "warm"],
    ["{value:.1}", "warm"],
    ["{value}", Number.NaN],
    ["{value:.1}", Number.POSITIVE_INFINITY],
    ["{value:3d}", 1000],
    ["{value:04X}", 65_536],
    ["{value}", "a\r\nb"],
    ["{value}", "\x1bT"],
    ["{value}", "5 €"],
  ];

  test.each(misfits)("%s refuses %s", (template, raw) => {
    expect(() => sent(template, raw)).toThrow(expect.objectContaining({ code: "VALUE_INVALID" }));
  });

  test("carries the checksum over what stands before it", () => {
    const sum = sumOf(checksum.parse({ name: "xor", form: "hex", mark: "*", skip: 1 }));
    expect(sent("$PMTK220,{value:d}*{checksum}\r\n", 1000, { sum })).toBe("$PMTK220,1000*1F\r\n");
  });

  test("of hexadecimal digits is sent as bytes", () => {
    const sum = sumOf(checksum.parse({ name: "crc16-modbus", order: "little" }));
    const bytes = render("01 03 {value:04x} 00 0A {checksum}", { ...filling, encoding: "hex", sum, raw: 0 });
    expect(bytes.toString("hex")).toBe("01030000000ac5cd");
    expect(() => render("0{value:x}", { ...filling, encoding: "hex", sum, raw: 999 })).not.toThrow();
    expect(() => render("{value}", { ...filling, encoding: "hex", sum, raw: "zz" })).toThrow("hexadecimal");
  });

  test("is text in the encoding of the station", () => {
    expect(render("{value}", { ...filling, encoding: "utf8", raw: "5 €" }).toString("utf8")).toBe("5 €");
    expect(render("°", filling)).toEqual(Buffer.of(0xb0));
  });

  test("is refused with what is wrong", () => {
    expect(templateProblem("{value}", false)).toContain("no value");
    expect(templateProblem("{speed}", true)).toContain("{speed}");
    expect(templateProblem("{value:9z}", true)).toContain("{value:9z}");
    expect(templateProblem("{", true)).toContain("{{");
    expect(templateProblem("}", true)).toContain("}}");
    expect(templateProblem("{{{value}}}", true)).toBeUndefined();
  });

  test("never lets a value put a control character on the line", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.double(), fc.bigInt()), (raw) => {
        try {
          expect(sent("{value}", raw, { encoding: "utf8" })).not.toMatch(/[^\x20-\xff]/);
        } catch (error) {
          expect(error).toMatchObject({ code: "VALUE_INVALID" });
        }
      }),
    );
  });
});
