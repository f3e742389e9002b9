import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Connection, Point, Pushed, Raw } from "#devices/driver";
import { modelProblems } from "#devices/expand";
import type { Value } from "#devices/value";
import { opcua } from "#drivers/opcua/index";
import { modelOf } from "#drivers/opcua/model";
import type { OpcuaAddress, OpcuaStation } from "#drivers/opcua/schema";
import { openSample, PLANT_A, type Sample } from "../rigs/opcua-server.ts";

const forever = new AbortController().signal;
const driver = opcua();
const station = driver.station.parse({ namespaceUri: PLANT_A });
let sample: Sample;
let connection: Connection<OpcuaStation, OpcuaAddress>;

beforeAll(async () => {
  sample = await openSample();
  connection = await driver.connect(linkOf(sample), forever);
});

afterAll(async () => {
  await connection[Symbol.asyncDispose]();
  await sample[Symbol.asyncDispose]();
});

describe("a value of a server", () => {
  test.each<[string, Raw]>([
    ["Whole", 9223372036854775807n],
    ["Natural", 18446744073709551615n],
    ["Small", -5],
    ["On", true],
    ["Name", "boiler"],
    ["Since", "2026-01-02T03:04:05.678Z"],
    ["Bytes", "AQL/"],
    ["Label", "Kessel"],
    ["List", "[1,2.5,3,4]"],
    ["Matrix", "[[1,2,3],[4,5,6]]"],
  ])("of %s is exact", async (name, raw) => {
    expect(await read({ nodeId: `s=${name}` })).toMatchObject({ ok: true, raw });
  });

  test("that is a structure comes as JSON with its fields by name", async () => {
    const reading = await read({ nodeId: "ns=0;i=2256" });
    const status = JSON.parse(String(reading?.ok && reading.raw));
    expect(status).toMatchObject({ state: 0, buildInfo: { productName: expect.any(String) } });
    expect(Date.parse(status.startTime)).not.toBeNaN();
  });

  test("can be one element of a list, or a range of it", async () => {
    expect(await read({ nodeId: "s=List", index: "1" })).toMatchObject({ raw: 2.5 });
    expect(await read({ nodeId: "s=List", index: "1:2" })).toMatchObject({ raw: "[2.5,3]" });
  });

  test("is addressed by the URI of its namespace, by its index or in the station's namespace", async () => {
    for (const nodeId of [`nsu=${PLANT_A};s=Small`, "ns=2;s=Small", "s=Small"])
      expect(await read({ nodeId })).toMatchObject({ raw: -5 });
  });
});

test("a server says who it is", async () => {
  expect(await connection.describe?.(station, forever)).toEqual({
    vendor: expect.any(String),
    product: expect.stringContaining("OPCUA"),
    revision: expect.any(String),
    build: expect.any(String),
    productUri: expect.any(String),
  });
});

test("values that a full queue of the server dropped are told with the one after them", async () => {
  const point = {
    property: "moving",
    address: driver.address.parse({ nodeId: "s=Moving", queueSize: 2 }),
    everyMs: 10,
  };
  const slow = driver.station.parse({ namespaceUri: PLANT_A, publishingInterval: "1s" });
  const stop = new AbortController();
  const pushed: Pushed[] = [];
  let value = 0;
  const moving = setInterval(() => sample.setMoving(++value), 20);
  for await (const batch of connection.watch?.(slow, [point], stop.signal) ?? []) {
    pushed.push(...batch);
    if (pushed.some(({ lost }) => lost)) break;
  }
  clearInterval(moving);
  stop.abort();
  expect(pushed[0]).not.toHaveProperty("lost");
  expect(pushed.find(({ lost }) => lost)?.reading).toMatchObject({ ok: true });
}, 20_000);

