import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Ownership } from "#cloud/devices/ownership";
import { eventKind } from "#cloud/kube/objects";
import type { Cloud } from "#cloud/main";
import { silent } from "#std/log";
import { openHttpClient } from "#std/undici";
import type { CarrierTls } from "#wire/carrier";
import type { Row } from "#wire/messages";
import { eventually } from "../../rigs/eventually.ts";
import { answering, type FakeEdge, telemetry } from "../../rigs/fake-edge.ts";
import { type FakeCluster, openFakeCluster } from "./fake-cluster.ts";
import { manualClock } from "./manual-clock.ts";
import { boiler, cloudOn, connect, deviceKind, isReady, join, plantOn } from "./rig.ts";

const DAY_MS = 86_400_000;
const gap = JSON.stringify({ from: 1, to: 2, count: 1, reason: "link lost" });
const event = JSON.stringify({ type: "Normal", reason: "Command", message: "opened" });

let cluster: FakeCluster;
let cloud: Cloud;
let dataDir: string;

beforeEach(async () => {
  dataDir = mkdtempSync(joinPath(tmpdir(), "cloud-"));
  cluster = await openFakeCluster();
  cloud = await plantOn(cluster, { dataDir });
});
afterEach(async () => {
  await cloud[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  rmSync(dataDir, { recursive: true });
});

async function reopen(): Promise<void> {
  await cloud[Symbol.asyncDispose]();
  cloud = await cloudOn(cluster, { dataDir });
}

async function api(path: string): Promise<string> {
  await using client = openHttpClient({ url: cloud.urls.api });
  return (await client.request({ method: "GET", path }, new AbortController().signal)).text();
}

/** Says rows and waits until the cloud has them. */
async function tell(edge: FakeEdge, ...rows: Row[]): Promise<void> {
  const before = edge.of("taken").length;
  edge.say({ kind: "rows", rows });
  await eventually(() => edge.of("taken").length > before);
}

/** What a node is granted when its devices are declared to it. */
async function grantsOf(tls: CarrierTls) {
  using edge = await connect(cloud, "site-a", { tls });
  await eventually(() => edge.of("roster").length > 0);
  return edge.of("device").map(({ device: { namespace, name: device }, grant }) => ({ namespace, device, grant }));
}

const kept = async (device: string) => (await cloud.history("default", device)).map(({ node, seq }) => [node, seq]);

test("what a node says of a device of another is dropped, acknowledged and told, and the rest of it is kept", async () => {
  cluster.apply(deviceKind, boiler("boiler-3", "site-b"));
  using thief = await connect(cloud, "site-b");
  await eventually(() => thief.of("roster").length > 0);
  await tell(
    thief,
    telemetry(1),
    telemetry(2, { device: "boiler-3" }),
    telemetry(3, { kind: "gap", body: gap }),
    telemetry(4, { kind: "event", body: event }),
    telemetry(5, { device: "nobody's" }),
  );
  expect(thief.of("taken").at(-1)?.ranges).toEqual([[1, 5]]);
  const lost = { from: 1, to: 2, count: 7 };
  thief.say({
    kind: "missing",
    ranges: [[6, 9]],
    reason: "size limit",
    lost: ["boiler-1", "boiler-3"].map((device) => ({ namespace: "default", device, ...lost })),
  });
  await eventually(() => thief.of("taken").length === 2);
  expect(await kept("boiler-1")).toEqual([]);
  expect(await kept("boiler-3")).toEqual([["site-b", 2]]);
  const since = encodeURIComponent("1970-01-01T00:00:00Z");
  const { gaps } = JSON.parse(await api(`/v1/gaps?since=${since}`)) as { gaps: { device: string }[] };
  expect(gaps.map(({ device }) => device)).toEqual(["boiler-3"]);
  expect(await api("/metrics")).toMatch(/cloud_foreign_total 5\b/);
  await eventually(() => cluster.all(eventKind).length === 2);
  expect(cluster.all(eventKind).map(({ reason, involvedObject }) => ({ reason, involvedObject }))).toEqual(
    Array(2).fill({
      reason: "NotItsDevice",
      involvedObject: expect.objectContaining({ kind: "Node", name: "site-b" }),
    }),
  );
  await tell(thief, telemetry(10));
  expect(await kept("boiler-1")).toEqual([]);
  expect(cluster.all(eventKind)).toHaveLength(2);
});

test("a report about a device of another does not count, whatever uid it has", async () => {
  using thief = await connect(cloud, "site-b");
  const { uid = "" } = cluster.get(deviceKind, "default/boiler-1")?.metadata ?? {};
  thief.say({ kind: "report", report: answering({ uid, name: "boiler-1" }) });
  thief.say({ kind: "report", report: answering({ uid, name: "boiler-2" }) });
  await eventually(async () => /cloud_foreign_total 2\b/.test(await api("/metrics")));
  using owner = await connect(cloud, "site-a");
  await eventually(() => owner.of("roster").length > 0);
  owner.say({ kind: "report", report: answering({ uid, name: "boiler-1" }, { message: "mine" }) });
  await eventually(() => JSON.stringify(cluster.get(deviceKind, "default/boiler-1")?.status).includes('"mine"'));
});

test("the backlog of a device that was moved or deleted is history, also after a restart of the cloud", async () => {
  const tls = await join(cloud, "site-a");
  const grants = await grantsOf(tls);
  cluster.apply(deviceKind, boiler("boiler-1", "site-b"));
  cluster.remove(deviceKind, "default/boiler-2");
  await reopen();
  await isReady(cloud);
  using edge = await connect(cloud, "site-a", { tls });
  edge.say({ kind: "grants", grants });
  await tell(edge, telemetry(1), telemetry(2, { device: "boiler-2", kind: "event", body: event }));
  expect(await kept("boiler-1")).toEqual([["site-a", 1]]);
  await eventually(() => cluster.all(eventKind).some(({ message }) => message === "opened"));
  expect(await api("/metrics")).toMatch(/cloud_foreign_total 0\b/);
});

test("a cloud that does not know the cluster yet takes what a node has a grant for", async () => {
  const tls = await join(cloud, "site-a");
  const grants = await grantsOf(tls);
  cluster.failWith = 503;
  await reopen();
  using edge = await connect(cloud, "site-a", { tls });
  edge.say({ kind: "grants", grants });
  await tell(edge, telemetry(1));
  expect(await kept("boiler-1")).toEqual([["site-a", 1]]);
});

test("what it can not judge yet it neither takes nor drops: the node comes again", async () => {
  const tls = await join(cloud, "site-a");
  cluster.failWith = 503;
  await reopen();
  using edge = await connect(cloud, "site-a", { tls });
  edge.say({ kind: "rows", rows: [telemetry(1)] });
  await eventually(() => edge.isClosed);
  expect(edge.of("taken")).toEqual([]);
  cluster.failWith = undefined;
  await isReady(cloud);
  using again = await connect(cloud, "site-a", { tls });
  await eventually(() => again.of("welcome").length > 0);
  expect(again.of("welcome")[0]?.have).toEqual([]);
  await tell(again, telemetry(1));
  expect(await kept("boiler-1")).toEqual([["site-a", 1]]);
});

test("a cloud from a backup that is older than a device takes the history of it", async () => {
  const tls = await join(cloud, "site-a");
  await cloud[Symbol.asyncDispose]();
  cpSync(dataDir, `${dataDir}.backup`, { recursive: true });
  cluster.apply(deviceKind, boiler("newer", "site-a"));
  cloud = await plantOn(cluster, { dataDir });
  const grants = await grantsOf(tls);
  expect(grants.map(({ device }) => device)).toContain("newer");
  await cloud[Symbol.asyncDispose]();
  rmSync(dataDir, { recursive: true });
  cpSync(`${dataDir}.backup`, dataDir, { recursive: true });
  rmSync(`${dataDir}.backup`, { recursive: true });
  cluster.remove(deviceKind, "default/newer");
  cloud = await plantOn(cluster, { dataDir });
  using edge = await connect(cloud, "site-a", { tls });
  edge.say({ kind: "grants", grants });
  await tell(edge, telemetry(1, { device: "newer" }));
  expect(await kept("newer")).toEqual([["site-a", 1]]);
});

test("a grant is of one node, one device and one cloud, and ends", async () => {
  const clock = manualClock();
  const ports = { isOf: () => false, told: () => undefined, log: silent, clock };
  const ours = new Ownership({ ...ports, secret: Buffer.alloc(32, 1) });
  const other = new Ownership({ ...ports, secret: Buffer.alloc(32, 2) });
  const named = { namespace: "default", device: "boiler-1" };
  const grant = ours.grant("site-a", named);
  const holds = (who: Ownership, node: string, shown: object) => {
    const speaker = { node };
    who.show(speaker, [{ ...named, grant, ...shown }]);
    return who.may(speaker, { ...named, ...shown });
  };
  expect(holds(ours, "site-a", {})).toBe(true);
  expect(holds(ours, "site-b", {})).toBe(false);
  expect(holds(ours, "site-a", { device: "boiler-2" })).toBe(false);
  expect(holds(ours, "site-a", { namespace: "other" })).toBe(false);
  expect(holds(other, "site-a", {})).toBe(false);
  for (const bad of ["", ".", `${grant}x`, grant.slice(1), "zzzz.AAAAAAAAAAAAAAAAAAAAAA", "-1.x"])
    expect(holds(ours, "site-a", { grant: bad })).toBe(false);
  await clock.pass(400 * DAY_MS);
  expect(holds(ours, "site-a", {})).toBe(true);
  await clock.pass(DAY_MS);
  expect(holds(ours, "site-a", {})).toBe(false);
});
