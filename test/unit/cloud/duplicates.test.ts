/** One identity on two machines: real nodes on copied data directories, and the cloud that has to tell them apart. */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { eventKind } from "#cloud/kube/objects";
import type { Cloud } from "#cloud/main";
import { goesOn } from "#cloud/tunnel/lineage";
import { virtual } from "#drivers/virtual/index";
import { edgeConfig } from "#edge/config";
import { loadIdentity, saveIdentity } from "#edge/identity";
import { joinCloud } from "#edge/join";
import { type Edge, openEdge } from "#edge/main";
import { Outbox } from "#edge/outbox";
import { openStore, renumber } from "#edge/store";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { copyDatabase } from "#std/sqlite";
import { openHttpClient } from "#std/undici";
import { eventually } from "../../rigs/eventually.ts";
import { fakeEdge, telemetry } from "../../rigs/fake-edge.ts";
import { folder } from "../../rigs/folder.ts";
import { openProxy } from "../../rigs/opcua-proxy.ts";
import { type FakeCluster, openFakeCluster } from "./fake-cluster.ts";
import { boiler, boilerModel, cloudOn, connect, deviceKind, join, modelKind } from "./rig.ts";

const signal = new AbortController().signal;
let cluster: FakeCluster;
let cloud: Cloud;
let dir: ReturnType<typeof folder>;