describe("a write", () => {
  test.each<[string, Raw]>([
    ["Whole", -9007199254740993n],
    ["Natural", 18446744073709551614n],
    ["Small", 127],
    ["On", false],
    ["Name", "kettle"],
    ["Since", "2027-02-03T04:05:06.007Z"],
    ["Bytes", "/wAB"],
    ["Label", "Boiler"],
    ["List", "[4,3,2,1]"],
    ["Matrix", "[[6,5,4],[3,2,1]]"],
  ])("to %s takes the type that the node wants", async (name, raw) => {
    await connection.write(station, pointOf({ nodeId: `s=${name}` }), raw, forever);
    expect(await read({ nodeId: `s=${name}` })).toMatchObject({ ok: true, raw });
  });

  test.each<[string, Raw, string]>([
    ["Small", 128, "-128 to 127"],
    ["Small", 1.5, "an integer"],
    ["Natural", -1n, "0 to 18446744073709551615"],
    ["On", 2, "true or false"],
    ["List", 1, "a list"],
    ["Since", "yesterday", "a time"],
  ])("to %s of %s does not fit, and is not sent", async (name, raw, wanted) => {
    const write = connection.write(station, pointOf({ nodeId: `s=${name}` }), raw, forever);
    await expect(write).rejects.toMatchObject({ code: "VALUE_INVALID", message: expect.stringContaining(wanted) });
  });

  test("can go to one element of a list", async () => {
    await connection.write(station, pointOf({ nodeId: "s=List" }), "[0,0,0,0]", forever);
    await connection.write(station, pointOf({ nodeId: "s=List", index: "2" }), 9, forever);
    expect(await read({ nodeId: "s=List" })).toMatchObject({ raw: "[0,0,9,0]" });
  });
});

describe("a method", () => {
  const call = (args: Record<string, Raw>) =>
    driver.call(linkOf(sample), { station, object: "s=Boiler", method: "s=Scale", args }, forever);

  test("is called with the types that it wants, and answers by name", async () => {
    expect(await call({ value: 2.5, factor: 4 })).toEqual({ product: 10 });
  });

  test.each([
    ["a missing argument", { value: 1 }],
    ["an unknown argument", { value: 1, factor: 2, colour: 3 }],
    ["an argument that does not fit", { value: 1, factor: 40_000 }],
  ])("refuses %s", async (_, args) => {
    await expect(call(args as Record<string, Raw>)).rejects.toMatchObject({ code: "VALUE_INVALID" });
  });
});

describe("a command", () => {
  const command = { object: "s=Boiler", method: "s=Scale" };
  const call = (...args: Value[]) => connection.call?.(station, command, args, forever);

  test("is a method, called with its arguments in their order", async () => {
    expect(driver.command?.parse(command)).toEqual(command);
    expect(await call(2.5, 4)).toBe(10);
  });

  test.each([[[1]], [[1, 2, 3]], [[1, null]], [[1, 40_000]]])("refuses the arguments %j", async (args) => {
    await expect(call(...args)).rejects.toMatchObject({ code: "VALUE_INVALID" });
  });
});

describe("browsing", () => {
  test("lists objects, variables and methods with their types, and makes a model that this driver takes", async () => {
    const found = [];
    for await (const one of driver.browse(linkOf(sample), { from: "ns=2;s=Boiler", depth: 2 }, forever))
      found.push(one);
    expect(found).toContainEqual(
      expect.objectContaining({
        path: "Name",
        class: "variable",
        type: "String",
        access: "readwrite",
        value: "kettle",
      }),
    );
    expect(found).toContainEqual(expect.objectContaining({ path: "Matrix", type: "Int32[][]" }));
    expect(found).toContainEqual({ path: "Scale", nodeId: `nsu=${PLANT_A};s=Scale`, class: "method" });
    const model = modelOf(found, "boiler", "devices.skerry.dev/v1alpha1");
    expect(modelProblems(model.spec, driver)).toEqual([]);
    expect(model.spec.properties).toContainEqual({
      name: "Fixed",
      type: "number",
      access: "read",
      address: { nodeId: `nsu=${PLANT_A};s=Fixed` },
    });
  });
});

function linkOf({ port }: Sample) {
  const endpoint = `opc.tcp://127.0.0.1:${port}/plant`;
  return driver.server.parse({ endpoint, security: { mode: "None", insecure: true } });
}

function pointOf(address: object): Point<OpcuaAddress> {
  return { property: "p", address: driver.address.parse(address) };
}

async function read(address: object) {
  const [reading] = await connection.read(station, [pointOf(address)], forever);
  return reading;
}
