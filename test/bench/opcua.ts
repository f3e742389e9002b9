/** OPC UA by subscription: the driver beside a bare script of `node-opcua-client`, on the same server, one by one. */
import { openChild } from "./child.ts";
import type { CountedUsage } from "./children/opcua-count.ts";

export interface OpcuaFigures {
  readonly valuesPerSecond: number;
  readonly cpuUsPerValue: number;
  /** Share of one core. */
  readonly cpu: number;
  readonly rssMiB: number;
}

export interface OpcuaRound {
  readonly items: number;
  readonly hertz: number;
  readonly security: boolean;
  readonly driver: OpcuaFigures;
  readonly bare: OpcuaFigures;
  /** Driver to bare, medians of the rounds: 1 is as good as bare. */
  readonly cpuRatio: number;
  readonly rssRatio: number;
}

const LOADS = [
  { count: 10_000, everyMs: 1_000, security: false },
  { count: 1_000, everyMs: 100, security: false },
  { count: 10_000, everyMs: 1_000, security: true },
] as const;
const WARM_UP_MS = 4_000;
const ROUNDS = 3;

/** Figures for each load, the two clients in turns. @param measureMs - of one turn of one client. */
export async function benchOpcua(measureMs = 8_000): Promise<readonly OpcuaRound[]> {
  const rounds: OpcuaRound[] = [];
  for (const load of LOADS) {
    await using server = await openChild<{ port: number }>("opcua-server", load);
    const options = { ...load, port: server.ready.port };
    const turns: Record<"driver" | "bare", OpcuaFigures[]> = { driver: [], bare: [] };
    for (let round = 0; round < ROUNDS; round++)
      for (const who of ["driver", "bare"] as const) turns[who].push(await measure(`opcua-${who}`, options, measureMs));
    const [driver, bare] = [median(turns.driver), median(turns.bare)];
    rounds.push({
      items: load.count,
      hertz: 1_000 / load.everyMs,
      security: load.security,
      driver,
      bare,
      cpuRatio: driver.cpuUsPerValue / bare.cpuUsPerValue,
      rssRatio: driver.rssMiB / bare.rssMiB,
    });
  }
  return rounds;
}

async function measure(name: string, options: object, measureMs: number): Promise<OpcuaFigures> {
  await using child = await openChild<object>(name, options);
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
  const before = (await child.usage()) as CountedUsage;
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, measureMs));
  const after = (await child.usage()) as CountedUsage;
  const seconds = (performance.now() - began) / 1_000;
  const values = after.values - before.values;
  const cpuUs = after.cpuUs - before.cpuUs;
  return {
    valuesPerSecond: values / seconds,
    cpuUsPerValue: cpuUs / values,
    cpu: cpuUs / 1e6 / seconds,
    rssMiB: after.rssBytes / 2 ** 20,
  };
}

/** By CPU per value: the turn in the middle, whole. */
function median(turns: readonly OpcuaFigures[]): OpcuaFigures {
  const sorted = turns.toSorted((a, b) => a.cpuUsPerValue - b.cpuUsPerValue);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (!middle) throw new Error("nothing was measured");
  return middle;
}

if (import.meta.main) console.log(JSON.stringify(await benchOpcua(), null, 2));
