/** A node that joined, in a process of its own, so that a test can kill it. Says every row that is on its disk. */
import { drivers } from "#drivers/index";
import { edgeConfig } from "#edge/config";
import { loadIdentity } from "#edge/identity";
import { openEdge } from "#edge/main";
import { Outbox } from "#edge/outbox";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";

const { dataDir } = JSON.parse(process.argv[2] ?? "{}") as { dataDir: string };
const append = Outbox.prototype.append;
Outbox.prototype.append = async function (...args) {
  await append.apply(this, args);
  const [{ kind, device, at, body }] = args;
  if (kind === "telemetry") process.send?.({ device, at, body });
};
const config = edgeConfig.parse({ dataDir, mqtt: { port: 0 }, api: { port: 0 } });
const edge = await openEdge(
  { config, identity: loadIdentity(dataDir), version: "test" },
  { drivers, clock: systemClock, log: silent },
);
process.on("message", () => {
  const { uplink, backlog } = edge.state();
  process.send?.({ online: uplink.online, backlog });
});
