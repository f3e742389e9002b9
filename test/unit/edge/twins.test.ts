import { describe, expect, test } from "@jest/globals";
import { refuse, settle, written } from "#devices/twin";
import { reportOf } from "#edge/device-report";
import { boiler, setpoint, temperature } from "../../rigs/boiler.ts";
import { propertyOf, type TwinsRig, twinsRig } from "../../rigs/twins.ts";

const wished = (value: number, generation = 1, rest: object = {}) =>
  boiler("boiler-1", { desired: { setpoint: value } }, { generation, ...rest });
const wishOf = ({ twins }: TwinsRig) => propertyOf(twins.named("boiler-1"), "setpoint")?.desired;

/** The device says a value, as a visit would take it. */
function say(rig: TwinsRig, index: number, value: number): void {
  const twin = rig.twins.named("boiler-1");
  twin.properties[index] = { ...twin.properties[index], reported: { value, at: rig.clock.now(), quality: "good" } };
  rig.twins.changed(twin);
}

describe("a wish of the site", () => {
  test("is on disk when it is accepted, and there again after a restart", async () => {
    const rig = twinsRig();
    rig.declare(boiler());
    await rig.twins.desire("boiler-1", "setpoint", 70);
    const again = rig.restart();
    again.declare(boiler());
    expect(wishOf(again)).toMatchObject({ value: 70, by: "site", state: "pending", version: 1 });
    await again.twins.desire("boiler-1", "setpoint", 71);
    expect(wishOf(again)).toMatchObject({ version: 2 });
  });

  test.each([
    ["boiler-9", "setpoint", 70, "DEVICE_UNKNOWN"],
    ["boiler-1", "nothing", 70, "PROPERTY_UNKNOWN"],
    ["boiler-1", "temperature", 70, "PROPERTY_READ_ONLY"],
    ["boiler-1", "setpoint", "hot", "VALUE_INVALID"],
    ["boiler-1", "setpoint", 91, "VALUE_OUT_OF_RANGE"],
  ])("for %s %s = %j is refused with %s", async (device, property, value, code) => {
    const rig = twinsRig();
    rig.declare(boiler());
    await expect(rig.twins.desire(device, property, value)).rejects.toMatchObject({ code });
    expect(wishOf(rig)).toBeUndefined();
  });

  test("never reaches another property, also when the model changes at that moment", async () => {
    const pump = { ...setpoint, name: "pump" };
    const rig = twinsRig();
    rig.declare(boiler("boiler-1", {}, { properties: [temperature, setpoint, pump] }));
    const desired = rig.twins.desire("boiler-1", "setpoint", 70);
    rig.declare(boiler("boiler-1", {}, { generation: 2, properties: [temperature, pump, setpoint] }));
    await desired;
    const twin = rig.twins.named("boiler-1");
    expect(propertyOf(twin, "setpoint")?.desired).toMatchObject({ value: 70 });
    expect(propertyOf(twin, "pump")?.desired).toBeUndefined();
    const again = rig.restart();
    again.declare(boiler("boiler-1", {}, { generation: 2, properties: [temperature, pump, setpoint] }));
    expect(propertyOf(again.twins.named("boiler-1"), "pump")?.desired).toBeUndefined();
    expect(wishOf(again)).toMatchObject({ value: 70 });
  });

  test("is not lost when the one before it is settled at that moment", async () => {
    const rig = twinsRig();
    const twin = rig.declare(boiler());
    await rig.twins.desire("boiler-1", "setpoint", 70);
    const index = twin.indexOf.get("setpoint") ?? -1;
    const desired = rig.twins.desire("boiler-1", "setpoint", 71);
    const settled = rig.twins.settle(twin, index, refuse(twin.properties[index] ?? {}, "the device says no"));
    await Promise.all([desired, settled]);
    expect(wishOf(rig)).toMatchObject({ value: 71, state: "pending" });
    const again = rig.restart();
    again.declare(boiler());
    expect(wishOf(again)).toMatchObject({ value: 71, state: "pending" });
  });

  test.each([
    ["changes places", { generation: 2, properties: [setpoint, temperature] }],
    ["can not be driven", { generation: 2, model: undefined }],
  ])("is settled on disk under its own name, also when the model %s at that moment", async (_, rest) => {
    const rig = twinsRig();
    const twin = rig.declare(boiler());
    await rig.twins.desire("boiler-1", "setpoint", 70);
    const index = twin.indexOf.get("setpoint") ?? -1;
    const settled = rig.twins.settle(twin, index, refuse(twin.properties[index] ?? {}, "the device says no"));
    rig.declare(boiler("boiler-1", {}, rest));
    await settled;
    const again = rig.restart();
    const known = again.declare(boiler("boiler-1", {}, { generation: 3 }));
    expect(wishOf(again)).toMatchObject({ value: 70, state: "refused", reason: "the device says no" });
    expect(propertyOf(known, "temperature")?.desired).toBeUndefined();
  });

  test("for a property that leaves at that moment is refused", async () => {
    const rig = twinsRig();
    rig.declare(boiler());
    const desired = rig.twins.desire("boiler-1", "setpoint", 70);
    rig.declare(boiler("boiler-1", {}, { generation: 2, properties: [temperature] }));
    await expect(desired).rejects.toMatchObject({ code: "PROPERTY_UNKNOWN" });
  });

  test("outlives a declaration that can not be driven", async () => {
    const rig = twinsRig();
    rig.declare(boiler());
    await rig.twins.desire("boiler-1", "setpoint", 70);
    rig.declare(boiler("boiler-1", { typo: 1 }, { generation: 2 }));
    expect(rig.twins.named("boiler-1").health).toMatchObject({ online: false, reason: "CONFIG_INVALID" });
    await rig.twins.save();
    rig.declare(boiler("boiler-1", {}, { generation: 3 }));
    expect(wishOf(rig)).toMatchObject({ value: 70, by: "site" });
  });
});

