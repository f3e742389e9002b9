/** The telemetry sinks in one run: what a cloud appends per second, with its minutes, and the bytes of a value. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "#cloud/store";
import { type SinkConfig, sinkConfig } from "#cloud/telemetry/config";
import { openStream } from "#cloud/telemetry/nats/client";
import { silent } from "#std/log";
import { type Layout, layoutOf, packText } from "#wire/pack";
import { engines } from "../rigs/engines.ts";
import { folder } from "../rigs/folder.ts";
import type { PostgresServer } from "../rigs/postgres.ts";
import type { Server } from "../rigs/programs.ts";
import { enough, sinkRig } from "../rigs/sinks.ts";

export interface SinkFigures {
  readonly sink: string;
  /** Values that are on disk in the engine and noted in the cloud, per second. */
  readonly valuesPerSecond: number;
  /** The same until they are in the minutes, too. */
  readonly withMinutesPerSecond: number;
  /** The rate beside that of SQLite. */
  readonly ratio: string;
  readonly bytesPerValue: number;
  /** Milliseconds for the latest 1,000 messages of one device. */
  readonly queryMs: number;
}

const NODES = 8;
const DEVICES = 20;
const VALUES = 50;
const ROWS = 200;
const BATCHES = 25;
const ALL = NODES * BATCHES * ROWS * VALUES;

/** Measures SQLite, and the engines that this machine has. */
export async function benchSinks(): Promise<readonly (SinkFigures | { sink: string; ratio: string })[]> {
  const sqlite = await bench("SQLite", sinkConfig.parse({ kind: "sqlite" }), (dataDir) => sqliteBytes(dataDir));
  const others = [];
  for (const { name, obstacle, open, config } of engines) {
    if (obstacle !== undefined) {
      others.push({ sink: name, ratio: obstacle });
      continue;
    }
    await using server = await open();
    const given = config(server.port);
    others.push(await bench(name, given, () => bytesOf(server, given), sqlite.valuesPerSecond));
  }
  return [sqlite, ...others];
}

async function bench(
  sink: string,
  config: SinkConfig,
  bytes: (dataDir: string) => number | Promise<number>,
  base?: number,
): Promise<SinkFigures> {
  using dir = folder();
  const figures = await (async () => {
    await using rig = await sinkRig(config, { dataDir: dir.path });
    const layout = layoutOf(Array.from({ length: VALUES }, (_, i) => `p${i}`));
    const nodes = Array.from({ length: NODES }, (_, node) => batchesOf(node, layout));
    const began = performance.now();
    await Promise.all(
      nodes.map(async (batches, node) => {
        for (const rows of batches) await rig.reports.take(`node-${node}`, "one", rows, Date.now(), [layout]);
      }),
    );
    const appended = performance.now() - began;
    await rig.sink.prune(enough, Date.now());
    const rolled = performance.now() - began;
    const asked = performance.now();
    await rig.reports.history("default", "n0-d0", { limit: 1_000 });
    return { appended, rolled, queryMs: performance.now() - asked };
  })();
  const valuesPerSecond = (ALL * 1000) / figures.appended;
  return {
    sink,
    valuesPerSecond,
    withMinutesPerSecond: (ALL * 1000) / figures.rolled,
    ratio: (valuesPerSecond / (base ?? valuesPerSecond)).toFixed(2),
    bytesPerValue: (await bytes(dir.path)) / ALL,
    queryMs: figures.queryMs,
  };
}

/** What a node of twenty devices says in some minutes, in the batches that it sends of a backlog. */
function batchesOf(node: number, layout: Layout) {
  const begin = Date.now() - 600_000;
  let seq = 0;
  return Array.from({ length: BATCHES }, () =>
    Array.from({ length: ROWS }, () => {
      seq++;
      const values = Array.from({ length: VALUES }, (_, i) => (20 + ((seq * 7 + i * 13) % 800) / 10).toFixed(1));
      const device = `n${node}-d${seq % DEVICES}`;
      const body = packText(seq, values.join(","), "");
      return {
        seq,
        namespace: "default",
        device,
        kind: "telemetry" as const,
        at: begin + seq * 20,
        body,
        layout: layout.id,
      };
    }),
  );
}

function sqliteBytes(dataDir: string): number {
  const db = openStore(dataDir, silent);
  db.prepare("pragma wal_checkpoint(truncate)").get();
  db[Symbol.dispose]();
  return statSync(join(dataDir, "cloud.db")).size;
}

async function bytesOf(server: Server, config: SinkConfig): Promise<number> {
  if (config.kind === "postgres") {
    const [size] = await (server as PostgresServer).query<{ bytes: string }>(
      "select pg_total_relation_size('skerry.telemetry') as bytes",
      "skerry",
    );
    return Number(size?.bytes);
  }
  if (config.kind !== "nats") return Number.NaN;
  await using stream = await openStream(config, enough, {});
  return (await stream.state()).bytes;
}
