import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Cloud } from "#cloud/main";
import { Nodes } from "#cloud/nodes";
import { openStore } from "#cloud/store";
import { silent } from "#std/log";
import { createAuthority, createRequest, issue } from "#std/x509";
import { encodeFrame } from "#wire/frame";
import { WIRE_VERSION } from "#wire/messages";
import { eventually } from "../../rigs/eventually.ts";
import { fakeEdge, telemetry } from "../../rigs/fake-edge.ts";
import { type FakeCluster, openFakeCluster } from "./fake-cluster.ts";
import { connect, join, plantOn } from "./rig.ts";

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

test("hello is answered with the version that both speak and with what the cloud has", async () => {
  const tls = await join(cloud, "site-a");
  using edge = await connect(cloud, "site-a", { tls, version: WIRE_VERSION + 7 });
  await eventually(() => edge.of("welcome").length === 1);
  expect(edge.of("welcome")[0]).toMatchObject({ version: WIRE_VERSION, have: [] });
  edge.say({ kind: "rows", rows: [telemetry(1), telemetry(2), telemetry(7)] });
  await eventually(() => edge.of("taken").length === 1);
  using again = await connect(cloud, "site-a", { tls });
  await eventually(() => again.of("welcome").length === 1);
  expect(again.of("welcome")[0]?.have).toEqual([
    [1, 2],
    [7, 7],
  ]);
});

test("a version that is too old is refused, with the reason", async () => {
  using edge = await connect(cloud, "site-a", { version: 0 });
  await eventually(() => edge.isClosed);
  const message = "the node speaks version 0, this cloud 1 to 1";
  expect(edge.heard).toEqual([{ kind: "refused", code: "VERSION_UNSUPPORTED", message }]);
  expect(cloud.isConnected("site-a")).toBe(false);
});

test("rows that are acknowledged are there after a restart of the cloud, and repeats of them are not twice there", async () => {
  const tls = await join(cloud, "site-a");
  const rows = [telemetry(1), telemetry(2)];
  {
    using edge = await connect(cloud, "site-a", { tls });
    edge.say({ kind: "rows", rows });
    await eventually(() => edge.of("taken").length === 1);
  }
  await cloud[Symbol.asyncDispose]();
  cloud = await plantOn(cluster, { dataDir });
  using edge = await connect(cloud, "site-a", { tls });
  edge.say({ kind: "rows", rows: [...rows, telemetry(3)] });
  await eventually(() => edge.of("taken").length === 1);
  expect(edge.of("taken")).toEqual([{ kind: "taken", ranges: [[1, 3]] }]);
  expect((await cloud.history("default", "boiler-1")).map(({ seq }) => seq)).toEqual([1, 2, 3]);
});

test("rows that will never come are acknowledged too", async () => {
  using edge = await connect(cloud, "site-a");
  edge.say({ kind: "missing", ranges: [[1, 10]], reason: "age limit" });
  await eventually(() => edge.of("taken").length === 1);
  expect(edge.of("taken")[0]?.ranges).toEqual([[1, 10]]);
});

test("the newest connection of a node takes over, and the older one ends", async () => {
  const tls = await join(cloud, "site-a");
  using first = await connect(cloud, "site-a", { tls });
  await eventually(() => first.of("welcome").length === 1);
  using second = await connect(cloud, "site-a", { tls });
  await eventually(() => first.isClosed);
  await eventually(() => second.of("welcome").length === 1);
  second.say({ kind: "rows", rows: [telemetry(1)] });
  await eventually(() => second.of("taken").length === 1);
  expect(cloud.isConnected("site-a")).toBe(true);
});

test("who a node is says its certificate alone", async () => {
  using edge = await connect(cloud, "site-b");
  await eventually(() => edge.of("welcome").length === 1);
  expect(cloud.isConnected("site-b")).toBe(true);
  expect(cloud.isConnected("site-a")).toBe(false);
});

test("a certificate of another authority does not get through the handshake", async () => {
  const other = await createAuthority("other", 1);
  const { certificate, key } = await issue(other, { commonName: "site-a", usage: "client", days: 1 });
  const tls = { certificate, key, authority: cloud.authority };
  const outcome = await fakeEdge({ url: cloud.urls.tunnel, tls }).then(
    async (edge) => eventually(() => edge.isClosed && "closed"),
    (error: Error & { code: string }) => error.code,
  );
  expect(["IDENTITY_REFUSED", "UPLINK_LOST", "closed"]).toContain(outcome);
  expect(cloud.isConnected("site-a")).toBe(false);
});

test("a bad frame costs the connection that sent it, and no other", async () => {
  using good = await connect(cloud, "site-a");
  using bad = await connect(cloud, "site-b");
  await eventually(() => good.of("welcome").length === 1 && bad.of("welcome").length === 1);
  bad.sayBytes(Buffer.from("not CBOR at all, and no message"));
  await eventually(() => bad.isClosed);
  good.say({ kind: "rows", rows: [telemetry(1)] });
  await eventually(() => good.of("taken").length === 1);
});

test("what begins with something else than hello is refused", async () => {
  using edge = await connect(cloud, "site-a", { greets: false });
  edge.sayBytes(encodeFrame({ kind: "ping" }));
  await eventually(() => edge.isClosed);
});

test("a node gets its next certificate over its connection, for a new key and the same name", async () => {
  const tls = await join(cloud, "site-a");
  using edge = await connect(cloud, "site-a", { tls });
  const { request, key } = await createRequest("site-b");
  const [{ certificate }] = await eventually(async () => {
    edge.say({ kind: "renew", request });
    const answers = edge.of("certificate");
    return answers.length > 0 && (answers as [(typeof answers)[0]]);
  });
  expect(new X509Certificate(certificate).subject).toBe("CN=site-a\nO=skerry:nodes");
  edge.say({ kind: "renew", request });
  edge.say({ kind: "rows", rows: [telemetry(1)] });
  await eventually(() => edge.of("taken").length === 1);
  expect(edge.of("certificate")).toHaveLength(1);
  using renewed = await connect(cloud, "site-a", { tls: { ...tls, certificate, key } });
  await eventually(() => renewed.of("welcome").length === 1);
});

test("a renewal of a node that was shut out leaves it shut out", () => {
  using db = openStore(":memory:", silent);
  const nodes = new Nodes(db);
  nodes.joined("site-a", 1);
  nodes.refuse("site-a", 2);
  expect(nodes.renewed("site-a", 3)).toBe(false);
  expect([nodes.admits("site-a"), nodes.get("site-a")?.joinedAt]).toEqual([false, 1]);
  nodes.joined("site-a", 4);
  expect(nodes.renewed("site-a", 5)).toBe(true);
  expect(nodes.get("site-a")?.joinedAt).toBe(5);
});

test("a node that was shut out is disconnected and stays out until it joins anew", async () => {
  const tls = await join(cloud, "site-a");
  using edge = await connect(cloud, "site-a", { tls });
  await eventually(() => cloud.isConnected("site-a"));
  expect(cloud.refuse("site-a")).toBe(true);
  await eventually(() => edge.isClosed);
  using again = await connect(cloud, "site-a", { tls });
  await eventually(() => again.isClosed);
  expect(again.heard).toMatchObject([{ kind: "refused", code: "IDENTITY_REFUSED" }]);
  using anew = await connect(cloud, "site-a");
  await eventually(() => anew.of("welcome").length === 1);
});
