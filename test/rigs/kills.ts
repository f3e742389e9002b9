/** Kills edge and cloud again and again while values flow, then compares what each side had on its disk. */

import { Reports } from "#cloud/devices/reports";
import { openStore } from "#cloud/store";
import { check } from "#cloud/telemetry/check";
import type { Kept } from "#cloud/telemetry/sink";
import { openSimulator } from "#drivers/modbus/simulator";
import { blankUnit, type Unit } from "#drivers/modbus/unit";
import { saveIdentity } from "#edge/identity";
import { joinCloud } from "#edge/join";
import { silent } from "#std/log";
import { Scope } from "#std/scope";
import { type Child, openChild } from "./child.ts";
import { eventually } from "./eventually.ts";
import { folder } from "./folder.ts";
import { freePort } from "./free-port.ts";
import { openTestRegistry } from "./registry.ts";

export interface KillOptions {
  readonly kills: number;
  readonly devices: number;
  /** Values of a device, read ten times a second. */
  readonly values: number;
  /** The same seed kills at the same places. */
  readonly seed: number;
  /** Told after each kill. */
  readonly progress?: (kill: number) => void;
}

export interface KillFigures {
  readonly kills: { readonly edge: number; readonly cloud: number; readonly both: number };
  /** Rows that the edge said were on its disk, and rows that the cloud has. */
  readonly committed: number;
  readonly kept: number;
  /** Committed rows that the cloud has not, or has with another content. */
  readonly missing: number;
  readonly doubled: number;
  /** Rows that are not in the order of their device. */
  readonly disordered: number;
  /** Numbers of devices that are not there and that the ledger does not explain. */
  readonly unexplained: number;
  /** Stops of the node in the ledger, all devices together. */
  readonly nodeOff: number;
  readonly seconds: number;
}

interface Committed {
  readonly device: string;
  readonly at: number;
  readonly body: string;
}

const LIMIT_MS = 60_000;
const DEVICES = "/apis/devices.skerry.dev/v1alpha1/namespaces/default";
const victims = ["edge", "cloud", "both"] as const;

/** Runs it all; every wait is for something that happened, and the moments come from the seed. */
export async function runKills({ kills, devices, values, seed, progress }: KillOptions): Promise<KillFigures> {
  await using scope = new Scope();
  const began = performance.now();
  const random = randomFrom(seed);
  const { path } = scope.use(folder());
  const registry = scope.use(await openTestRegistry());
  const units = new Map(Array.from({ length: devices }, (_, i) => [i + 1, movingUnit(values)]));
  const plc = scope.use(await openSimulator({ host: "127.0.0.1", port: 0, units }));
  const door = async () => ({ port: await freePort() });
  const config = { dataDir: `${path}/cloud`, tunnel: await door(), join: await door(), api: { port: 0 } };
  const committed: Committed[] = [];
  const running = { edge: undefined as Child | undefined, cloud: undefined as Child | undefined };
  const start = {
    cloud: () => openChild("cloud", { config, kubeconfig: registry.kubeconfig }),
    edge: () => openChild("node", { dataDir: `${path}/edge` }),
  };
  scope.use({
    [Symbol.asyncDispose]: async () => void (await Promise.all([running.edge?.kill(), running.cloud?.kill()])),
  });

  /** Takes over what the edge said; returns how many rows it has said altogether. */
  const hear = () => {
    for (const message of running.edge?.said.splice(0) ?? []) {
      if (typeof message !== "object" || message === null) continue;
      if ("body" in message) committed.push(message as Committed);
      else last = message as State;
    }
    return committed.length;
  };
  let last: State = { online: false, backlog: Number.NaN };
  const state = async () => {
    last = { online: false, backlog: Number.NaN };
    running.edge?.ask("state");
    return eventually(() => hear() >= 0 && !Number.isNaN(last.backlog) && last, LIMIT_MS);
  };

  running.cloud = start.cloud();
  const { join } = await said<{ join: string }>(running.cloud, "join");
  running.cloud.ask("token");
  const { token } = await said<{ token: string }>(running.cloud, "token");
  saveIdentity(`${path}/edge`, await joinCloud(join, token, new AbortController().signal));
  await eventually(async () => (await registry.admin.request("GET", `${DEVICES}/devices`)).status === 200, LIMIT_MS);
  await create(registry.admin, "devicemodels", modelOf(values));
  for (let unit = 1; unit <= devices; unit++) await create(registry.admin, "devices", deviceOf(unit, plc.port));
  running.edge = start.edge();
  await eventually(() => hear() > devices, LIMIT_MS);

  const count = { edge: 0, cloud: 0, both: 0 };
  for (let kill = 1; kill <= kills; kill++) {
    // Every other kill meets a connection, the others whatever is going on.
    if (random() < 0.5) await eventually(async () => (await state()).online, LIMIT_MS);
    const goal = hear() + Math.floor(random() * devices * 10);
    await eventually(() => hear() > goal, LIMIT_MS);
    const victim = victims[Math.floor(random() * victims.length)] ?? "both";
    count[victim]++;
    const dying = victims.slice(0, 2).filter((it) => victim === it || victim === "both") as ("edge" | "cloud")[];
    await Promise.all(dying.map((name) => running[name]?.kill()));
    hear();
    for (const name of dying) running[name] = start[name]();
    progress?.(kill);
  }

  await eventually(async () => (await state()).online, LIMIT_MS);
  // The devices fall silent: to remove them would begin their numbers anew when the cloud declares them once more.
  units.clear();
  await eventually(async () => (await state()).backlog === 0, LIMIT_MS);
  await Promise.all([running.edge.kill(), running.cloud.kill()]);
  return {
    kills: count,
    ...(await compare(`${path}/cloud`, committed, devices)),
    seconds: (performance.now() - began) / 1000,
  };
}

