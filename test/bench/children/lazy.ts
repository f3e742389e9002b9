/** A whole node with at most one device, whose link is refused. */
import { setTimeout as delay } from "node:timers/promises";
import { drivers } from "#drivers/index";
import { edgeConfig } from "#edge/config";
import { openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { childOptions, serveParent } from "../child.ts";
import type { LazyDevice, LazyRun } from "../lazy.ts";

interface Options {
  readonly dataDir: string;
  readonly hasDrivers: boolean;
  readonly device?: LazyDevice;
  readonly settleMs: number;
}

const { dataDir, hasDrivers, device, settleMs } = childOptions<Options>();
const edge = await openEdge(
  { config: edgeConfig.parse({ dataDir, mqtt: { port: 0 }, api: { port: 0 } }), identity: undefined, version: "bench" },
  { drivers: hasDrivers ? drivers : {}, clock: systemClock, log: silent },
);
if (device) {
  const { protocol, link, station, address } = device;
  await edge.supervisor.declare({
    namespace: "default",
    name: "device-1",
    uid: "uid-1",
    generation: 1,
    modelGeneration: 1,
    spec: { model: "bench", node: "bench", link, station },
    model: { protocol, properties: [{ name: "value", type: "number", address }] },
  });
}
/** Since the start of this process. */
const startMs = performance.now();
// The stack of a protocol is loaded when its first link is opened, a moment after the declaration.
await delay(settleMs);
const run: LazyRun = { startMs, rssBytes: process.memoryUsage.rss() };
serveParent(run, async () => await edge[Symbol.asyncDispose]());
