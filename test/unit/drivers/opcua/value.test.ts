import { describe, expect, test } from "@jest/globals";
import { variantOf } from "#drivers/opcua/encode";
import { builtIn } from "#drivers/opcua/types";
import { rawOf } from "#drivers/opcua/value";
import { Fault } from "#std/fault";

const one = (type: keyof typeof builtIn, value: unknown) => ({ dataType: builtIn[type], arrayType: 0, value });

describe("a variant", () => {
  test.each([
    ["Boolean", false, false],
    ["Int16", -3, -3],
    ["Double", 1.5, 1.5],
    ["Double", Number.NaN, Number.NaN],
    ["Int64", [0xffffffff, 0xfffffffe], -2n],
    ["Int64", [0x80000000, 0], -9223372036854775808n],
    ["UInt64", [0x00200000, 1], 9007199254740993n],
    ["String", "", ""],
    ["Guid", "09087e75-8e5e-499b-954f-f2a9603db28a", "09087e75-8e5e-499b-954f-f2a9603db28a"],
    ["ByteString", Buffer.from("ab"), "YWI="],
    ["DateTime", new Date(0), "1970-01-01T00:00:00.000Z"],
    ["LocalizedText", { text: "warm", locale: "en" }, "warm"],
    ["QualifiedName", { namespaceIndex: 2, name: "x" }, "2:x"],
    ["StatusCode", { name: "BadTimeout" }, "BadTimeout"],
    ["Variant", one("Int32", 7), 7],
  ] as const)("of type %s is its raw value", (type, value, raw) => {
    expect(rawOf(one(type, value))).toEqual(raw);
  });

  test("that is a list of 64-bit integers keeps every digit", () => {
    const variant = { dataType: builtIn.UInt64, arrayType: 1, value: [[0xffffffff, 0xffffffff]] };
    expect(rawOf(variant)).toBe('["18446744073709551615"]');
  });

  test("that is a matrix is a list of lists", () => {
    const variant = { dataType: builtIn.Int32, arrayType: 2, dimensions: [2, 1, 2], value: [1, 2, 3, 4] };
    expect(rawOf(variant)).toBe("[[[1,2]],[[3,4]]]");
  });

  test("that is a structure is JSON, with its own structures and enumerations in it", () => {
    const inner = structure({ x: ["UInt64", [0, 5]] });
    const outer = structure({
      name: ["String", "a"],
      state: ["State", 2, "enumeration"],
      at: ["Point", inner, "complex"],
    });
    expect(rawOf(one("ExtensionObject", outer))).toBe('{"name":"a","state":2,"at":{"x":"5"}}');
  });

  test("that nests without end is no value", () => {
    const endless: Record<string, unknown> = structure({ next: ["Node", undefined, "complex"] });
    endless.next = endless;
    expect(rawOf(one("ExtensionObject", endless))).toBeInstanceOf(Fault);
  });

  test.each([undefined, one("String", null), { dataType: 99, arrayType: 0, value: 1 }, one("ExtensionObject", {})])(
    "that says nothing is no value",
    (variant) => {
      expect(rawOf(variant)).toMatchObject({ code: "ANSWER_INVALID" });
    },
  );
});

describe("a raw value", () => {
  test.each([
    ["Float", 3.5e38],
    ["Double", "1"],
    ["Byte", 256],
    ["Int64", 2n ** 63n],
    ["Int32", "12x"],
    ["ByteString", "no base64!"],
    ["Guid", "1-2-3"],
    ["String", 5],
    ["DiagnosticInfo", "x"],
  ] as const)("does not fit %s when it is %p", (type, raw) => {
    expect(() => variantOf(raw, { type, rank: -1 })).toThrow(expect.objectContaining({ code: "VALUE_INVALID" }));
  });

  test.each([-1n, 0n, 2n ** 63n - 1n, -(2n ** 63n), 9007199254740993n])("of 64 bits comes back as %s", (raw) => {
    expect(rawOf(variantOf(raw, { type: "Int64", rank: -1 }))).toBe(raw);
  });

  test("that is a ragged matrix does not fit", () => {
    expect(() => variantOf("[[1,2],[3]]", { type: "Int32", rank: 2 })).toThrow("differ in length");
  });

  test("that is a text beginning with a bracket stays a text where one is wanted", () => {
    expect(variantOf("[x]", { type: "String", rank: -1 })).toMatchObject({ arrayType: 0, value: "[x]" });
  });
});

/** A structure as the stack's decoder gives it. */
function structure(fields: Record<string, readonly [type: string, value: unknown, category?: string]>) {
  const object: Record<string, unknown> = {
    applyOnAllFields(visit: (object: unknown, field: object) => void) {
      for (const [name, [fieldType, , category = "basic"]] of Object.entries(fields))
        visit(object, { name, fieldType, category });
    },
  };
  for (const [name, [, value]] of Object.entries(fields)) object[name] = value;
  return object;
}
