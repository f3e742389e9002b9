import { dirname, resolve } from "node:path";
import { driverTable } from "#drivers/index";
import { parseEdgeConfig } from "#edge/config";
import { type Identity, loadIdentity } from "#edge/identity";
import { openEdge } from "#edge/main";
import { Fault } from "#std/fault";
import { type Log, openLog } from "#std/log";
import { program } from "../about.ts";
import { makeDataDir } from "../data-dir.ts";
import { lock } from "../lock.ts";
import { readText } from "../read-file.ts";
import { withDrivers } from "../third-party.ts";
import { untilAbort } from "../until-abort.ts";
import type { World } from "../world.ts";

/** Runs a node until the world's signal aborts. */
export async function runEdgeRole(file: string, world: World): Promise<void> {
  const reread = () => {
    const read = parseEdgeConfig(readText(resolve(world.cwd, file)), file);
    return { ...read, dataDir: resolve(world.cwd, read.dataDir) };
  };
  const config = reread();
  makeDataDir(config.dataDir);
  using _lock = lock(config.dataDir);
  const log = openLog({ level: config.log, write: (line) => world.err.write(line) });
  const identity = identityOf(config.dataDir, log);
  const { version } = program(world.root);
  const own = driverTable({ dataDir: config.dataDir });
  const drivers = withDrivers(own, config.drivers, dirname(resolve(world.cwd, file)));
  await using edge = await openEdge({ config, identity, version }, { drivers, clock: world.clock, log, reread });
  const { mqtt, api } = edge;
  log.info("edge up", { node: identity?.node ?? "alone", mqtt: `${mqtt.host}:${mqtt.port}`, api: api.url });
  using _ = world.onHangUp(() => {
    edge.reload().catch((error: unknown) => log.error("configuration not reloaded", { error }));
  });
  await untilAbort(edge.done(), world.signal);
  log.info("edge ends");
}

/** A node whose identity is damaged has no cloud; its site is driven all the same. */
function identityOf(dataDir: string, log: Log): Identity | undefined {
  try {
    return loadIdentity(dataDir);
  } catch (error) {
    if (!Fault.is(error, "IDENTITY_DAMAGED")) throw error;
    log.error("identity damaged, the node runs without its cloud", { error, hint: error.hint });
    return undefined;
  }
}
