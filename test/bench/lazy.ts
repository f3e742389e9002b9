/** What a protocol costs a node that does not use it: start and memory without and with one device of a heavy stack. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openChild } from "./child.ts";

/** A device that is declared and can not be reached. */
export interface LazyDevice {
  readonly protocol: string;
  readonly link: object;
  readonly station: object;
  readonly address: object;
}

/** One start of a node. */
export interface LazyRun {
  /** From the start of the process until the node is open and its device declared. */
  readonly startMs: number;
  /** Of the whole process, its threads too, a while later. */
  readonly rssBytes: number;
}

/** Medians of some starts, and what is between the least and the most: differences below that say nothing. */
export interface LazyFigures {
  readonly node: string;
  readonly startMs: number;
  readonly startSpreadMs: number;
  readonly rssMb: number;
  readonly rssSpreadMb: number;
  /** Over a node without any driver. */
  readonly overMb: number;
}

const SETTLE_MS = 3_000;

const nodes: readonly { readonly node: string; readonly hasDrivers: boolean; readonly device?: LazyDevice }[] = [
  { node: "without any driver", hasDrivers: false },
  { node: "all drivers, no device", hasDrivers: true },
  {
    node: "one serial device",
    hasDrivers: true,
    device: {
      protocol: "serial",
      link: { path: "/dev/skerry-absent", baudRate: 9600 },
      station: { unsolicited: true },
      address: { column: 0 },
    },
  },
  {
    node: "one OPC UA device",
    hasDrivers: true,
    device: {
      protocol: "opcua",
      // Nobody listens on the port of tcpmux.
      link: { endpoint: "opc.tcp://127.0.0.1:1" },
      station: {},
      address: { nodeId: "i=2258" },
    },
  },
];

/** The kinds of node take turns; the first round fills caches and does not count. */
export async function benchLazy(rounds: number): Promise<readonly LazyFigures[]> {
  const found = nodes.map((): LazyRun[] => []);
  for (let round = 0; round <= rounds; round++)
    for (const [i, { hasDrivers, device }] of nodes.entries()) {
      const run = await start({ hasDrivers, device });
      if (round > 0) found[i]?.push(run);
    }
  const ms = found.map((runs) => runs.map(({ startMs }) => startMs));
  const rss = found.map((runs) => runs.map(({ rssBytes }) => rssBytes / 1e6));
  return nodes.map(({ node }, i) => ({
    node,
    startMs: median(ms[i] ?? []),
    startSpreadMs: spread(ms[i] ?? []),
    rssMb: median(rss[i] ?? []),
    rssSpreadMb: spread(rss[i] ?? []),
    overMb: median(rss[i] ?? []) - median(rss[0] ?? []),
  }));
}

async function start(options: object): Promise<LazyRun> {
  const dataDir = mkdtempSync(join(tmpdir(), "skerry-bench-"));
  try {
    await using child = await openChild<LazyRun>("lazy", { ...options, dataDir, settleMs: SETTLE_MS });
    return child.ready;
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function spread(numbers: readonly number[]): number {
  return Math.max(...numbers) - Math.min(...numbers);
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;
}
