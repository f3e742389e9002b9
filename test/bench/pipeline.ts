/** Modbus register → MQTT subscriber: the way of every value, beside a bare script that only reads and publishes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqtt from "mqtt";
import { type Child, clockUs, openChild } from "./child.ts";

export interface PipelineFigures {
  readonly valuesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUsPerValue: number;
  readonly rssMiB: number;
}

const WARM_UP_MS = 3_000;
const VALUES = 999;

/** Figures of the product and of the bare script, one after the other on the same simulator. */
export async function benchPipeline(
  units: number,
  measureMs: number,
): Promise<{ readonly skerry: PipelineFigures; readonly bare: PipelineFigures }> {
  await using plc = await openChild<{ port: number }>("plc", { units });
  const dataDir = mkdtempSync(join(tmpdir(), "skerry-bench-"));
  try {
    const bare = await measureBare(units, plc.ready.port, measureMs);
    await using edge = await openChild<{ port: number }>("edge", { units, plc: plc.ready.port, dataDir });
    return { skerry: await measure(edge, edge.ready.port, measureMs), bare };
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function measureBare(units: number, plc: number, measureMs: number): Promise<PipelineFigures> {
  await using broker = await openChild<{ port: number }>("broker", {});
  await using bare = await openChild<object>("bare", { units, plc, broker: broker.ready.port });
  return await measure(bare, broker.ready.port, measureMs);
}

async function measure(child: Child<unknown>, port: number, measureMs: number): Promise<PipelineFigures> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`);
  const latencies: number[] = [];
  client.on("message", (_, payload) => {
    const text = payload.toString("latin1");
    const now = clockUs();
    const then = Number(/"clock":(\d+)/.exec(text)?.[1]);
    latencies.push(((now - then + 2 ** 32) % 2 ** 32) / 1000);
  });
  await client.subscribeAsync("+/+/telemetry");
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
  latencies.length = 0;
  const before = await child.usage();
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, measureMs));
  const after = await child.usage();
  const seconds = (performance.now() - began) / 1000;
  const values = latencies.length * VALUES;
  await client.endAsync();
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN;
  return {
    valuesPerSecond: values / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    cpuUsPerValue: (after.cpuUs - before.cpuUs) / values,
    rssMiB: after.rssBytes / 2 ** 20,
  };
}
