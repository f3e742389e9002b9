import { dirname, join, resolve } from "node:path";
import { openCloud } from "#cloud/main";
import { drivers } from "#drivers/index";
import { openLog } from "#std/log";
import { Scope } from "#std/scope";
import { readCloudFile } from "../cloud-file.ts";
import { makeDataDir } from "../data-dir.ts";
import { lock } from "../lock.ts";
import { loadAdded, withDrivers } from "../third-party.ts";
import { untilAbort } from "../until-abort.ts";
import type { World } from "../world.ts";

/** Runs a cloud, with a registry of its own when the file says so, until the world's signal aborts. */
export async function runCloudRole(file: string, world: World): Promise<void> {
  const { registry, kubernetes, drivers: named, log: level, ...config } = readCloudFile(file, world.cwd);
  const { dataDir, hosts } = config;
  makeDataDir(dataDir);
  using _ = lock(dataDir);
  const { clock, signal } = world;
  const log = openLog({ level, write: (line) => world.err.write(line) });
  await using scope = new Scope();
  const own = join(dataDir, "kubeconfig");
  if (registry) {
    // Loaded here, because a cloud with a cluster does without.
    const { openOwnRegistry } = await import("../own-registry.ts");
    const keys = { dataDir: join(dataDir, "registry"), hosts, kubeconfig: own, admin: "admin", log };
    const { url } = scope.use(await openOwnRegistry({ ...registry, ...keys }));
    log.info("registry up", { url, kubeconfig: own });
  }
  const { kubeconfig = own, context } = kubernetes ?? {};
  const schemas = withDrivers(drivers, named, dirname(resolve(world.cwd, file)));
  await loadAdded(schemas, drivers);
  const source = { path: resolve(world.cwd, kubeconfig), ...(context === undefined ? {} : { context }) };
  const cloud = scope.use(await openCloud(config, { log, clock, kubeconfig: source, schemas, environment: world.env }));
  await untilAbort(cloud.done(), signal);
  log.info("cloud ends");
}
