import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type Kube, openKube } from "#cloud/kube/client";
import { applyCrds, covers } from "#cloud/kube/crds";
import { loadKubeconfig } from "#cloud/kube/kubeconfig";
import { crdKind } from "#cloud/kube/objects";
import { isRefused } from "#cloud/kube/refusal";
import { type Change, Mirror } from "#cloud/kube/watch";
import { deviceKind } from "#devices/crd";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { eventually } from "../../rigs/eventually.ts";
import { type FakeCluster, openFakeCluster } from "./fake-cluster.ts";
import { boiler } from "./rig.ts";

let cluster: FakeCluster;
let kube: Kube;
let end: AbortController;
let changes: Change[];

beforeEach(async () => {
  cluster = await openFakeCluster();
  kube = openKube(cluster.access);
  end = new AbortController();
  changes = [];
});
afterEach(async () => {
  end.abort();
  await kube[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

/** A mirror of the Devices that is kept until the test ends. */
function mirrored(watchMs?: number): Mirror {
  const mirror = new Mirror({
    kube,
    kind: deviceKind,
    changed: (change) => changes.push(change),
    listed: () => {},
    log: silent,
    clock: systemClock,
    ...(watchMs === undefined ? {} : { watchMs }),
  });
  void mirror.serve(end.signal);
  return mirror;
}

const apply = (n: number, spec: object = {}) => cluster.apply(deviceKind, boiler(`boiler-${n}`, "site-a", spec));

test("a list of any length is read page by page", async () => {
  for (let i = 0; i < 1203; i++) apply(i);
  const { items } = await kube.list(deviceKind, {}, end.signal);
  expect(items).toHaveLength(1203);
  expect(cluster.requests).toHaveLength(3);
});

test("a refusal says why, so that callers can tell one from the other", async () => {
  const name = { name: "none", namespace: "default" };
  const missing = await kube.get(deviceKind, name, end.signal).catch((error: unknown) => error);
  expect(isRefused(missing, "NotFound")).toBe(true);
  expect(isRefused(missing, "Conflict", "AlreadyExists")).toBe(false);
  const made = apply(1);
  const twice = await kube.create(deviceKind, made, end.signal).catch((error: unknown) => error);
  expect(isRefused(twice, "AlreadyExists")).toBe(true);
  apply(1, { desired: { setpoint: 3 } });
  const old = await kube.update(deviceKind, made, end.signal).catch((error: unknown) => error);
  expect(isRefused(old, "Conflict")).toBe(true);
});

test("a cluster in trouble, or none at all, is unreachable and may be asked again", async () => {
  cluster.failWith = 503;
  await expect(kube.list(deviceKind, {}, end.signal)).rejects.toMatchObject({
    code: "CLUSTER_UNREACHABLE",
    retry: true,
  });
  cluster.failWith = undefined;
  await using nobody = openKube({ ...cluster.access, url: "http://127.0.0.1:1" });
  await expect(nobody.list(deviceKind, {}, end.signal)).rejects.toMatchObject({ code: "CLUSTER_UNREACHABLE" });
});

test("a status is patched alone, and only what is named in it", async () => {
  apply(1);
  const name = { name: "boiler-1", namespace: "default" };
  await kube.patchStatus(deviceKind, name, { protocol: "virtual", lastSeen: "x" }, end.signal);
  await kube.patchStatus(deviceKind, name, { lastSeen: null }, end.signal);
  expect(cluster.get(deviceKind, "default/boiler-1")).toMatchObject({
    status: { protocol: "virtual" },
    spec: { node: "site-a" },
  });
  expect(cluster.get(deviceKind, "default/boiler-1")?.status).not.toHaveProperty("lastSeen");
});

test("a mirror has what there is, and follows what happens", async () => {
  apply(1);
  const mirror = mirrored();
  await eventually(() => mirror.objects.size === 1);
  apply(2);
  await eventually(() => mirror.objects.size === 2);
  cluster.remove(deviceKind, "default/boiler-1");
  await eventually(() => mirror.objects.size === 1);
  expect(changes.map(({ key, now }) => `${now ? "+" : "-"}${key}`)).toEqual([
    "+default/boiler-1",
    "+default/boiler-2",
    "-default/boiler-1",
  ]);
});

test("a watch that breaks goes on from where it was, without a new list", async () => {
  const mirror = mirrored();
  await eventually(() => mirror.hasListed);
  for (let generation = 1; generation <= 4; generation++) {
    apply(1, { desired: { setpoint: generation } });
    await eventually(() => mirror.objects.get("default/boiler-1")?.metadata.generation === generation);
    cluster.dropWatches();
  }
  expect(mirror.lists).toBe(1);
  expect(changes.map(({ now }) => now?.metadata.generation)).toEqual([1, 2, 3, 4]);
});

test("a server that forgot the past is listed anew, and what went meanwhile is noticed", async () => {
  apply(1);
  apply(2);
  const mirror = mirrored();
  await eventually(() => mirror.objects.size === 2);
  cluster.failWith = 500;
  cluster.dropWatches();
  cluster.remove(deviceKind, "default/boiler-1");
  apply(3);
  cluster.compact();
  cluster.failWith = undefined;
  await eventually(() => mirror.objects.has("default/boiler-3"));
  expect([...mirror.objects.keys()]).toEqual(["default/boiler-2", "default/boiler-3"]);
  expect(mirror.lists).toBe(2);
  expect(changes.filter(({ key }) => key === "default/boiler-2")).toHaveLength(1);
});

test("the CRDs are created, left alone when they are the same, and updated when they are not", async () => {
  const ports = { kube, log: silent, clock: systemClock };
  await applyCrds(ports, end.signal);
  const name = "devices.devices.skerry.dev";
  const first = cluster.get(crdKind, name);
  await applyCrds(ports, end.signal);
  expect(cluster.get(crdKind, name)).toBe(first);
  cluster.apply(crdKind, { metadata: { name }, spec: { ...(first?.spec as object), scope: "Cluster" } });
  await applyCrds(ports, end.signal);
  expect(cluster.get(crdKind, name)?.spec).toEqual(first?.spec);
});

test("defaults that a server adds to a CRD are no difference, another property is", () => {
  const wanted = { a: [{ b: 1 }], properties: { x: { type: "string" } } };
  expect(covers({ ...wanted, conversion: { strategy: "None" } }, wanted)).toBe(true);
  expect(covers({ ...wanted, properties: { ...wanted.properties, y: {} } }, wanted)).toBe(false);
  expect(covers({ ...wanted, a: [{ b: 2 }] }, wanted)).toBe(false);
});

const kubeconfig = (server: string, more = "") => `
apiVersion: v1
kind: Config
current-context: one
contexts: [{ name: one, context: { cluster: c, user: u } }]
clusters: [{ name: c, cluster: { server: "${server}"${more} } }]
users: [{ name: u, user: { token: secret-token } }]
`;

test("a kubeconfig gives the server, its authority and what to show there", async () => {
  const authority = Buffer.from("-----PEM-----").toString("base64");
  const text = kubeconfig("https://cluster.example.com:6443", `, certificate-authority-data: ${authority}`);
  const access = await loadKubeconfig({ text });
  expect(access.url).toBe("https://cluster.example.com:6443");
  expect(await access.credentials()).toEqual({
    tls: { authority: "-----PEM-----" },
    headers: { Authorization: "Bearer secret-token" },
  });
});

test("a kubeconfig that turns the check of the server off is refused, and so is plain HTTP to elsewhere", async () => {
  const insecure = { text: kubeconfig("https://cluster.example.com", ", insecure-skip-tls-verify: true") };
  await expect(loadKubeconfig(insecure)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  const plain = { text: kubeconfig("http://cluster.example.com") };
  await expect(loadKubeconfig(plain)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  const context = { text: kubeconfig("https://cluster.example.com"), context: "two" };
  await expect(loadKubeconfig(context)).rejects.toThrow("has no context two, but one");
});
