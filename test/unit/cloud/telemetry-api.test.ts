import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Cloud } from "#cloud/main";
import type { DeviceStatus } from "#devices/crd";
import { openHttpClient } from "#std/undici";
import type { Row } from "#wire/messages";
import { eventually } from "../../rigs/eventually.ts";
import { type FakeEdge, telemetry } from "../../rigs/fake-edge.ts";
import { type FakeCluster, openFakeCluster } from "./fake-cluster.ts";
import { boiler, boilerModel, connect, deviceKind, modelKind, plantOn } from "./rig.ts";

let cluster: FakeCluster;
let cloud: Cloud;
let edge: FakeEdge;
const signal = new AbortController().signal;

beforeEach(async () => {
  cluster = await openFakeCluster();
  cloud = await plantOn(cluster);
  edge = await connect(cloud, "site-a");
});
afterEach(async () => {
  edge[Symbol.dispose]();
  await cloud[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

async function get(path: string) {
  await using client = openHttpClient({ url: cloud.urls.api });
  const { status, text } = await client.request({ method: "GET", path }, signal);
  return { status, text: await text() };
}

const json = async (path: string) => JSON.parse((await get(path)).text);
const BASE = "/v1/telemetry/default/boiler-1";

function say(seq: number, at: number, values: object, bad?: object): Row {
  return telemetry(seq, { at, body: JSON.stringify({ at, seq, values, ...(bad ? { bad } : {}) }) });
}

async function told(...rows: Row[]) {
  const before = edge.of("taken").length;
  edge.say({ kind: "rows", rows });
  await eventually(() => edge.of("taken").length > before);
}

test("telemetry is asked by property and time, and what came late is marked", async () => {
  const now = Date.now();
  await told(say(1, now - 600_000, { t: 1, p: 5 }), say(2, now - 1_000, { t: 2, p: 6 }, { p: "stuck" }));
  const { messages } = await json(`${BASE}?property=t&since=1h`);
  expect(messages).toEqual([
    { at: now - 600_000, seq: 1, values: { t: 1 }, backfill: true },
    { at: now - 1_000, seq: 2, values: { t: 2 } },
  ]);
  expect((await json(`${BASE}?since=5m&property=t,p`)).messages).toEqual([
    { at: now - 1_000, seq: 2, values: { t: 2, p: 6 }, bad: { p: "stuck" } },
  ]);
  const { text } = await get(`${BASE}?format=csv&property=p&since=${now - 2_000}`);
  expect(text).toBe(
    `time,seq,property,value,quality,backfill\r\n${new Date(now - 1_000).toISOString()},2,p,6,stuck,false\r\n`,
  );
});

test("buckets are summed up on the way, as JSON and CSV", async () => {
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 60_000;
  await told(say(1, minute, { t: 1 }), say(2, minute + 1, { t: 2 }), say(3, minute + 2, { t: 6 }));
  const { buckets } = await json(`${BASE}?every=1m`);
  expect(buckets).toEqual([{ at: minute, property: "t", min: 1, max: 6, avg: 3, count: 3, last: 6 }]);
  expect((await get(`${BASE}?every=1m&format=csv`)).text).toContain(",t,1,6,3,3,6\r\n");
});

test("a wrong question is answered with every parameter that is wrong", async () => {
  const problems = async (query: string) => {
    const { status, text } = await get(`${BASE}?${query}`);
    expect(status).toBe(400);
    return JSON.parse(text).problems.map(({ path }: { path: string }) => path);
  };
  expect(await problems("since=yesterday&every=5&limit=0&format=xml&colour=red")).toEqual([
    "since",
    "every",
    "limit",
    "format",
    "colour",
  ]);
  expect(await problems("since=1h&until=2h&every=1m&follow=true")).toEqual(["since", "every"]);
  expect(await problems("since=30d&every=1ms")).toEqual(["every"]);
});

test("who follows gets each new message as a line, and nothing of other devices", async () => {
  await told(say(1, Date.now(), { t: 1 }));
  await using client = openHttpClient({ url: cloud.urls.api });
  const { body } = await client.request(
    { method: "GET", path: `${BASE}?follow=true&property=t`, silenceMs: 0 },
    signal,
  );
  const heard: string[] = [];
  const reading = (async () => {
    for await (const chunk of body) heard.push(Buffer.from(chunk).toString());
  })();
  await eventually(() => heard.length > 0);
  await told(say(2, 7, { t: 2 }), { ...say(3, 8, { t: 3 }), device: "boiler-2" }, say(4, 9, { t: 4 }));
  const lines = () => heard.join("").split("\n").filter(Boolean);
  await eventually(() => lines().length === 2);
  expect(lines().map((line) => JSON.parse(line).seq)).toEqual([2, 4]);
  await client[Symbol.asyncDispose]();
  await reading.catch(() => {});
});

test("gaps are in the ledger, in the metrics, and explain holes in the numbers", async () => {
  const now = Date.now();
  const gap = { from: now - 5_000, to: now - 1_000, count: 4, reason: "device silent" };
  await told(
    say(1, now - 9_000, { t: 1 }),
    telemetry(2, { kind: "gap", at: now, body: JSON.stringify(gap) }),
    telemetry(9, { kind: "gap", at: now, body: "nonsense" }),
    say(6, now, { t: 6 }),
  );
  expect((await json(`${BASE}/check`)).holes).toMatchObject([{ from: 2, to: 5 }]);
  expect((await json(`${BASE}/check`)).holes[0].reason).toBeUndefined();
  edge.say({
    kind: "missing",
    ranges: [[3, 5]],
    reason: "size limit",
    lost: [{ namespace: "default", device: "boiler-1", from: now - 8_000, to: now - 6_000, count: 4 }],
  });
  await eventually(async () => (await json("/v1/gaps?device=boiler-1")).gaps.length === 3);
  const { gaps } = await json("/v1/gaps?device=boiler-1&since=1h");
  expect(gaps).toMatchObject([{ reason: "size limit", count: 4 }, gap, { reason: "unreadable" }]);
  const { checked, doubled, holes } = await json(`${BASE}/check`);
  expect({ checked, doubled, holes }).toMatchObject({ checked: 2, doubled: 0, holes: [{ reason: "size limit" }] });
  expect((await get("/metrics")).text).toContain('cloud_gaps_total{reason="device silent"} 1');
});

test("a Device says whether its history is complete", async () => {
  cluster.apply(modelKind, boilerModel);
  cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  const complete = () => {
    const { conditions = [] } = (cluster.get(deviceKind, "default/boiler-1")?.status ?? {}) as DeviceStatus;
    return conditions.find(({ type }) => type === "Complete");
  };
  await eventually(() => complete()?.status === "True");
  const to = Date.now();
  const gap = { from: to - 4_000, to, count: 4, reason: "link lost" };
  await told(telemetry(1, { kind: "gap", at: to, body: JSON.stringify(gap) }));
  await eventually(() => complete()?.status === "False");
  expect(complete()).toMatchObject({ reason: "LinkLost", message: expect.stringContaining("4 missing") });
  expect((await json(`${BASE}?since=1m`)).units).toEqual({});
});

test("who follows and does not read is dropped, and everybody else goes on", async () => {
  await using client = openHttpClient({ url: cloud.urls.api });
  const stop = new AbortController();
  const { body } = await client.request({ method: "GET", path: `${BASE}?follow=true`, silenceMs: 0 }, stop.signal);
  const long = "x".repeat(20_000);
  for (let batch = 0; batch < 30; batch++)
    await told(...Array.from({ length: 100 }, (_, i) => say(batch * 100 + i + 1, Date.now(), { text: long })));
  const reading = (async () => {
    for await (const _ of body);
  })();
  await expect(reading).rejects.toThrow();
  expect((await json(`${BASE}?limit=1`)).messages).toHaveLength(1);
});
