/** A node that joined, in a process of its own, so that a test can kill it. Says every row that is on its disk. */
import { drivers } from "#drivers/index";
import { edgeConfig } from "#edge/config";
import { loadIdentity } from "#edge/identity";
import { openEdge } from "#edge/main";
import { Outbox } from "#edge/outbox";
import { systemClock } from "#std/clock";
import { openLog } from "#std/log";

const { dataDir, outbox } = JSON.parse(process.argv[2] ?? "{}") as { dataDir: string; outbox?: object };
const append = Outbox.prototype.append;
Outbox.prototype.append = async function (...args) {
  await append.apply(this, args);
  const [{ kind, device, at, body }] = args;
  if (kind === "telemetry") process.send?.({ device, at, body });
};
const config = edgeConfig.parse({ dataDir, outbox, mqtt: { port: 0 }, api: { port: 0 } });
const edge = await openEdge(
  { config, identity: loadIdentity(dataDir), version: "test" },
  {
    drivers,
    clock: systemClock,
    log: openLog({ level: "warn", write: (line) => process.send?.({ line }) }),
  },
);
process.on("message", async () => {
  const { uplink, backlog, values } = edge.state();
  const { ok: ready } = await fetch(`${edge.api.url}/readyz`);
  process.send?.({
    online: uplink.online,
    backlog,
    values,
    ready,
    oldestMs: Date.now() - Math.min(...[...edge.twins.all].map(({ lastSeen = 0 }) => lastSeen)),
    rss: process.memoryUsage.rss(),
    mqtt: edge.mqtt.port,
  });
});
