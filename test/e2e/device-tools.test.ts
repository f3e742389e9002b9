/** The tools for devices, against a node with a simulated PLC: one device is well, one asks for too much, one is away. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execute } from "#cli/program";
import { drivers } from "#drivers/index";
import { modbus } from "#drivers/modbus/index";
import { openSimulator, type Simulator } from "#drivers/modbus/simulator";
import { blankUnit } from "#drivers/modbus/unit";
import { edgeConfig } from "#edge/config";
import { type Edge, openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { eventually } from "../rigs/eventually.ts";
import { folder } from "../rigs/folder.ts";
import { fakeWorld } from "../unit/cli/fake-world.ts";

const dir = folder();
let plc: Simulator;
let edge: Edge;

beforeAll(async () => {
  const identity = { vendor: "Acme", product: "PM 300", revision: "1.2" };
  const unit = { ...blankUnit({ holding: 20 }), holes: { holding: new Set([4]) }, identity };
  unit.holding.set([215, 7], 0);
  plc = await openSimulator({ host: "127.0.0.1", port: 0, units: new Map([[1, unit]]) });
  const config = edgeConfig.parse({ dataDir: dir.path, mqtt: { port: 0 }, api: { port: 0 } });
  edge = await openEdge(
    { config, identity: undefined, version: "1.0.0" },
    { drivers, clock: systemClock, log: silent },
  );
  await edge.supervisor.declare(meter("meter-1", { unit: 1 }));
  await edge.supervisor.declare(meter("meter-2", { unit: 2 }));
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
  await plc[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

describe("edgeadm device", () => {
  test("why explains a device that refuses one of its registers", async () => {
    const out = await eventually(async () => {
      const { code, out } = await run("device", "why", "meter-1", "--site", edge.api.url);
      expect(code).toBe(0);
      expect(out).toContain("3 of 4 properties are good");
      // Who it is, it is asked when there is time.
      expect(out).toContain("Identity    vendor Acme, product PM 300, revision 1.2");
      return out;
    });
    expect(out).toMatch(/ {2}broken +bad +.*illegal data address/);
    expect(out).toMatch(/Link +modbus 127\.0\.0\.1:\d+: up since/);
    expect(out).toContain("unit 1: read holding 4 (function 3)");
    expect(out).toContain("< 01 83 02");
    expect(out).toContain("Learned     holding 4 does not exist");
  });

  test("why explains a device that is silent", async () => {
    await eventually(async () => {
      const { out } = await run("device", "why", "meter-2", "--site", edge.api.url);
      expect(out).toContain("no: DEVICE_TIMEOUT");
      expect(out).toMatch(/visits? in a row missed/);
      expect(out).toContain("< no answer");
      expect(out).toMatch(/\nHint +The device is silent/);
      return true;
    });
  });

  test("why is data for a program", async () => {
    const { out } = await run("device", "why", "meter-1", "--site", edge.api.url, "-o", "json");
    expect(JSON.parse(out)).toMatchObject({
      device: "meter-1",
      bus: { link: { protocol: "modbus", state: "up" }, exchanges: expect.any(Array) },
    });
  });

  test("plan shows how a device is read, with what it has taught", async () => {
    const { out } = await run("device", "plan", "meter-1", "--site", edge.api.url);
    expect(out).toMatch(/every 50 ms: 4 properties in \d requests/);
    expect(out).toContain("unit 1: read holding 0 to 1 (function 3)");
    expect(out).toContain("learned from the device:\n  holding 4 does not exist");
  });

  test("probe finds out how a value lies in a device", async () => {
    const target = `${plc.host}:${plc.port}`;
    const { code, out } = await run("device", "probe", "modbus", target, "--count", "6", "--expect", "21.5");
    expect(code).toBe(0);
    expect(out).toMatch(/\n0 +00d7 +215 \* +215 \*/);
    expect(out).toMatch(/\* +21\.5 +address: \{ register: 0, type: int16 \} +scale: 0\.1/);
    expect(out).toContain("illegal data address");
    const silent = await run("device", "probe", "modbus", target, "--unit", "9", "--timeout", "50ms");
    expect(silent).toMatchObject({ code: 1, err: expect.stringMatching(/^edgeadm: unit 9 did not answer/) });
  });

  test("call does a command and says what became of it", async () => {
    const site = ["--site", edge.api.url];
    expect(await run("device", "call", "meter-1", "raise", ...site)).toMatchObject({
      code: 0,
      out: "meter-1 raise done\n",
    });
    const refused = await run("device", "call", "meter-1", "lower", ...site);
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining("it has: raise") });
  });

  test("conflicts lists what both sides wished at once, with the commands that end it", async () => {
    const site = ["--site", edge.api.url];
    expect(await run("device", "conflicts", ...site)).toMatchObject({ code: 0, out: "no conflicts\n" });
    const { spec, model, ...who } = meter("meter-1", { unit: 1 });
    const properties = model.properties.map((it) => (it.name === "limit" ? { ...it, conflict: "manual" } : it));
    await edge.twins.desire("meter-1", "limit", 50);
    const desired = { ...spec, desired: { limit: 70 } };
    await edge.supervisor.declare({ ...who, generation: 2, spec: desired, model: { ...model, properties } });

    const { out } = await run("device", "conflicts", "meter-1", ...site);
    expect(out).toMatch(
      /^DEVICE +PROPERTY +RULE +WHEN +KEPT +LOST\nmeter-1 +limit +manual +\d+s ago +site: 50 +cloud: 70\n/,
    );
    expect(out).toContain("\nlimit of meter-1 is for you to decide:\n");
    const asJson = JSON.parse((await run("device", "conflicts", ...site, "-o", "json")).out);
    expect(asJson).toMatchObject([{ device: "meter-1", property: "limit", kept: { by: "site", value: 50 } }]);
    expect(await run("device", "conflicts", ...site, "--node", "elsewhere")).toMatchObject({ out: "no conflicts\n" });

    const [, take] = asJson[0].settle as readonly string[];
    expect(take).toBe(`edgeadm device set meter-1 limit=70 --site ${edge.api.url}`);
    expect(await run(...(take?.split(" ").slice(1) ?? []))).toMatchObject({
      code: 0,
      out: "meter-1 limit=70 applied\n",
    });
    expect(await run("device", "conflicts", ...site)).toMatchObject({ out: "no conflicts\n" });
  });

  test("record writes what the replay of the driver plays back", async () => {
    const file = join(dir.path, "meter.ndjson");
    const { code, err } = await run("device", "record", "meter-1", "-s", "1", "-f", file, "--site", edge.api.url);
    expect(code).toBe(0);
    expect(err).toMatch(/^\d+ exchanges in /);
    const driver = modbus();
    const signal = AbortSignal.timeout(5_000);
    await using connection = await driver.connect(driver.link.parse({ transport: "replay", file }), signal);
    const points = [{ property: "power", address: driver.address.parse({ table: "holding", register: 0 }) }];
    const both = { property: "phase", address: driver.address.parse({ table: "holding", register: 1 }) };
    const readings = await connection.read(driver.station.parse({ unit: 1 }), [...points, both], signal);
    expect(readings).toMatchObject([
      { ok: true, raw: 215 },
      { ok: true, raw: 7 },
    ]);
  });

  test("record says when its file can not be written", async () => {
    const said = await run("device", "record", "meter-1", "-s", "1", "-f", "/nowhere/x", "--site", edge.api.url);
    expect(said).toMatchObject({
      code: 1,
      err: expect.stringContaining("/nowhere/x can not be written: there is no such"),
    });
  });

  test("a device that is not there is no bug", async () => {
    const { code, err } = await run("device", "why", "meter-9", "--site", edge.api.url);
    expect(code).toBe(1);
    expect(err).toMatch(/^edgeadm: there is no device meter-9 on this node \(http:[^)]+\)\nhint: /);
  });
});

async function run(...args: string[]) {
  const world = fakeWorld();
  const code = await execute(args, world);
  return { code, ...world.said };
}

function meter(name: string, station: object) {
  const property = (name: string, register: number) => ({
    name,
    type: "number",
    address: { table: "holding", register },
    every: "50ms",
  });
  return {
    namespace: "default",
    name,
    uid: `uid-${name}`,
    generation: 1,
    modelGeneration: 1,
    spec: { model: "meter", node: "site-a", station, link: { host: plc.host, port: plc.port, timeout: "200ms" } },
    model: {
      protocol: "modbus",
      properties: [
        property("power", 0),
        property("phase", 1),
        property("broken", 4),
        { ...property("limit", 10), access: "readwrite" },
      ],
      commands: [{ name: "raise", writes: { limit: 60 } }],
    },
  };
}