describe("a wish of the cloud", () => {
  test("is heard once, whatever the cloud repeats", async () => {
    const rig = twinsRig();
    rig.declare(wished(70));
    await rig.twins.desire("boiler-1", "setpoint", 50);
    rig.declare(wished(70));
    rig.declare(wished(70, 2));
    expect(wishOf(rig)).toMatchObject({ value: 50, by: "site" });
    const again = rig.restart();
    again.declare(wished(70, 3));
    expect(wishOf(again)).toMatchObject({ value: 50, by: "site" });
    again.declare(wished(71, 4, { seen: { setpoint: 1 } }));
    expect(wishOf(again)).toMatchObject({ value: 71, by: "cloud" });
  });

  test("that the model forbids is refused at once and seen", () => {
    const rig = twinsRig();
    rig.declare(wished(1000));
    expect(wishOf(rig)).toMatchObject({ state: "refused", reason: expect.stringContaining("VALUE_OUT_OF_RANGE") });
    expect(rig.told).toContain("desired boiler-1 setpoint");
    expect(reportOf(rig.twins.named("boiler-1")).properties[1]).toMatchObject({ desired: 1000, state: "refused" });
  });

  test("ends when the cloud takes it back, also after a restart", () => {
    const rig = twinsRig();
    rig.declare(wished(70));
    rig.declare(boiler("boiler-1", {}, { generation: 2 }));
    expect(wishOf(rig)).toBeUndefined();
    const again = rig.restart();
    again.declare(boiler("boiler-1", {}, { generation: 2 }));
    expect(wishOf(again)).toBeUndefined();
  });

  test("may be absent for a property that is called like something every object has", () => {
    const rig = twinsRig();
    rig.declare(boiler("boiler-1", {}, { properties: [{ ...setpoint, name: "constructor" }] }));
    expect(rig.twins.named("boiler-1").properties).toEqual([{}]);
  });
});

test("what became of a wish is on disk too", async () => {
  const rig = twinsRig();
  const twin = rig.declare(wished(70));
  const pending = propertyOf(twin, "setpoint") ?? {};
  await rig.twins.settle(twin, 1, refuse(pending, "DEVICE_REFUSED: no"));
  const again = rig.restart();
  again.declare(wished(70, 2));
  expect(wishOf(again)).toMatchObject({ state: "refused", reason: "DEVICE_REFUSED: no" });
  const applied = settle(written(pending, true), 70, (a, b) => a === b);
  await rig.twins.settle(twin, 1, applied);
  expect(rig.told.filter((word) => word === "desired boiler-1 setpoint")).toHaveLength(3);
});

describe("a wish for a time", () => {
  test("ends by itself, and the cloud's stands again", async () => {
    const rig = twinsRig();
    rig.declare(wished(70));
    await rig.twins.desire("boiler-1", "setpoint", 50, rig.clock.now() + 1000);
    await rig.clock.pass(999);
    await rig.twins.expire();
    expect(wishOf(rig)).toMatchObject({ value: 50 });
    await rig.clock.pass(1);
    await rig.twins.expire();
    expect(wishOf(rig)).toMatchObject({ value: 70, by: "cloud", state: "pending" });
  });

  test("of a device that is gone is told to nobody", async () => {
    const rig = twinsRig();
    rig.declare(wished(70));
    await rig.twins.desire("boiler-1", "setpoint", 50, rig.clock.now() + 1000);
    rig.twins.remove("uid-boiler-1");
    await rig.clock.pass(2000);
    const before = rig.told.length;
    await rig.twins.expire();
    expect(rig.told).toHaveLength(before);
  });
});

