/** The whole way of a value, in processes that can be killed: simulated device, edge, cloud; and the model that judges it. */

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

export interface WayOptions {
  readonly devices: number;
  /** Values of a device, read ten times a second. */
  readonly values: number;
  /** What each process finds in its environment. */
  readonly env?: Partial<Record<Role, Readonly<Record<string, string>>>>;
  /** The part `outbox` of the edge's configuration. */
  readonly outbox?: { readonly limitMiB: number };
}

export type Role = "edge" | "cloud";

/** What the model found wrong; all zero when nothing is. */
export interface Wrong {
  /** Committed rows that the cloud has not, or has with another content. */
  readonly missing: number;
  readonly doubled: number;
  /** Rows that are not in the order of their device. */
  readonly disordered: number;
  /** Numbers of devices that are not there and that the ledger does not explain. */
  readonly unexplained: number;
}

export interface Verdict extends Wrong {
  /** Rows that the edge said were on its disk, and rows that the cloud has. */
  readonly committed: number;
  readonly kept: number;
  /** Stops of the node in the ledger, all devices together. */
  readonly nodeOff: number;
  /** Messages or visits that the ledger has as missing, by reason. */
  readonly lost: Readonly<Record<string, number>>;
  /** Messages that the ledger has as dropped by a limit, and that are there all the same. */
  readonly tooMuch: number;
}

export interface EdgeState {
  readonly online: boolean;
  readonly backlog: number;
  /** Values read since its start. */
  readonly values: number;
  /** What `/readyz` says. */
  readonly ready: boolean;
  /** Since when the device that was read longest ago was not, in milliseconds. */
  readonly oldestMs: number;
  /** Resident memory, in bytes. */
  readonly rss: number;
  /** Port of its broker. */
  readonly mqtt: number;
}

/** The way, with edge and cloud running and the first values on disk. */
export interface Way extends AsyncDisposable {
  /** Port of the tunnel, where edge and cloud meet. */
  readonly port: number;
  /** Rows that the edge has said are on its disk. */
  hear(): number;
  /** Resolves when the edge is connected. */
  online(): Promise<void>;
  /** What the edge says of itself now. */
  state(): Promise<EdgeState>;
  /** Warnings and errors of the edge's log, as lines of JSON. */
  readonly lines: readonly string[];
  kill(...roles: readonly Role[]): Promise<void>;
  start(...roles: readonly Role[]): void;
  /** Resolves when the process has ended by itself. */
  ended(role: Role): Promise<unknown>;
  /** The devices fall silent, the backlog is sent, everything ends, and the model says what it finds. */
  judge(): Promise<Verdict>;
}

export const LIMIT_MS = 60_000;
const QUIET_MS = 500;
const DEVICES = "/apis/devices.skerry.dev/v1alpha1/namespaces/default";

interface Committed {
  readonly device: string;
  readonly at: number;
  readonly body: string;
}

export async function openWay({ devices, values, env = {}, outbox }: WayOptions): Promise<Way> {
  const scope = new Scope();
  const { path } = scope.use(folder());
  const registry = scope.use(await openTestRegistry());
  const units = new Map(Array.from({ length: devices }, (_, i) => [i + 1, movingUnit(values)]));
  const plc = scope.use(await openSimulator({ host: "127.0.0.1", port: 0, units }));
  const door = async () => ({ port: await freePort() });
  const config = { dataDir: `${path}/cloud`, tunnel: await door(), join: await door(), api: { port: 0 } };
  const committed: Committed[] = [];
  const open = {
    cloud: () => openChild("cloud", { config, kubeconfig: registry.kubeconfig }, env.cloud),
    edge: () => openChild("node", { dataDir: `${path}/edge`, outbox }, env.edge),
  };
  const running = { cloud: open.cloud() } as Record<Role, Child>;
  const kill = async (...roles: readonly Role[]) => {
    await Promise.all(roles.map((role) => running[role]?.kill()));
    hear();
  };
  scope.use({ [Symbol.asyncDispose]: () => kill("edge", "cloud") });

  const lines: string[] = [];
  let last: EdgeState | undefined;
  function hear(): number {
    for (const message of running.edge?.said.splice(0) ?? []) {
      if (typeof message !== "object" || message === null) continue;
      if ("body" in message) committed.push(message as Committed);
      else if ("line" in message) lines.push(message.line as string);
      else last = message as EdgeState;
    }
    return committed.length;
  }
  const state = async () => {
    last = undefined;
    running.edge.ask("state");
    return eventually(() => hear() >= 0 && last, LIMIT_MS);
  };
  /** Resolves when all is sent, and nothing came for a while: a last visit may have been under way. */
  async function quiet(): Promise<void> {
    let [count, sinceMs] = [-1, 0];
    await eventually(async () => {
      const { backlog } = await state();
      if (backlog > 0 || hear() !== count) [count, sinceMs] = [hear(), performance.now()];
      return performance.now() - sinceMs > QUIET_MS;
    }, LIMIT_MS);
  }
  const online = async () => void (await eventually(async () => (await state()).online, LIMIT_MS));

  const { join } = await said<{ join: string }>(running.cloud, "join");
  running.cloud.ask("token");
  const { token } = await said<{ token: string }>(running.cloud, "token");
  saveIdentity(`${path}/edge`, await joinCloud(join, token, new AbortController().signal));
  await eventually(async () => (await registry.admin.request("GET", `${DEVICES}/devices`)).status === 200, LIMIT_MS);
  await create(registry.admin, "devicemodels", modelOf(values));
  for (let unit = 1; unit <= devices; unit++) await create(registry.admin, "devices", deviceOf(unit, plc.port));
  running.edge = open.edge();
  await eventually(() => hear() > devices, LIMIT_MS);

  return {
    port: config.tunnel.port,
    hear,
    online,
    state,
    lines,
    kill,
    start(...roles) {
      for (const role of roles) {
        hear();
        running[role] = open[role]();
      }
    },
    ended: (role) => running[role].ended,
    async judge() {
      await online();
      // The devices fall silent: to remove them would begin their numbers anew when the cloud declares them once more.
      units.clear();
      await quiet();
      await kill("edge", "cloud");
      return compare(`${path}/cloud`, committed, devices);
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** The model: what was on the edge's disk is in the cloud, once, in order, as it was; and no number is missing. */
async function compare(dataDir: string, committed: readonly Committed[], devices: number): Promise<Verdict> {
  using db = openStore(dataDir, silent);
  const { sink, ledger } = new Reports(db);
  let [kept, missing, doubled, disordered, unexplained, nodeOff, tooMuch] = [0, 0, 0, 0, 0, 0, 0];
  const lost: Record<string, number> = {};
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
    const first = rows[0];
    const dropped = gaps.filter(({ reason }) => reason === "size limit");
    const before = dropped
      .filter((gap) => first && gap.first < first.seq)
      .reduce((sum, { count = 0 }) => sum + count, 0);
    if (first && first.message.seq > 1 + before) unexplained++;
    // What was under way when the cloud was killed may be there, although the node had to drop it.
    tooMuch += rows.filter(({ seq }) => dropped.some((gap) => gap.first <= seq && seq <= gap.last)).length;
    for (const { reason, count = 0 } of gaps) lost[reason] = (lost[reason] ?? 0) + count;
    nodeOff += gaps.filter(({ reason }) => reason === "node off").length;
    kept += rows.length;
  }
  return { committed: committed.length, kept, missing, doubled, disordered, unexplained, nodeOff, lost, tooMuch };
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
