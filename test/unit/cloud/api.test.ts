import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Cloud } from "#cloud/main";
import { openHttpClient } from "#std/undici";
import { eventually } from "../../rigs/eventually.ts";
import { telemetry } from "../../rigs/fake-edge.ts";
import { type FakeCluster, openFakeCluster } from "./fake-cluster.ts";
import { cloudOn, connect, plantOn } from "./rig.ts";

let cluster: FakeCluster;
let cloud: Cloud;

beforeEach(async () => {
  cluster = await openFakeCluster();
  cloud = await plantOn(cluster);
});
afterEach(async () => {
  await cloud[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

async function get(path: string) {
  await using client = openHttpClient({ url: cloud.urls.api });
  const { status, text } = await client.request({ method: "GET", path }, new AbortController().signal);
  return { status, text: await text() };
}

test("a cloud is alive at once and ready when it knows the cluster", async () => {
  await cloud[Symbol.asyncDispose]();
  cluster.failWith = 503;
  cloud = await cloudOn(cluster);
  expect((await get("/healthz")).status).toBe(200);
  expect((await get("/readyz")).status).toBe(503);
  cluster.failWith = undefined;
  await eventually(async () => (await get("/readyz")).status === 200);
});

test("it tells its nodes, its metrics, and what a device said", async () => {
  using edge = await connect(cloud, "site-a");
  edge.say({ kind: "rows", rows: [telemetry(1), telemetry(2)] });
  await eventually(() => edge.of("taken").length === 1);
  const { nodes } = JSON.parse((await get("/v1/nodes")).text);
  expect(nodes).toMatchObject([{ name: "site-a", connected: true, program: "fake edge" }]);
  const { rows } = JSON.parse((await get("/v1/devices/default/boiler-1/history?sinceMs=1002")).text);
  expect(rows).toMatchObject([{ node: "site-a", seq: 2, body: { values: { temperature: 2 } } }]);
  const { text } = await get("/metrics");
  expect(text).toContain("cloud_nodes_connected 1");
  expect(text).toContain("cloud_telemetry_rows 2");
});

test("a wrong query is answered with every wrong field", async () => {
  const { status, text } = await get("/v1/devices/default/boiler-1/history?sinceMs=-1&colour=red");
  expect(status).toBe(400);
  expect(JSON.parse(text).problems.map(({ path }: { path: string }) => path)).toEqual(["sinceMs", "colour"]);
});
