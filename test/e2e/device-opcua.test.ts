/** Trust and browse, against a node and the sample OPC UA server. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execute } from "#cli/program";
import { modelSpec } from "#devices/model";
import { driverTable } from "#drivers/index";
import { edgeConfig } from "#edge/config";
import { type Edge, openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { parseYaml } from "#std/yaml";
import { eventually } from "../rigs/eventually.ts";
import { folder } from "../rigs/folder.ts";
import { openSample, type Sample } from "../rigs/opcua-server.ts";
import { fakeWorld } from "../unit/cli/fake-world.ts";

const dir = folder();
let sample: Sample;
let edge: Edge;
let url: string;

beforeAll(async () => {
  sample = await openSample();
  url = `opc.tcp://127.0.0.1:${sample.port}/plant`;
  const config = edgeConfig.parse({ dataDir: dir.path, mqtt: { port: 0 }, api: { port: 0 } });
  const drivers = driverTable({ dataDir: dir.path });
  edge = await openEdge(
    { config, identity: undefined, version: "1.0.0" },
    { drivers, clock: systemClock, log: silent },
  );
  const properties = [{ name: "time", type: "string", address: { nodeId: "i=2258" }, every: "100ms" }];
  await edge.supervisor.declare({
    namespace: "default",
    name: "line-1",
    uid: "u",
    generation: 1,
    modelGeneration: 1,
    spec: { model: "line", node: "site-a", link: { endpoint: url }, station: { mode: "poll" } },
    model: { protocol: "opcua", properties },
  });
}, 60_000);
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
  await sample[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

describe("edgeadm device", () => {
  test("trust shows a stranger, and the node talks to it after it was accepted", async () => {
    const trust = (...more: string[]) => run("device", "trust", "line-1", "--site", edge.api.url, ...more);
    const shown = await trust("-o", "json");
    const { fingerprint, thumbprint, state } = JSON.parse(shown.out) as Record<string, string>;
    expect(state).toBe("undecided");
    expect((await trust()).out).toContain(`edgeadm device trust line-1 --accept ${fingerprint}`);
    expect(await trust("--accept", "00")).toMatchObject({ code: 2 });
    expect((await trust("--accept", thumbprint ?? "")).err).toContain("can be forged");
    expect(edge.twins.named("line-1").health.online).toBe(false);
    expect((await trust("--accept", fingerprint ?? "")).out).toMatch(/Decided +accepted/);
    await eventually(() => edge.twins.named("line-1").health.online, 30_000);
  }, 60_000);

  test("why shows what the server was asked, and record writes what a link plays back", async () => {
    const { out } = await run("device", "why", "line-1", "--site", edge.api.url);
    expect(out).toMatch(/Round trip +[▁-█]/);
    expect(out).toMatch(/Last +\d+s ago, Read of 1 item: i=2258\n +< 1 value, all good: "20.*" +after [\d.]+ ms\n/);
    const file = join(dir.path, "line.ndjson");
    const recorded = await run("device", "record", "line-1", "-s", "1", "-f", file, "--site", edge.api.url);
    expect(recorded.err).toMatch(/^\d+ exchanges in /);
    const declared = edge.twins.named("line-1").declared;
    await edge.supervisor.declare({
      ...declared,
      name: "line-2",
      uid: "v",
      spec: { model: "line", node: "site-a", link: { file }, station: { mode: "poll" } },
    });
    await eventually(() => edge.twins.named("line-2").health.online, 10_000);
    const why = await run("device", "why", "line-2", "--site", edge.api.url);
    expect(why.out).toContain("1 of 1 properties are good");
    expect((await run("device", "trust", "line-2", "--site", edge.api.url)).err).toContain("plays back a recording");
  }, 60_000);

  test("browse lists a server, and makes a model of a selection", async () => {
    const browse = (...more: string[]) => run("device", "browse", "opcua", url, "--insecure", ...more);
    const { code, out } = await browse("--depth", "2");
    expect(code).toBe(0);
    expect(out).toMatch(/^PATH +TYPE +ACCESS +NODE +VALUE\n/);
    const all = JSON.parse((await browse("-o", "json", "--depth", "3")).out) as { path: string; class: string }[];
    const path = all.find((it) => it.class === "variable" && !it.path.startsWith("Server"))?.path ?? "";
    const model = await browse("--depth", "3", "--model", "line", "--select", path);
    const manifest = parseYaml(model.out, "the model") as { kind: string; spec: unknown };
    expect(manifest.kind).toBe("DeviceModel");
    expect(modelSpec.parse(manifest.spec)).toMatchObject({ protocol: "opcua", properties: [{ address: {} }] });
    expect((await browse("--depth", "1", "--model", "line", "--select", "nothing")).code).toBe(2);
  }, 60_000);
});

async function run(...args: string[]) {
  const world = fakeWorld();
  const code = await execute(args, world);
  return { code, ...world.said };
}
