/** The outbox: values appended durably, their bytes on disk and on the wire, and a backlog that is drained beside live rows. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Grants } from "#edge/grants";
import { Lineage } from "#edge/lineage";
import { Outbox } from "#edge/outbox";
import { converse, type SessionPorts } from "#edge/session";
import { openStore, type Store } from "#edge/store";
import { Bell } from "#std/bell";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { dial } from "#wire/carrier";
import type { Range } from "#wire/messages";
import { layoutOf, packText } from "#wire/pack";
import { papers } from "../rigs/tls.ts";
import { openChild } from "./child.ts";

export interface OutboxFigures {
  readonly appendedPerSecond: number;
  readonly diskBytesPerValue: number;
  readonly wireBytesPerValue: number;
  /** Values of the backlog that reached the cloud's disk, per second, while live rows went by. */
  readonly drainedPerSecond: number;
  /** How many times as quick as the values were made. */
  readonly timesRealTime: number;
  readonly liveP50Ms: number;
  readonly liveP99Ms: number;
}

export interface OutboxLoad {
  /** Length of the outage. @default 3600 */
  readonly seconds?: number;
  /** @default 10,000 */
  readonly valuesPerSecond?: number;
  /** Values that are read in one visit. @default 50 */
  readonly values?: number;
  /** One value in this many is another one at the next visit. @default 10 */
  readonly stride?: number;
}

const DEVICES = 20;
/** Rows that share a commit: what the devices of a busy node say within 10 ms. */
const BATCH = 200;
/** What comes first finds code that was never run. */
const WARM_UP_MS = 500;

/** Measures all of it, on files of its own. */
export async function benchOutbox(load: OutboxLoad = {}): Promise<OutboxFigures> {
  const { seconds = 3_600, valuesPerSecond = 10_000, values = 50, stride = 10 } = load;
  const dataDir = mkdtempSync(join(tmpdir(), "skerry-bench-"));
  try {
    using store = openStore(join(dataDir, "edge"), silent);
    const outbox = new Outbox(store.db, { limitBytes: 1e12, limitMs: 1e12 });
    const next = visits(values, stride);
    const rows = Math.ceil((seconds * valuesPerSecond) / values / BATCH) * BATCH;
    const began = performance.now();
    for (let i = 0; i < rows; i += BATCH)
      await Promise.all(Array.from({ length: BATCH }, () => outbox.append(next(Date.now()))));
    const appendedPerSecond = (rows * values * 1000) / (performance.now() - began);
    const diskBytesPerValue = sizeOf(store, join(dataDir, "edge/edge.db")) / (rows * values);
    const drained = await drain(dataDir, { store, outbox, next, liveRowsPerSecond: valuesPerSecond / values });
    return {
      appendedPerSecond,
      diskBytesPerValue,
      wireBytesPerValue: drained.bytes / (drained.rows * values),
      drainedPerSecond: (rows * values) / drained.seconds,
      timesRealTime: (rows * values) / drained.seconds / valuesPerSecond,
      liveP50Ms: drained.at(0.5),
      liveP99Ms: drained.at(0.99),
    };
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

interface Drain {
  readonly store: Store;
  readonly outbox: Outbox;
  readonly next: ReturnType<typeof visits>;
  readonly liveRowsPerSecond: number;
}

async function drain(dataDir: string, { store, outbox, next, liveRowsPerSecond }: Drain) {
  const { cloud: server, node } = await papers();
  await using cloud = await openChild<{ port: number }>("telemetry", {
    dataDir: join(dataDir, "cloud"),
    tls: server,
  });
  const end = new AbortController();
  const carrier = await dial(`wss://127.0.0.1:${cloud.ready.port}`, await node("bench"), end.signal);
  const pending = new Map<number, number>();
  const latencies: number[] = [];
  const take = outbox.take.bind(outbox);
  let rows = 0;
  outbox.take = (ranges: readonly Range[]) => {
    const now = performance.now();
    for (const [from, to] of ranges) {
      rows += to - from + 1;
      for (const [seq, at] of pending) {
        if (seq < from || seq > to) continue;
        latencies.push(now - at);
        pending.delete(seq);
      }
    }
    return take(ranges);
  };
  const backlogHead = outbox.head;
  let last = backlogHead;
  const began = performance.now();
  const talk = converse(carrier, portsOf(store, outbox), end.signal, () => {}).catch((error: unknown) => {
    if (!end.signal.aborted) console.error(error);
  });
  const live = setInterval(() => {
    const at = performance.now();
    for (let i = 0; i < liveRowsPerSecond / 100; i++)
      void outbox.append(next(Date.now()), () => pending.set(++last, at));
  }, 10);
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
  latencies.length = 0;
  const left = () => outbox.read(1, backlogHead, 1).length > 0;
  while (left()) await new Promise((resolve) => setTimeout(resolve, 20));
  const seconds = (performance.now() - began) / 1000;
  clearInterval(live);
  const bytes = bytesTo(cloud.ready.port);
  const sorted = latencies.toSorted((a, b) => a - b);
  end.abort();
  await talk;
  return { rows, seconds, bytes, at: (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN };
}

/** Rows as visits make them: as in a plant, most values stand still between two of them. */
function visits(values: number, stride: number) {
  const layout = layoutOf(Array.from({ length: values }, (_, i) => `p${i}`));
  const now = Array.from({ length: DEVICES }, () => Array.from({ length: values }, () => 20 + Math.random() * 80));
  const seqs = now.map(() => 0);
  let turn = 0;
  return (at: number) => {
    const device = turn++ % DEVICES;
    const list = now[device] ?? [];
    for (let i = turn % stride; i < values; i += stride) list[i] = 20 + Math.random() * 80;
    const seq = (seqs[device] ?? 0) + 1;
    seqs[device] = seq;
    const body = packText(seq, list.map((value) => value.toFixed(1)).join(","), "");
    return { namespace: "default", device: `device-${device}`, kind: "telemetry" as const, at, body, layout };
  };
}

/** Bytes of the database once everything in its log is in its pages. */
function sizeOf({ db }: Store, path: string): number {
  db.prepare("pragma wal_checkpoint(truncate)").get();
  return statSync(path).size;
}

/** Bytes that this process wrote to a port, compressed, encrypted or about to be. */
function bytesTo(port: number): number {
  const { _getActiveHandles: handles } = process as unknown as {
    _getActiveHandles(): { remotePort?: number; bytesWritten?: number }[];
  };
  return Math.max(...handles.call(process).map((it) => (it.remotePort === port ? (it.bytesWritten ?? 0) : 0)));
}

function portsOf(store: Store, outbox: Outbox): SessionPorts {
  const nothing = async () => undefined;
  const ports = {
    twins: { tellAll() {}, bell: new Bell(), takeChanged: () => [] },
    supervisor: { declare: nothing, remove: nothing, keepOnly: nothing },
    renewal: { request: nothing, accept: nothing, identity: { certificate: "" } },
    grants: new Grants(store.db),
    lineage: new Lineage(store.db, outbox.head),
    outbox,
    program: "bench",
    clock: systemClock,
    log: silent,
  };
  return ports as unknown as SessionPorts;
}
