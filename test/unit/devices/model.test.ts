import { describe, expect, test } from "@jest/globals";
import { admit, expand, modelProblems } from "#devices/expand";
import { deviceSpec, modelSpec } from "#devices/model";
import { problems } from "#std/schema";
import { boiler, schemas, setpoint, temperature } from "../../rigs/boiler.ts";

const told = (found: readonly { path: string; message: string }[]) => found.map(({ path }) => path).sort();

describe("a model", () => {
  const good = { name: "t", type: "number", address: {} };
  const wrong: readonly [what: string, property: object, path: string, message?: RegExp][] = [
    ["without a type", { name: "u", address: {} }, "type"],
    ["of a type that does not exist", { ...good, type: "float" }, "type"],
    ["without an address", { name: "u", type: "number" }, "address"],
    ["whose name can be no topic level", { ...good, name: "a/b" }, "name"],
    ["whose name begins with a digit", { ...good, name: "1st" }, "name"],
    ["with a field that is a typing mistake", { ...good, minimun: 3 }, "minimun", /unknown field/],
    ["whose minimum is above its maximum", { ...good, minimum: 5, maximum: 4 }, "minimum", /above the maximum 4/],
    ["with a scale of 0", { ...good, scale: 0 }, "scale"],
    ["with a scale for text", { ...good, type: "string", scale: 2 }, "type", /string has no scale/],
    ["with a dead band for text", { ...good, type: "string", report: { deadband: 1 } }, "report"],
    ["with a negative dead band", { ...good, report: { deadband: -1 } }, "report.deadband"],
    ["that is write only and reported", { ...good, access: "write", report: {} }, "report"],
    ["with a resolution of 0", { ...good, resolution: 0 }, "resolution"],
    ["with a period without a unit", { ...good, every: 1000 }, "every"],
    ["with no time between two readings", { ...good, every: "0ms" }, "every"],
  ];

  test.each(wrong)("refuses a property %s, and says where", (_, property, path, message = /./) => {
    const other = { ...good, name: "other" };
    const [found, ...more] = problems(modelSpec, { protocol: "modbus", properties: [other, property] });
    expect(found?.path).toBe(`properties[1].${path}`);
    expect(found?.message).toMatch(message);
    expect(more).toEqual([]);
  });

  test("refuses two properties of one name, and one without properties", () => {
    expect(problems(modelSpec, { protocol: "modbus", properties: [good, good] })).toEqual([
      { path: "properties[1].name", message: "t is there twice" },
    ]);
    expect(told(problems(modelSpec, { protocol: "", properties: [] }))).toEqual(["properties", "protocol"]);
  });

  test("tells all that is wrong at once, and with a driver its addresses too", () => {
    const bad = {
      protocol: "modbus",
      properties: [
        { ...good, scale: 0 },
        { ...good, name: "u", type: "x" },
      ],
    };
    expect(told(modelProblems(bad, schemas))).toEqual(["spec.properties[0].scale", "spec.properties[1].type"]);
    const lost = { protocol: "scripted", properties: [good, { ...good, name: "u", address: { register: -1 } }] };
    expect(told(modelProblems(lost, schemas))).toEqual(["spec.properties[1].address.register"]);
    expect(modelProblems(lost, undefined)).toEqual([]);
  });

  test("has defaults in one place", () => {
    const { properties } = modelSpec.parse({ protocol: "modbus", properties: [good] });
    expect(properties[0]).toMatchObject({ access: "read", every: 1000 });
    expect(deviceSpec.parse({ model: "m", node: "n" })).toMatchObject({
      link: {},
      station: {},
      desired: {},
      telemetry: { keep: "latest" },
    });
  });
});

describe("a device", () => {
  test("joins its declaration with its model", () => {
    const device = expand(boiler("boiler-1", { station: { unit: 7 }, desired: { setpoint: 70 } }), schemas);
    expect(device).toMatchObject({
      name: "boiler-1",
      uid: "uid-boiler-1",
      protocol: "scripted",
      station: { unit: 7 },
      desired: { setpoint: { value: 70 } },
      keep: "latest",
      points: [
        { property: "temperature", address: { register: 0 }, everyMs: 10 },
        { property: "setpoint", address: { register: 10 } },
      ],
    });
  });

  test("may override the address of single properties", () => {
    const device = expand(boiler("b", { addresses: { setpoint: { register: 99 } } }), schemas);
    expect(device.points.map(({ address }) => address)).toEqual([{ register: 0 }, { register: 99 }]);
  });

  test("tells everything that is wrong with it, with paths", () => {
    const spec = {
      link: { host: 1 },
      station: { unit: "one" },
      addresses: { setpoint: { register: -5 }, setpiont: {} },
    };
    expect(() => expand(boiler("b", spec), schemas)).toThrow(
      expect.objectContaining({
        code: "CONFIG_INVALID",
        message: expect.stringMatching(
          /^Device b: spec\.station\.unit: .*; spec\.addresses\.setpiont: .*; address of setpoint\.register: /,
        ),
      }),
    );
  });

  test("tells a wrong spec and a wrong model by their fields", () => {
    expect(() => expand(boiler("b", { nod: "x" }), schemas)).toThrow("Device b: spec.nod: unknown field");
    const broken = boiler("b", {}, { properties: [{ ...temperature, scale: 0 }] });
    expect(() => expand(broken, schemas)).toThrow("DeviceModel boiler: spec.properties[0].scale");
  });

  test("without its model says which one it misses", () => {
    expect(() => expand(boiler("b", {}, { model: undefined }), schemas)).toThrow(
      expect.objectContaining({
        code: "MODEL_UNKNOWN",
        message: "Device b: there is no DeviceModel boiler in default",
      }),
    );
  });

  test("shares its link with those who write the same in another order", () => {
    const key = (link: object) => expand(boiler("b", { link }), schemas).linkKey;
    expect(key({ host: "h", port: 1 })).toBe(key({ port: 1, host: "h" }));
    expect(key({ host: "h", port: 1 })).not.toBe(key({ host: "h", port: 2 }));
  });

  test.each(["constructor", "toString", "valueOf"])("may call a property %s", (name) => {
    const device = expand(
      boiler(
        "b",
        { addresses: { t: {} } },
        {
          properties: [
            { ...temperature, name },
            { ...temperature, name: "t" },
          ],
        },
      ),
      schemas,
    );
    expect(device.points[0]?.address).toEqual({ register: 0 });
  });

  test("takes a wish only for what can be written, in type and range", () => {
    const device = expand(boiler(), schemas);
    expect(admit(device, "setpoint", 70).name).toBe("setpoint");
    const refusals = [
      ["nothing", 1, "PROPERTY_UNKNOWN"],
      ["temperature", 20, "PROPERTY_READ_ONLY"],
      ["setpoint", "hot", "VALUE_INVALID"],
      ["setpoint", 91, "VALUE_OUT_OF_RANGE"],
    ] as const;
    for (const [property, value, code] of refusals)
      expect(() => admit(device, property, value)).toThrow(expect.objectContaining({ code }));
    expect(setpoint.maximum).toBe(90);
  });
});
