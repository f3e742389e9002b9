/** Takes rows into a telemetry engine as a cloud does, until it is killed: all that is not noted comes again. */
import { Reports } from "#cloud/devices/reports";
import { openStore } from "#cloud/store";
import { type SinkConfig, sinkConfig } from "#cloud/telemetry/config";
import { openSink } from "#cloud/telemetry/open-sink";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { gaps } from "#wire/ranges";
import { telemetry } from "../fake-edge.ts";
import { enough } from "../sinks.ts";

const { dataDir, sink, nodes, rows } = JSON.parse(process.argv[2] ?? "{}") as {
  dataDir: string;
  sink: SinkConfig;
  nodes: readonly string[];
  rows: number;
};
const db = openStore(dataDir, silent);
const ports = { db, retention: enough, environment: {}, log: silent, clock: systemClock };
const reports = new Reports(db, await openSink(sinkConfig.parse(sink), ports));
await Promise.all(
  nodes.map(async (device) => {
    for (const [from, to] of gaps(reports.have(device, "one"), 1, rows))
      for (let seq = from; seq <= to; seq += 10) {
        const batch = Array.from({ length: Math.min(10, to - seq + 1) }, (_, i) => telemetry(seq + i, { device }));
        await reports.take(device, "one", batch, 5_000);
        process.send?.(batch.length);
      }
  }),
);
process.send?.("done");