beforeEach(async () => {
  dir = folder();
  cluster = await openFakeCluster();
  const every = { every: "20ms" };
  const [temperature, setpoint] = boilerModel.spec.properties;
  const properties = [
    { ...temperature, ...every },
    { ...setpoint, ...every },
  ];
  cluster.apply(modelKind, { ...boilerModel, spec: { ...boilerModel.spec, properties } });
  cluster.apply(deviceKind, boiler("boiler-1", "site-a", { telemetry: { keep: "every" } }));
  cloud = await cloudOn(cluster, { dataDir: joinPath(dir.path, "cloud") });
});
afterEach(async () => {
  await cloud[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

const at = (name: string) => joinPath(dir.path, name);
const copy = (from: string, to: string) => cpSync(at(from), at(to), { recursive: true });

/** Joins, or joins anew, as `edgeadm join --force` does. */
async function joinAs(node: string, name: string): Promise<void> {
  saveIdentity(at(name), await joinCloud(cloud.urls.join, cloud.createToken(node), signal));
}

/** The node finds its cloud at another port. */
function moved(name: string): void {
  const identity = loadIdentity(at(name));
  if (identity) saveIdentity(at(name), { ...identity, tunnel: cloud.urls.tunnel });
}

function start(name: string): Promise<Edge> {
  const config = edgeConfig.parse({ dataDir: at(name), mqtt: { port: 0 }, api: { port: 0 } });
  const ports = { drivers: { virtual: async () => virtual() as never }, clock: systemClock, log: silent };
  return openEdge({ config, identity: loadIdentity(at(name)), version: "1" } as never, ports as never);
}

async function api(path: string) {
  await using client = openHttpClient({ url: cloud.urls.api });
  return (await client.request({ method: "GET", path }, signal)).text();
}

/** Row numbers that the cloud has, each as often as it is there. */
async function rows(): Promise<readonly string[]> {
  const all = await cloud.history("default", "boiler-1", { limit: 10_000 });
  return all.map(({ node, epoch, seq }) => `${node} ${epoch} ${seq}`);
}

/** The numbers that devices give their messages: without a hole when nothing was lost. */
async function numbers(): Promise<readonly number[]> {
  const all = await cloud.history("default", "boiler-1", { limit: 10_000 });
  return all.map(({ body }) => (body as { seq: number }).seq);
}

/** Times of the telemetry that waits in the outbox of a node that does not run. */
function waiting(name: string): readonly number[] {
  using store = openStore(at(name), silent);
  const outbox = new Outbox(store.db, { limitBytes: 1e9, limitMs: 1e12 });
  const found: number[] = [];
  for (let next = 1; ; ) {
    const part = outbox.read(next, outbox.head, 1e9);
    if (part.length === 0) return found;
    found.push(...part.filter(({ kind }) => kind === "telemetry").map(({ at }) => at));
    next = (part.at(-1)?.seq ?? 0) + 1;
  }
}

/** Lets a node work until the cloud has some more of it, and ends it. */
async function work(name: string, more = 10): Promise<void> {
  const before = (await rows()).length;
  await using _ = await start(name);
  await eventually(async () => (await rows()).length >= before + more);
}

const refusal = (edge: Edge) => eventually(() => /refused: (.*)/.exec(edge.state().uplink.reason)?.[1]);

test("a copy that runs beside its original is refused, told, and can become a node of its own", async () => {
  await joinAs("site-a", "original");
  await work("original");
  copy("original", "copy");
  await using original = await start("original");
  await eventually(() => original.state().uplink.online);
  const before = (await rows()).length;
  {
    await using clone = await start("copy");
    expect(await refusal(clone)).toContain("another machine speaks for site-a, and is connected");
    await eventually(async () => (await rows()).length > before + 10);
    expect(original.state().uplink.online).toBe(true);
    expect(clone.state().backlog).toBeGreaterThan(0);
  }
  const all = await numbers();
  expect(all).toEqual(all.map((_, i) => i + 1));
  const { nodes } = JSON.parse(await api("/v1/nodes")) as { nodes: object[] };
  expect(nodes).toMatchObject([{ name: "site-a", connected: true, duplicateAt: expect.any(Number) }]);
  expect(await api("/metrics")).toMatch(/cloud_duplicates_total [1-9]/);
  expect(cluster.all(eventKind).filter(({ reason }) => reason === "NODE_DUPLICATE")).toMatchObject([
    { involvedObject: { kind: "Node", name: "site-a" } },
  ]);

  await joinAs("site-b", "copy");
  await using other = await start("copy");
  await eventually(() => other.state().uplink.online);
  expect(original.state().uplink.online).toBe(true);
  await eventually(() => other.state().devices === 0);
});

test("a copy that comes when its original is away is refused too, once the original has gone on", async () => {
  await joinAs("site-a", "original");
  await work("original");
  copy("original", "copy");
  await work("original");
  const kept = await rows();
  {
    await using clone = await start("copy");
    expect(await refusal(clone)).toContain("its data is a copy, older than what site-a said last");
    expect(await rows()).toEqual(kept);
  }
  // The original has had its day: the operator joins the copy in its place.
  await joinAs("site-a", "copy");
  await using instead = await start("copy");
  await eventually(async () => (await rows()).length > kept.length + 10 && instead.state().backlog < 5);
  expect(new Set(await rows()).size).toBe((await rows()).length);
  {
    await using late = await start("original");
    expect(await refusal(late)).toContain("another machine speaks for site-a");
  }
});

test("of two copies that went their ways unseen one goes on, and no row of the other takes its place", async () => {
  await joinAs("site-a", "original");
  await work("original");
  copy("original", "copy");
  await work("copy");
  const kept = await rows();
  await using original = await start("original");
  expect(await refusal(original)).toContain("its data is a copy");
  expect(await rows()).toEqual(kept);
});

test("rows that a copy wrote in several lives do not hide behind rows of its original", async () => {
  await joinAs("site-a", "original");
  {
    await using original = await start("original");
    await eventually(async () => (await rows()).length > 10);
    mkdirSync(at("copy"));
    // A snapshot of the disk while the original runs, in the very process that goes on.
    await copyDatabase(joinPath(at("original"), "edge.db"), joinPath(at("copy"), "edge.db"));
    cpSync(joinPath(at("original"), "identity.json"), joinPath(at("copy"), "identity.json"));
    const before = (await rows()).length;
    await eventually(async () => (await rows()).length > before + 30);
    expect(original.state().uplink.online).toBe(true);
  }
  const identity = loadIdentity(at("copy"));
  rmSync(joinPath(at("copy"), "identity.json"));
  for (let life = 0; life < 2; life++) {
    await using alone = await start("copy");
    await eventually(() => alone.state().values > 40);
  }
  const written = waiting("copy");
  expect(written.length).toBeGreaterThan(40);
  if (identity) saveIdentity(at("copy"), identity);
  await using clone = await start("copy");
  await eventually(async () => clone.state().uplink.online && clone.state().backlog < 3);
  const all = await cloud.history("default", "boiler-1", { limit: 10_000 });
  expect(all.map((row) => row.at)).toEqual(expect.arrayContaining([...written]));
  expect(new Set(await rows()).size).toBe((await rows()).length);
});

test("a restored backup works, repeats nothing and hides nothing", async () => {
  await joinAs("site-a", "original");
  await work("original");
  copy("original", "backup");
  await work("original");
  const kept = await rows();
  renumber(at("backup"), Date.now(), silent);
  await work("backup");
  await work("backup");
  const all = await rows();
  expect(new Set(all).size).toBe(all.length);
  expect(all).toEqual(expect.arrayContaining([...kept]));
  await using lost = await start("original");
  expect(await refusal(lost)).toContain("its data is a copy");
});

test("a node that lost its database begins a new history by itself", async () => {
  await joinAs("site-a", "original");
  await work("original");
  cpSync(joinPath(at("original"), "identity.json"), joinPath(at("fresh"), "identity.json"));
  await work("fresh");
});

test("a cloud from a backup takes the nodes that went on since", async () => {
  await joinAs("site-a", "original");
  await work("original");
  await cloud[Symbol.asyncDispose]();
  copy("cloud", "cloud-backup");
  cloud = await cloudOn(cluster, { dataDir: at("cloud") });
  moved("original");
  for (let i = 0; i < 3; i++) await work("original", 3);
  await cloud[Symbol.asyncDispose]();
  cloud = await cloudOn(cluster, { dataDir: at("cloud-backup") });
  moved("original");
  await work("original");
});

describe("a node that restarted", () => {
  test("takes the place of a connection whose machine does not answer", async () => {
    await using line = await openProxy(Number(new URL(cloud.urls.tunnel).port));
    const tls = await join(cloud, "site-a");
    using gone = await connect(
      { ...cloud, urls: { ...cloud.urls, tunnel: `wss://127.0.0.1:${line.port}` } },
      "site-a",
      {
        tls,
        run: "before",
      },
    );
    await eventually(() => gone.of("welcome").length === 1);
    line.mute(true);
    using back = await fakeEdge({ url: cloud.urls.tunnel, tls, run: "after", epoch: "epoch-2" });
    await eventually(() => back.of("welcome").length === 1);
    back.say({ kind: "rows", rows: [telemetry(1)] });
    await eventually(() => back.of("taken").length === 1);
  });
});

describe("data goes on where it ended", () => {
  const last = { epoch: "e", run: "a" };

  test.each([
    ["for a node that was never heard", undefined, { runs: ["x"] }, true],
    ["for the same process", last, { runs: ["a"] }, true],
    ["for the next process, and those after it", last, { runs: ["a", "b", "c"] }, true],
    ["in another epoch", last, { epoch: "f", runs: ["x"] }, true],
    ["in a restored backup", last, { runs: ["x"], restored: true }, true],
    ["not when the last process is unknown there", last, { runs: ["before", "x"] }, false],
  ])("%s", (_, before, rest, expected) => {
    const hello = { kind: "hello", version: 1, program: "p", epoch: "e", head: 100, ...rest } as const;
    expect(goesOn(before, hello)).toBe(expected);
  });
});
