import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Cloud } from "#cloud/main";
import type { DeviceStatus } from "#devices/crd";
import { drivers } from "#drivers/index";
import { eventually } from "../../rigs/eventually.ts";
import { answering, telemetry } from "../../rigs/fake-edge.ts";
import { type FakeCluster, openFakeCluster } from "./fake-cluster.ts";
import { boiler, boilerModel, cloudOn, connect, deviceKind, join, modelKind } from "./rig.ts";

let cluster: FakeCluster;
let cloud: Cloud;

beforeEach(async () => {
  cluster = await openFakeCluster();
  cloud = await cloudOn(cluster, { schemas: drivers });
});
afterEach(async () => {
  await cloud[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

function condition(key: string, type: string) {
  const { conditions = [] } = (cluster.get(deviceKind, key)?.status ?? {}) as DeviceStatus;
  return conditions.find((condition) => condition.type === type);
}

test("a Device that is applied reaches its node with its model", async () => {
  using edge = await connect(cloud, "site-a");
  cluster.apply(modelKind, boilerModel);
  const { metadata } = cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  const [{ device }] = await eventually(() => {
    const told = edge.of("device");
    return told.length > 0 && (told as [(typeof told)[0]]);
  });
  expect(device).toMatchObject({ name: "boiler-1", uid: metadata.uid, generation: 1, modelGeneration: 1 });
  expect(device.model).toEqual(boilerModel.spec);
});

test("a new spec, and a new model, are told to the node; a new status is not", async () => {
  cluster.apply(modelKind, boilerModel);
  const { metadata } = cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  using edge = await connect(cloud, "site-a");
  await eventually(() => edge.of("roster").length === 1);
  edge.say({ kind: "report", report: answering({ uid: metadata.uid ?? "", name: "boiler-1" }) });
  await eventually(() => condition("default/boiler-1", "Ready")?.status === "True");
  cluster.apply(deviceKind, boiler("boiler-1", "site-a", { desired: { setpoint: 30 } }));
  await eventually(() => edge.of("device").at(-1)?.device.generation === 2);
  cluster.apply(modelKind, { ...boilerModel, spec: { ...boilerModel.spec, description: "hot" } });
  await eventually(() => edge.of("device").at(-1)?.device.modelGeneration === 2);
  expect(edge.of("device")).toHaveLength(3);
});

test("a deleted Device is gone from its node, and one that moved goes from the old to the new", async () => {
  using a = await connect(cloud, "site-a");
  using b = await connect(cloud, "site-b");
  cluster.apply(modelKind, boilerModel);
  const one = cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  const two = cluster.apply(deviceKind, boiler("boiler-2", "site-a"));
  await eventually(() => a.of("device").length === 2);
  cluster.remove(deviceKind, "default/boiler-1");
  await eventually(() => a.of("gone").some(({ uid }) => uid === one.metadata.uid));
  cluster.apply(deviceKind, boiler("boiler-2", "site-b"));
  await eventually(() => a.of("gone").some(({ uid }) => uid === two.metadata.uid));
  await eventually(() => b.of("device").some(({ device }) => device.uid === two.metadata.uid));
});

test("a node that comes back hears all its devices, and then which these are", async () => {
  cluster.apply(modelKind, boilerModel);
  const uids = [1, 2, 3].map((n) => cluster.apply(deviceKind, boiler(`boiler-${n}`, "site-a")).metadata.uid);
  cluster.apply(deviceKind, boiler("boiler-1", "site-b"));
  const tls = await join(cloud, "site-a");
  using first = await connect(cloud, "site-a", { tls });
  await eventually(() => first.of("roster").length === 1);
  first[Symbol.dispose]();
  cluster.remove(deviceKind, "default/boiler-3");
  using second = await connect(cloud, "site-a", { tls });
  const [roster] = await eventually(() => second.of("roster").length === 1 && second.of("roster"));
  expect(roster?.uids.toSorted()).toEqual([uids[1]]);
  expect(second.heard.map(({ kind }) => kind)).toEqual(["welcome", "device", "roster"]);
});

test("of two Devices of one name on one node the older runs, and the other says why it does not", async () => {
  using edge = await connect(cloud, "site-a");
  cluster.apply(modelKind, boilerModel);
  cluster.apply(modelKind, { ...boilerModel, metadata: { name: "boiler", namespace: "other" } });
  const first = cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  const late = boiler("boiler-1", "site-a", {}, "other");
  cluster.apply(deviceKind, {
    ...late,
    metadata: { ...late.metadata, creationTimestamp: "2999-01-01T00:00:00Z" } as never,
  });
  await eventually(() => condition("other/boiler-1", "Ready")?.reason === "NameTaken");
  expect(condition("other/boiler-1", "Ready")?.message).toContain("default/boiler-1");
  expect(edge.of("device").map(({ device }) => device.uid)).toEqual([first.metadata.uid]);
  cluster.remove(deviceKind, "default/boiler-1");
  await eventually(() => edge.of("device").some(({ device }) => device.namespace === "other"));
});

test("a Device without its model waits, and is told when the model comes", async () => {
  using edge = await connect(cloud, "site-a");
  cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  await eventually(() => condition("default/boiler-1", "Ready")?.reason === "MODEL_UNKNOWN");
  expect(edge.of("device")).toEqual([]);
  cluster.apply(modelKind, boilerModel);
  await eventually(() => edge.of("device").length === 1);
  await eventually(() => condition("default/boiler-1", "Accepted")?.status === "True");
});

test("a station that the driver does not know is refused with its path, and what runs goes on", async () => {
  using edge = await connect(cloud, "site-a");
  cluster.apply(modelKind, boilerModel);
  cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  await eventually(() => edge.of("device").length === 1);
  cluster.apply(deviceKind, boiler("boiler-1", "site-a", { station: { sede: 7 } }));
  const accepted = await eventually(() => {
    const found = condition("default/boiler-1", "Accepted");
    return found?.reason === "CONFIG_INVALID" && found;
  });
  expect(accepted.status).toBe("False");
  expect(accepted.message).toContain("spec.station.sede: unknown field");
  expect(edge.of("gone")).toEqual([]);
  expect(edge.of("device")).toHaveLength(1);
});

test("a model whose address the driver refuses says so itself", async () => {
  const [property] = boilerModel.spec.properties;
  cluster.apply(modelKind, {
    ...boilerModel,
    spec: { ...boilerModel.spec, properties: [{ ...property, address: { f: 1 } }] },
  });
  await eventually(() => {
    const { conditions = [] } = (cluster.get(modelKind, "default/boiler")?.status ?? {}) as DeviceStatus;
    return conditions[0]?.status === "False" && conditions[0].message.includes("spec.properties[0].address");
  });
});

test("a report becomes the status, and further ones are gathered into few writes", async () => {
  using edge = await connect(cloud, "site-a");
  cluster.apply(modelKind, boilerModel);
  const { metadata } = cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  await eventually(() => edge.of("device").length === 1);
  const device = { uid: metadata.uid ?? "", name: "boiler-1" };
  for (let i = 1; i <= 200; i++) {
    const properties = [{ name: "temperature", reported: i, at: 1_700_000_000_000 + i, quality: "good" as const }];
    edge.say({ kind: "report", report: answering(device, { properties, lastSeen: 1_700_000_000_000 + i }) });
  }
  const status = await eventually(() => {
    const status = cluster.get(deviceKind, "default/boiler-1")?.status as DeviceStatus | undefined;
    return status?.properties?.[0]?.reported === 200 && status;
  });
  expect(status).toMatchObject({ observedGeneration: 1, protocol: "virtual", lastSeen: "2023-11-14T22:13:20.200Z" });
  expect(condition("default/boiler-1", "Ready")).toMatchObject({ status: "True", reason: "Answering" });
  const writes = cluster.requests.filter(
    (request) => request.startsWith("PATCH") && request.endsWith("/devices/boiler-1/status"),
  );
  expect(writes.length).toBeLessThan(20);
});

test("a device of a node that nobody ever joined says so", async () => {
  cluster.apply(modelKind, boilerModel);
  cluster.apply(deviceKind, boiler("boiler-1", "nowhere"));
  await eventually(() => condition("default/boiler-1", "Ready")?.reason === "NodeUnknown");
  using edge = await connect(cloud, "nowhere");
  await eventually(() => edge.of("device").length === 1);
  await eventually(() => condition("default/boiler-1", "Ready")?.reason === "Starting");
});

test("a node is told its devices although the cluster was away when it came", async () => {
  await cloud[Symbol.asyncDispose]();
  cluster.apply(modelKind, boilerModel);
  cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  cluster.failWith = 503;
  cloud = await cloudOn(cluster);
  using edge = await connect(cloud, "site-a");
  await eventually(() => edge.of("welcome").length === 1);
  expect(edge.of("roster")).toEqual([]);
  cluster.failWith = undefined;
  await eventually(() => edge.of("roster").length === 1);
  expect(edge.of("device")).toHaveLength(1);
});

test("a device that lost its name to an older one leaves the node, and its roster", async () => {
  cluster.apply(modelKind, boilerModel);
  cluster.apply(modelKind, { ...boilerModel, metadata: { name: "boiler", namespace: "other" } });
  const older = boiler("boiler-1", "site-b", {}, "other");
  const metadata = { ...older.metadata, creationTimestamp: "2000-01-01T00:00:00Z" } as never;
  const moved = cluster.apply(deviceKind, { ...older, metadata });
  const young = cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  const tls = await join(cloud, "site-a");
  using edge = await connect(cloud, "site-a", { tls });
  await eventually(() => edge.of("device").length === 1);
  cluster.apply(deviceKind, boiler("boiler-1", "site-a", {}, "other"));
  await eventually(() => edge.of("gone").some(({ uid }) => uid === young.metadata.uid));
  await eventually(() => edge.of("device").some(({ device }) => device.uid === moved.metadata.uid));
  using again = await connect(cloud, "site-a", { tls });
  await eventually(() => again.of("roster").length === 1);
  expect(again.of("roster")[0]?.uids).toEqual([moved.metadata.uid]);
});

test("a Device that is on its way out is gone from its node, although a finalizer holds it", async () => {
  using edge = await connect(cloud, "site-a");
  cluster.apply(modelKind, boilerModel);
  const { metadata } = cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  await eventually(() => edge.of("device").length === 1);
  const leaving = { name: "boiler-1", namespace: "default", deletionTimestamp: "2026-11-21T10:00:00Z" };
  cluster.apply(deviceKind, { ...boiler("boiler-1", "site-a"), metadata: leaving });
  await eventually(() => edge.of("gone").some(({ uid }) => uid === metadata.uid));
});

test("what a node says of another node's device does not count", async () => {
  using a = await connect(cloud, "site-a");
  using b = await connect(cloud, "site-b");
  cluster.apply(modelKind, boilerModel);
  const { metadata } = cluster.apply(deviceKind, boiler("boiler-1", "site-a"));
  const device = { uid: metadata.uid ?? "", name: "boiler-1" };
  await eventually(() => a.of("device").length === 1);
  a.say({ kind: "report", report: answering(device) });
  await eventually(() => condition("default/boiler-1", "Ready")?.reason === "Answering");
  b.say({ kind: "report", report: answering(device, { online: false, reason: "LINK_LOST" }) });
  b.say({ kind: "rows", rows: [telemetry(1)] });
  await eventually(() => b.of("taken").length === 1);
  cluster.apply(deviceKind, boiler("boiler-1", "site-a", { desired: { setpoint: 30 } }));
  await eventually(() => condition("default/boiler-1", "Synced")?.reason === "Pending");
  expect(condition("default/boiler-1", "Ready")?.reason).toBe("Answering");
});
