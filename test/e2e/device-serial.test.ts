/** Why and record for serial devices, one that is asked and one that speaks by itself, and the recordings played back by a node. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execute } from "#cli/program";
import { type Simulation, simulations } from "#cli/simulate/devices";
import { drivers } from "#drivers/index";
import { edgeConfig } from "#edge/config";
import { type Edge, openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { eventually } from "../rigs/eventually.ts";
import { folder } from "../rigs/folder.ts";
import { fakeWorld } from "../unit/cli/fake-world.ts";

const dir = folder();
const at = { host: "127.0.0.1", port: 0, unsolicited: false, clock: systemClock };
let simulated: readonly Simulation[];
let stepping: NodeJS.Timeout;
let edge: Edge;

const weight = { name: "weight", type: "number", address: { offset: 0, length: 10 }, every: "50ms" };
const latitude = { name: "latitude", type: "number", address: { frame: "^\\$GPGGA,", column: 2, type: "degrees" } };
const asked = { station: { request: "\\eP\\r\\n" }, properties: [weight] };
const pushing = {
  station: { unsolicited: true, checksum: { name: "xor", form: "hex", mark: "*", skip: 1 } },
  properties: [latitude],
};

beforeAll(async () => {
  simulated = [await simulations.scale.open(at), await simulations.gps.open(at)];
  // Always the same second: what is played back is what is real.
  stepping = setInterval(() => {
    for (const { step } of simulated) step?.(13);
  }, 50);
  const config = edgeConfig.parse({ dataDir: dir.path, mqtt: { port: 0 }, api: { port: 0 } });
  edge = await openEdge(
    { config, identity: undefined, version: "1.0.0" },
    { drivers, clock: systemClock, log: silent },
  );
  const [scale, gps] = simulated.map(({ host, port }) => ({ host, port }));
  await declare("scale-1", scale, asked);
  await declare("gps-1", gps, pushing);
});
afterAll(async () => {
  clearInterval(stepping);
  await edge[Symbol.asyncDispose]();
  for (const one of simulated) await one[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

describe("edgeadm device", () => {
  test("why shows what a scale was asked and what it said", async () => {
    await eventually(() => isGood("scale-1"));
    const { out } = await run("why", "scale-1");
    expect(out).toMatch(/Round trip +[▁-█]+ +min /);
    expect(out).toMatch(
      /Last +\d+s ago, send "\\eP\\r\\n"\n +> 1b 50 0d 0a\n +< 2b 20 .* after [\d.]+ ms\n +1 frame: "\+ /,
    );
  });

  test("why shows the lines that a GPS receiver says by itself, and no round trip", async () => {
    await eventually(() => isGood("gps-1"));
    const { out } = await run("why", "gps-1");
    expect(out).not.toContain("Round trip");
    expect(out).toMatch(
      /Last +\d+s ago, by itself\n +< 24 47 .*\(\d+ bytes\)\n +\d frames, the checksum is right: "\$GPGGA/,
    );
  });

  test.each([
    ["scale-1", asked],
    ["gps-1", pushing],
  ])("record of %s is played back by a device whose link is the file", async (name, how) => {
    await eventually(() => isGood(name));
    const file = join(dir.path, `${name}.ndjson`);
    expect((await run("record", name, "-s", "1", "-f", file)).err).toMatch(/^[1-9]\d* exchanges in /);
    await declare(`${name}-played`, { file }, how);
    await eventually(() => isGood(`${name}-played`));
    const [real, played] = [name, `${name}-played`].map((it) =>
      Number(edge.twins.named(it).properties[0]?.reported?.value),
    );
    expect(played).toBe(real);
  });
});

async function declare(name: string, link: unknown, { station, properties }: typeof asked | typeof pushing) {
  await edge.supervisor.declare({
    namespace: "default",
    name,
    uid: name,
    generation: 1,
    modelGeneration: 1,
    spec: { model: "m", node: "site-a", link, station },
    model: { protocol: "serial", properties },
  });
}

function isGood(name: string): boolean {
  return edge.twins.named(name).properties[0]?.reported?.quality === "good";
}

async function run(command: string, ...args: string[]) {
  const world = fakeWorld();
  await execute(["device", command, ...args, "--site", edge.api.url], world);
  return world.said;
}