interface State {
  readonly online: boolean;
  readonly backlog: number;
}

/** The model: what was on the edge's disk is in the cloud, once, in order, as it was; and no number is missing. */
async function compare(dataDir: string, committed: readonly Committed[], devices: number) {
  using db = openStore(dataDir, silent);
  const { sink, ledger } = new Reports(db);
  let [kept, missing, doubled, disordered, unexplained, nodeOff] = [0, 0, 0, 0, 0, 0];
  for (let unit = 1; unit <= devices; unit++) {
    const device = `device-${unit}`;
    const rows: (Kept & { readonly message: Message })[] = [];
    const span = { namespace: "default", device, sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER };
    for await (const row of sink.scan(span)) rows.push({ ...row, message: row.body as Message });
    rows.sort((a, b) => a.seq - b.seq);
    const bySeq = new Map(rows.map(({ message }) => [message.seq, message]));
    for (const { at, body } of committed.filter((it) => it.device === device)) {
      const [seq, list] = JSON.parse(body) as [number, number[]];
      const found = bySeq.get(seq);
      if (found?.at !== at || JSON.stringify(Object.values(found.values)) !== JSON.stringify(list)) missing++;
    }
    for (const [i, { message }] of rows.entries()) {
      const before = rows[i - 1]?.message;
      if (before && (message.seq < before.seq || message.at < before.at)) disordered++;
    }
    const gaps = ledger.list({ ...span, limit: 1_000_000 });
    const numbered = rows.map(({ node, epoch, seq, message: { seq: number, at } }) => ({
      node,
      epoch,
      row: seq,
      seq: number,
      at,
    }));
    const found = check(numbered, gaps);
    doubled += found.doubled + (rows.length - bySeq.size);
    unexplained += found.holes.filter(({ reason }) => reason === undefined).length;
    if ((rows[0]?.message.seq ?? 1) !== 1) unexplained++;
    nodeOff += gaps.filter(({ reason }) => reason === "node off").length;
    kept += rows.length;
  }
  return { committed: committed.length, kept, missing, doubled, disordered, unexplained, nodeOff };
}

interface Message {
  readonly at: number;
  readonly seq: number;
  readonly values: Readonly<Record<string, unknown>>;
}

/** A unit whose registers all change between two visits. */
function movingUnit(values: number): Unit {
  const blank = blankUnit({ holding: values });
  let tick = 0;
  return {
    ...blank,
    step() {
      tick++;
      for (let i = 0; i < values; i++) blank.holding[i] = (tick * (i + 1)) & 0x7fff;
    },
  };
}

function modelOf(values: number): object {
  const properties = Array.from({ length: values }, (_, i) => ({
    name: `p${i}`,
    type: "integer",
    address: { table: "holding", register: i, type: "int16" },
    every: "100ms",
  }));
  const apiVersion = "devices.skerry.dev/v1alpha1";
  return { apiVersion, kind: "DeviceModel", metadata: { name: "moving" }, spec: { protocol: "modbus", properties } };
}

function deviceOf(unit: number, port: number): object {
  const spec = { model: "moving", node: "site-a", link: { host: "127.0.0.1", port }, station: { unit } };
  const metadata = { name: `device-${unit}` };
  return {
    apiVersion: "devices.skerry.dev/v1alpha1",
    kind: "Device",
    metadata,
    spec: { ...spec, telemetry: { keep: "every" } },
  };
}

async function create(
  admin: Awaited<ReturnType<typeof openTestRegistry>>["admin"],
  kind: string,
  object: object,
): Promise<void> {
  const { status, text } = await admin.request("POST", `${DEVICES}/${kind}`, object);
  if (status !== 201) throw new Error(`${kind}: ${status} ${text}`);
}

function said<T>(child: Child, field: string): Promise<T> {
  const has = (message: unknown) => typeof message === "object" && message !== null && field in message;
  return eventually(() => child.said.find(has) as T, LIMIT_MS);
}

/** Numbers from 0 to 1 that follow from a seed. **Source:** mulberry32, by Tommy Ettinger, public domain. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