describe("what a device said", () => {
  test("comes back as uncertain after a restart", async () => {
    const rig = twinsRig();
    rig.declare(boiler());
    say(rig, 0, 21.5);
    await rig.twins.save();
    const again = rig.restart();
    const twin = again.declare(boiler());
    expect(twin.properties[0]?.reported).toMatchObject({ value: 21.5, quality: "uncertain", at: rig.clock.now() });
    expect(again.told).toContain("known boiler-1");
  });

  test("is no longer good when the device is away, and that is told", () => {
    const rig = twinsRig();
    const twin = rig.declare(boiler());
    rig.twins.setHealth(twin, { online: true, reason: "Answering", message: "" });
    say(rig, 0, 21.5);
    rig.told.length = 0;
    rig.twins.setHealth(twin, { online: false, reason: "DEVICE_TIMEOUT", message: "silent" });
    expect(twin.properties[0]?.reported).toMatchObject({ quality: "uncertain", reason: "DEVICE_TIMEOUT: silent" });
    expect(rig.told).toEqual(["health boiler-1 DEVICE_TIMEOUT", "reported boiler-1 temperature"]);
  });

  test("goes with a property that leaves the model, and stays with one that moves", () => {
    const rig = twinsRig();
    rig.declare(boiler());
    say(rig, 0, 21.5);
    say(rig, 1, 70);
    const twin = rig.declare(boiler("boiler-1", {}, { generation: 2, properties: [setpoint] }));
    expect(twin.properties).toMatchObject([{ reported: { value: 70 } }]);
    expect(rig.told).toContain("left boiler-1 temperature");
  });
});

describe("what a device said of itself", () => {
  const identity = { vendor: "Acme", product: "PM 300" };

  test("is known after a restart, and no more when the device has another place", async () => {
    const rig = twinsRig();
    rig.twins.setIdentity(rig.declare(boiler()), identity);
    await rig.twins.save();
    const again = rig.restart();
    expect(reportOf(again.declare(boiler()))).toMatchObject({ identity });
    expect(again.declare(boiler("boiler-1", {}, { generation: 2 })).identity).toEqual(identity);
    const moved = again.declare(boiler("boiler-1", { station: { unit: 2 } }, { generation: 3 }));
    expect(reportOf(moved)).not.toHaveProperty("identity");
  });

  test("is told once, and its link too", () => {
    const rig = twinsRig();
    const twin = rig.declare(boiler());
    rig.twins.takeChanged();
    const link = { state: "up", since: 1, failures: 0 } as const;
    for (let i = 0; i < 2; i++) {
      rig.twins.setIdentity(twin, { ...identity });
      rig.twins.setLink(twin, { ...link });
      expect(rig.twins.takeChanged()).toHaveLength(i === 0 ? 1 : 0);
    }
    expect(reportOf(twin)).toMatchObject({ identity, link });
  });
});

describe("a device that is declared anew under its old name", () => {
  test("keeps the name when the one before it goes, and is told again, so that nothing of that one stays", () => {
    const rig = twinsRig();
    rig.declare(boiler());
    const second = rig.declare(boiler("boiler-1", {}, { uid: "uid-2" }));
    rig.told.length = 0;
    rig.twins.remove("uid-boiler-1");
    expect(rig.twins.named("boiler-1")).toBe(second);
    expect(rig.told).toEqual(["gone boiler-1", "known boiler-1", "health boiler-1 Starting"]);
  });
});

test("a new connection to the cloud hears of every device once", () => {
  const rig = twinsRig();
  rig.declare(boiler("a"));
  rig.declare(boiler("b"));
  rig.twins.takeChanged();
  rig.twins.tellAll();
  rig.twins.tellAll();
  expect(rig.twins.takeChanged().map(({ declared }) => declared.name)).toEqual(["a", "b"]);
  expect(rig.twins.takeChanged()).toEqual([]);
});

test("a wish of the cloud for a property that the model does not have is shown as refused", () => {
  const rig = twinsRig();
  rig.declare(boiler("boiler-1", { desired: { setpoint: 70, colour: "red" } }));
  expect(reportOf(rig.twins.named("boiler-1")).properties.at(-1)).toMatchObject({
    name: "colour",
    desired: "red",
    state: "refused",
    refusal: expect.stringContaining("PROPERTY_UNKNOWN: the model has no property colour"),
  });
});
