/** Every Device of the examples can be driven, and the one that needs nothing but the simulator is. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { execute } from "#cli/program";
import { withDrivers } from "#cli/third-party";
import { expand, modelProblems } from "#devices/expand";
import { drivers } from "#drivers/index";
import { plant, plantUnits } from "#drivers/modbus/plant";
import { openSimulator } from "#drivers/modbus/simulator";
import { edgeConfig } from "#edge/config";
import { openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { z } from "#std/schema";
import { parseAllYaml } from "#std/yaml";
import { eventually } from "./rigs/eventually.ts";
import { folder } from "./rigs/folder.ts";
import { fakeWorld } from "./unit/cli/fake-world.ts";

const manifest = z.object({
  apiVersion: z.literal("devices.skerry.dev/v1alpha1"),
  kind: z.enum(["DeviceModel", "Device"]),
  metadata: z.object({ name: z.string() }),
  spec: z.looseObject({ model: z.string().optional(), protocol: z.string().optional() }),
});

const files = readdirSync("examples", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".yaml") && !name.includes("node_modules"))
  .map((name) => join("examples", name));
const objects = files.flatMap((file) =>
  parseAllYaml(readFileSync(file, "utf8"), file)
    .filter((it) => z.object({ apiVersion: z.string(), kind: z.string() }).safeParse(it).success)
    .map((it) => ({ file, ...manifest.parse(it) })),
);
const models = objects.filter(({ kind }) => kind === "DeviceModel");
const devices = objects.filter(({ kind }) => kind === "Device");
const table = withDrivers(drivers, { counter: "./index.js" }, join(process.cwd(), "examples/own-driver"));

async function schemasOf(protocol: string | undefined) {
  const schemas = await table[protocol ?? ""]?.();
  if (!schemas) throw new Error(`there is no driver ${protocol}`);
  return schemas;
}

function declarationOf(name: string) {
  const device = devices.find(({ metadata }) => metadata.name === name);
  const model = models.find(({ metadata }) => metadata.name === device?.spec.model);
  if (!device || !model) throw new Error(`${name} or its model is missing`);
  const who = { namespace: "default", name, uid: "u", generation: 1, modelGeneration: 1 };
  return { ...who, spec: device.spec, model: model.spec };
}

describe("the examples", () => {
  test("have devices of every driver", () => {
    const protocols = new Set(models.map(({ spec }) => spec.protocol));
    expect([...protocols].sort()).toEqual(Object.keys(table).sort());
  });

  test.each(models.map(({ file, metadata, spec }) => [metadata.name, file, spec] as const))(
    "model %s of %s is one of its driver",
    async (_, __, spec) => {
      expect(modelProblems(spec, await schemasOf(spec.protocol))).toEqual([]);
    },
  );

  test.each(devices.map(({ file, metadata }) => [metadata.name, file] as const))(
    "device %s of %s can be driven",
    async (name) => {
      const declared = declarationOf(name);
      expect(expand(declared, await schemasOf(declared.model.protocol)).name).toBe(name);
    },
  );
});

describe("examples/serial-*, with the simulated device", () => {
  test.each([
    ["scale-1", ["scale"], 2],
    ["scale-2", ["scale", "--unsolicited"], 2],
    ["gps-1", ["gps"], 7],
    ["meter-1", ["meter"], 5],
  ] as const)("%s has all its values", async (name, simulated, count) => {
    using dir = folder();
    const world = fakeWorld();
    const ending = execute(["simulate", ...simulated, "--port", "0", "-o", "json"], world);
    const { link } = await eventually(() => z.object({ link: z.looseObject({}) }).parse(JSON.parse(world.said.out)));
    const config = edgeConfig.parse({ dataDir: dir.path, mqtt: { port: 0 }, api: { port: 0 } });
    await using edge = await openEdge(
      { config, identity: undefined, version: "1.0.0" },
      { drivers, clock: systemClock, log: silent },
    );
    const declared = declarationOf(name);
    await edge.supervisor.declare({ ...declared, spec: { ...declared.spec, link } });
    const good = () => edge.twins.named(name).properties.filter(({ reported }) => reported?.quality === "good");
    await eventually(() => good().length === count, 10_000);
    expect(edge.twins.named(name).health.online).toBe(true);
    world.interrupt();
    expect(await ending).toBe(0);
  });
});

test("examples/modbus-plc reads and writes the simulator", async () => {
  using dir = folder();
  const units = plant();
  const mode = units.get(plantUnits.tank)?.holding.subarray(0, 1) ?? new Uint16Array();
  mode[0] = 0; // not what the example desires
  await using plc = await openSimulator({ host: "127.0.0.1", port: 0, units });
  const config = edgeConfig.parse({ dataDir: dir.path, mqtt: { port: 0 }, api: { port: 0 } });
  await using edge = await openEdge(
    { config, identity: undefined, version: "1.0.0" },
    { drivers, clock: systemClock, log: silent },
  );
  const declared = declarationOf("tank-north");
  const link = { ...(declared.spec.link as object), port: plc.port };
  await edge.supervisor.declare({ ...declared, spec: { ...declared.spec, link } });
  const twin = () => edge.twins.named("tank-north");
  await eventually(() => twin().properties.every(({ reported }) => reported?.quality === "good"));
  expect(twin().properties).toHaveLength(2);
  await eventually(() => twin().properties[1]?.desired?.state === "applied");
  expect(mode[0]).toBe(2);
  expect(twin().health.online).toBe(true);
});
