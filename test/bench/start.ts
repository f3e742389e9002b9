/** From the start of a node's process to its first value at a subscriber. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mqtt from "mqtt";
import { openChild } from "./child.ts";

/** Milliseconds of each of some starts; the first one declares the device, the others know it. */
export async function benchStart(starts: number): Promise<readonly number[]> {
  const dataDir = mkdtempSync(join(tmpdir(), "skerry-bench-"));
  try {
    await using plc = await openChild<{ port: number }>("plc", { units: 1 });
    const took: number[] = [];
    for (let i = 0; i < starts; i++) {
      const began = performance.now();
      await using edge = await openChild<{ port: number }>("edge", { units: 1, plc: plc.ready.port, dataDir });
      const client = mqtt.connect(`mqtt://127.0.0.1:${edge.ready.port}`);
      const first = new Promise((resolve) => client.once("message", resolve));
      await client.subscribeAsync("devices/+/telemetry");
      await first;
      took.push(performance.now() - began);
      await client.endAsync();
    }
    return took;
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}
