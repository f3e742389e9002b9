/** The example of a driver in a package of its own, loaded by the configuration of a node. */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "@jest/globals";
import { withDrivers } from "#cli/third-party";
import { drivers } from "#drivers/index";
import { edgeConfig, parseEdgeConfig } from "#edge/config";
import { openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { parseYaml } from "#std/yaml";
import { openCounterBox } from "../rigs/counter-box.ts";
import { eventually } from "../rigs/eventually.ts";
import { folder } from "../rigs/folder.ts";

const HERE = resolve("examples/own-driver");
const read = (name: string) => readFileSync(`${HERE}/${name}`, "utf8");
const specOf = (name: string) => (parseYaml(read(name), name) as { readonly spec: unknown }).spec;

test("the example counts, and takes wishes", async () => {
  using dir = folder();
  await using box = await openCounterBox();
  const { drivers: named } = parseEdgeConfig(read("edge.yaml"), "edge.yaml");
  const config = edgeConfig.parse({ dataDir: dir.path, mqtt: { port: 0 }, api: { port: 0 }, drivers: named });
  const table = withDrivers(drivers, config.drivers, HERE);
  const ports = { drivers: table, clock: systemClock, log: silent };
  await using edge = await openEdge({ config, identity: undefined, version: "1.0.0" }, ports);
  const who = { namespace: "default", name: "counter-1", uid: "u", generation: 1, modelGeneration: 1 };
  const spec = { ...(specOf("device.yaml") as object), link: { host: "127.0.0.1", port: box.port } };
  await edge.supervisor.declare({ ...who, spec, model: specOf("model.yaml") });
  const twin = () => edge.twins.named("counter-1").properties;
  await eventually(() => twin()[0]?.reported?.value === 100);
  const now = box.tick();
  await eventually(() => twin()[0]?.reported?.value === now);
  await edge.twins.desire("counter-1", "limit", 500);
  await eventually(() => twin()[1]?.desired?.state === "applied");
});

test.each([
  ["./missing.js", undefined, "can not be loaded"],
  ["node:path", undefined, "can not be loaded"],
  ["./none.mjs", "export const other = 1;", "is no driver"],
  ["./half.mjs", 'export const driver = { protocol: "counter" };', "link is no schema"],
])("%s is told to be no driver", async (name, text, message) => {
  using dir = folder();
  if (text !== undefined) writeFileSync(join(dir.path, name), text);
  const loading = withDrivers({}, { counter: name }, dir.path).counter?.();
  await expect(loading).rejects.toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining(message) });
});

test("a driver for another protocol, or for one that is there, is refused", async () => {
  await expect(withDrivers({}, { tally: "./index.js" }, HERE).tally?.()).rejects.toThrow("speaks counter, not tally");
  expect(() => withDrivers(drivers, { modbus: "./index.js" }, HERE)).toThrow("the product has one already");
});
