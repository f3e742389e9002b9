/** What a Modbus fleet costs, and what one dead unit on a line does to its neighbours. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { drivers } from "#drivers/index";
import { modbus } from "#drivers/modbus/index";
import { openSimulator } from "#drivers/modbus/simulator";
import { blankUnit } from "#drivers/modbus/unit";
import { edgeConfig } from "#edge/config";
import { Turns } from "#edge/devices/turns";
import { openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { deadline } from "#std/deadline";
import { silent } from "#std/log";
import { benchPipeline } from "./pipeline.ts";

const forever = new AbortController().signal;

/** 100,000 values a second, ten units of 1,000 registers at 10 Hz, beside the bare script. */
export const benchModbusValues = async (measureMs = 8000) => await benchPipeline(10, measureMs);

/** How late values are on one line, in milliseconds from when they were due, and how far apart two of them. */
export interface Lateness {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly intervalP99Ms: number;
}

export interface DeadUnitFigures {
  readonly without: Lateness;
  readonly with: Lateness;
  /** Of the p99 with the dead unit and without. */
  readonly ratio: number;
}

const UNITS = 32;
/** What a device at 19200 baud takes for ten registers, and for thinking. */
const DEVICE_MS = 15;

/** One dead unit among 32 on an RTU line, after it has been dead for `warmUpMs`. */
export async function benchDeadUnit(measureMs = 60_000, warmUpMs = 35_000): Promise<DeadUnitFigures> {
  const [alive, dead] = await Promise.all([
    pollLine(undefined, measureMs, warmUpMs),
    pollLine(UNITS / 2, measureMs, warmUpMs),
  ]);
  return { without: alive, with: dead, ratio: dead.p99Ms / alive.p99Ms };
}

/** Visits each unit of a line once a second, as a bus of the edge does. */
async function pollLine(dead: number | undefined, measureMs: number, warmUpMs: number): Promise<Lateness> {
  const numbers = Array.from({ length: UNITS }, (_, i) => i + 1);
  const units = new Map(numbers.filter((unit) => unit !== dead).map((unit) => [unit, blankUnit({ holding: 10 })]));
  const endpoint = { host: "127.0.0.1", port: 0 };
  await using line = await openSimulator({ ...endpoint, transport: "rtu-tcp", units, delayMs: DEVICE_MS });
  const driver = modbus();
  const link = driver.link.parse({ transport: "rtu-tcp", host: line.host, port: line.port });
  await using connection = await driver.connect(link, forever);
  const points = Array.from({ length: 10 }, (_, register) => ({
    property: `p${register}`,
    address: driver.address.parse({ table: "holding", register }),
  }));
  const visits = numbers.map((unit) => ({ periodMs: 1000, station: driver.station.parse({ unit }), lastMs: 0 }));
  const began = performance.now();
  const turns = new Turns(visits, began, true);
  const late: number[] = [];
  const intervals: number[] = [];
  for (;;) {
    const turn = turns.next();
    if (!turn || performance.now() - began > warmUpMs + measureMs) break;
    const { who, dueMs } = turn;
    await sleep(Math.max(0, Math.ceil(dueMs - performance.now())));
    using limit = deadline(link.timeoutMs, forever);
    const readings = await connection.read(who.station, points, limit.signal).catch(() => []);
    const nowMs = performance.now();
    const answered = readings[0]?.ok === true;
    turns.end(who, nowMs, answered);
    if (!answered) continue;
    if (nowMs - began > warmUpMs) {
      late.push(nowMs - dueMs);
      if (who.lastMs > 0) intervals.push(nowMs - who.lastMs);
    }
    who.lastMs = nowMs;
  }
  return { p50Ms: share(late, 0.5), p99Ms: share(late, 0.99), intervalP99Ms: share(intervals, 0.99) };
}

export interface LinksFigures {
  readonly links: number;
  readonly valuesPerSecond: number;
  /** CPU time of the node's thread. */
  readonly cpuUsPerValue: number;
  readonly cpuShare: number;
  readonly rssMiB: number;
  /** Resident memory that 1,000 devices add. */
  readonly mibPerThousand: number;
}

/** A whole node with many links of one device with ten values at 1 Hz each. */
export async function benchLinks(links = 1000, measureMs = 10_000): Promise<LinksFigures> {
  const worker = new Worker(new URL("../rigs/modbus-worker.ts", import.meta.url));
  const [port] = (await once(worker, "message")) as [number];
  const dataDir = mkdtempSync(join(tmpdir(), "skerry-bench-"));
  const config = edgeConfig.parse({ dataDir, mqtt: { port: 0 }, api: { port: 0 } });
  const edge = await openEdge(
    { config, identity: undefined, version: "bench" },
    { drivers, clock: systemClock, log: silent },
  );
  try {
    const emptyMiB = process.memoryUsage.rss() / 2 ** 20;
    const model = {
      protocol: "modbus",
      properties: Array.from({ length: 10 }, (_, register) => ({
        name: `p${register}`,
        type: "number",
        address: { table: "holding", register },
        every: "1s",
      })),
    };
    for (let i = 0; i < links; i++) {
      await edge.supervisor.declare({
        namespace: "default",
        name: `device-${i}`,
        uid: `uid-${i}`,
        generation: 1,
        modelGeneration: 1,
        // The timeouts differ, so that each device has a link of its own.
        spec: { model: "bench", node: "bench", link: { host: "127.0.0.1", port, timeout: `${1000 + i}ms` } },
        model,
      });
    }
    await sleep(5000);
    const [asked, cpu, began] = [seen(edge.twins.all), process.threadCpuUsage(), performance.now()];
    await sleep(measureMs);
    const used = process.threadCpuUsage(cpu);
    const seconds = (performance.now() - began) / 1000;
    const values = (seen(edge.twins.all) - asked) * 10;
    const rssMiB = process.memoryUsage.rss() / 2 ** 20;
    return {
      links,
      valuesPerSecond: values / seconds,
      cpuUsPerValue: (used.user + used.system) / values,
      cpuShare: (used.user + used.system) / 1e6 / seconds,
      rssMiB,
      mibPerThousand: ((rssMiB - emptyMiB) / links) * 1000,
    };
  } finally {
    await edge[Symbol.asyncDispose]();
    await worker.terminate();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Visits so far. */
function seen(twins: Iterable<{ readonly seq: number }>): number {
  return Array.from(twins).reduce((sum, { seq }) => sum + seq, 0);
}

function share(numbers: number[], part: number): number {
  numbers.sort((a, b) => a - b);
  return numbers[Math.floor(numbers.length * part)] ?? Number.NaN;
}

if (import.meta.main) {
  console.log("dead unit", await benchDeadUnit());
  console.log("links", await benchLinks());
  console.log("values", await benchModbusValues());
}
