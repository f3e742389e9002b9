/** A node under load: ten boilers that keep everything. Says the last row that is on disk, again and again. */
import { virtual } from "#drivers/virtual/index";
import { edgeConfig } from "#edge/config";
import { openEdge } from "#edge/main";
import { Outbox } from "#edge/outbox";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { virtualBoiler } from "../virtual-boiler.ts";

const { dataDir } = JSON.parse(process.argv[2] ?? "{}") as { dataDir: string };
const append = Outbox.prototype.append;
Outbox.prototype.append = async function (...args) {
  await append.apply(this, args);
  process.send?.({ seq: this.head });
};
const config = edgeConfig.parse({ dataDir, mqtt: { port: 0 }, api: { port: 0 } });
const drivers = { virtual: async () => virtual() as never };
const edge = await openEdge(
  { config, identity: undefined, version: "test" } as never,
  {
    drivers,
    clock: systemClock,
    log: silent,
  } as never,
);
for (let i = 0; i < 10; i++)
  await edge.supervisor.declare(virtualBoiler(`boiler-${i}`, { station: { seed: i }, telemetry: { keep: "every" } }));
