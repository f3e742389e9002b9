/** The link and the cloud come and go; a real node, and what the cloud has of it in the end. */
import { join as joinPath } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Cloud } from "#cloud/main";
import { virtual } from "#drivers/virtual/index";
import { edgeConfig } from "#edge/config";
import { joinCloud } from "#edge/join";
import { type Edge, openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { eventually } from "../../rigs/eventually.ts";
import { folder } from "../../rigs/folder.ts";
import { openProxy, type Wire } from "../../rigs/opcua-proxy.ts";
import { type FakeCluster, openFakeCluster } from "./fake-cluster.ts";
import { boiler, boilerModel, cloudOn, deviceKind, modelKind } from "./rig.ts";

let dir: ReturnType<typeof folder>;
let cluster: FakeCluster;
let cloud: Cloud;
let line: Wire;
let edge: Edge;

const open = (port = 0) => cloudOn(cluster, { dataDir: joinPath(dir.path, "cloud"), tunnelPort: port });

beforeEach(async () => {
  dir = folder();
  cluster = await openFakeCluster();
  const properties = boilerModel.spec.properties.map((property) => ({ ...property, every: "20ms" }));
  cluster.apply(modelKind, { ...boilerModel, spec: { ...boilerModel.spec, properties } });
  cluster.apply(deviceKind, boiler("boiler-1", "site-a", { telemetry: { keep: "every" } }));
  cloud = await open();
  line = await openProxy(cloud.endpoints.tunnel.port);
  const joined = await joinCloud(cloud.urls.join, cloud.createToken("site-a"), new AbortController().signal);
  const config = edgeConfig.parse({ dataDir: joinPath(dir.path, "edge"), mqtt: { port: 0 }, api: { port: 0 } });
  const identity = { ...joined, tunnel: `wss://127.0.0.1:${line.port}` };
  const ports = { drivers: { virtual: async () => virtual() as never }, clock: systemClock, log: silent };
  edge = await openEdge({ config, identity, version: "1" } as never, ports as never);
  await eventually(async () => (await numbers()).length > 5);
});
afterEach(async () => {
  await edge[Symbol.asyncDispose]();
  await line[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

async function numbers(): Promise<readonly number[]> {
  const all = await cloud.history("default", "boiler-1", { limit: 10_000 });
  return all.map(({ body }) => (body as { seq: number }).seq);
}

/** Everything is through, once. */
async function isWhole(): Promise<void> {
  await eventually(() => edge.state().uplink.online && edge.state().backlog < 5, 20_000);
  const all = [...(await numbers())].sort((a, b) => a - b);
  expect(all.length).toBeGreaterThan(50);
  expect(all).toEqual(all.map((_, i) => i + 1));
}

/** Open sockets and running timers of this process. */
function held(): number {
  return process.getActiveResourcesInfo().filter((it) => /Timeout|TCP|TLS/.test(it)).length;
}

test("a cloud that comes and goes again and again loses nothing, doubles nothing, and leaves nothing behind", async () => {
  const { port } = cloud.endpoints.tunnel;
  const before = held();
  for (let round = 0; round < 6; round++) {
    await cloud[Symbol.asyncDispose]();
    await delay(150);
    cloud = await open(port);
    await delay(350);
  }
  await isWhole();
  await eventually(() => held() <= before + 4);
}, 40_000);

test("a node that is shut out says why, also when it lost the link first", async () => {
  expect(cloud.refuse("site-a")).toBe(true);
  await eventually(() => !edge.state().uplink.online);
  const { since } = edge.state().uplink;
  await eventually(() => edge.state().uplink.reason === "the cloud refused: site-a is not a node of this cloud");
  expect(edge.state().uplink.since).toBe(since);
});

test("a link that breaks again and again loses nothing and doubles nothing", async () => {
  for (let round = 0; round < 12; round++) {
    line.cut();
    await delay(100 + 20 * round);
  }
  await isWhole();
}, 40_000);
