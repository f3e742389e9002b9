import { describe, expect, test } from "@jest/globals";
import { viewOf } from "#cli/devices/kube";
import { deviceLines } from "#cli/devices/lines";
import type { DeviceView, PropertyView } from "#cli/devices/view";
import { parseValue, parseWishes } from "#cli/devices/wishes";
import { Fault, type FaultCode } from "#std/fault";

const boiler = device([
  { name: "setpoint", type: "number", access: "readwrite", minimum: 20, maximum: 90 },
  { name: "pump", type: "boolean", access: "readwrite" },
  { name: "label", type: "string", access: "write" },
  { name: "counter", type: "integer", access: "readwrite" },
  { name: "recipe", type: "json", access: "readwrite" },
  { name: "temperature", type: "number", access: "read" },
]);

describe("wishes on the command line", () => {
  test("are read by the type of their property", () => {
    const texts = ["setpoint=65.5", "pump=on", "label=a=b c", "counter=-7", 'recipe={"a":[1]}'];
    expect(parseWishes(boiler, texts).map(({ value }) => value)).toEqual([65.5, true, "a=b c", -7, { a: [1] }]);
  });

  test("keep the digits of an integer beyond 2^53", () => {
    expect(parseValue({ name: "n", type: "integer" }, "9007199254740993")).toBe("9007199254740993");
  });

  test.each<[string, FaultCode]>([
    ["setpoint", "USAGE_INVALID"],
    ["=5", "USAGE_INVALID"],
    ["setpont=5", "PROPERTY_UNKNOWN"],
    ["temperature=5", "PROPERTY_READ_ONLY"],
    ["setpoint=warm", "VALUE_INVALID"],
    ["setpoint=", "VALUE_INVALID"],
    ["setpoint=Infinity", "VALUE_INVALID"],
    ["setpoint=91", "VALUE_OUT_OF_RANGE"],
    ["pump=maybe", "VALUE_INVALID"],
    ["pump=toString", "VALUE_INVALID"],
    ["counter=1.5", "VALUE_INVALID"],
    ["recipe={", "VALUE_INVALID"],
  ])("%s is refused as %s before anything is sent", (text, code) => {
    expect(faultOf(() => parseWishes(boiler, [text]))).toBe(code);
  });

  test("one wrong wish refuses them all", () => {
    expect(() => parseWishes(boiler, ["setpoint=65", "pump=maybe"])).toThrow("pump");
  });

  test("a device without a model takes none", () => {
    const unknown = device([{ name: "setpoint" }]);
    expect(faultOf(() => parseWishes(unknown, ["setpoint=1"]))).toBe("MODEL_UNKNOWN");
  });
});

describe("a device that answers, and whose new declaration is wrong", () => {
  const conditions = (accepted: string) => [
    { type: "Ready", status: "True", reason: "Outdated", message: "answered; it runs as it was declared before" },
    { type: "Accepted", status: accepted, reason: "CONFIG_INVALID", message: "spec.station.unit: expected number" },
  ];
  const linesOf = (accepted: string) => {
    const object = {
      apiVersion: "devices.skerry.dev/v1alpha1",
      kind: "Device",
      metadata: { name: "tank-1" },
      spec: { model: "tank", node: "site-a" },
      status: { conditions: conditions(accepted) },
    };
    return deviceLines(viewOf(object, undefined), 0).join("\n");
  };

  test("says so, and that it runs as before", () => {
    expect(linesOf("False")).toMatch(/Accepted +no: CONFIG_INVALID, spec\.station\.unit: .*runs as declared before/);
    expect(linesOf("False")).toMatch(/^Ready +yes: \S+$/m);
  });

  test("says nothing when it is accepted", () => {
    expect(linesOf("True")).not.toContain("Accepted");
  });
});

describe("a table of properties", () => {
  test("ends with why one is not as it should be, and has no such column while all are", () => {
    const fine: PropertyView = { name: "setpoint", value: 65, quality: "good", at: 0, desired: 65, state: "applied" };
    const silent: PropertyView = { name: "level", value: 1, quality: "uncertain", reason: "LINK_LOST: gone", at: 0 };
    const refused: PropertyView = { ...fine, state: "refused", refusal: "VALUE_OUT_OF_RANGE: too hot" };
    const rows = (...properties: PropertyView[]) => deviceLines(device(properties), 0).slice(-properties.length - 1);
    expect(rows(fine)[0]).toMatch(/STATE$/);
    expect(rows(silent, refused)).toEqual([
      expect.stringMatching(/STATE +WHY$/),
      expect.stringMatching(/^level +1 +uncertain +0s ago +LINK_LOST: gone$/),
      expect.stringMatching(/^setpoint +65 +good +0s ago +65 +refused +VALUE_OUT_OF_RANGE: too hot$/),
    ]);
  });
});

function device(properties: readonly PropertyView[]): DeviceView {
  return { name: "boiler-1", model: "boiler", online: true, reason: "Answering", message: "", properties };
}

function faultOf(act: () => unknown): FaultCode | undefined {
  try {
    act();
  } catch (error) {
    if (Fault.is(error)) return error.code;
    throw error;
  }
  return undefined;
}
