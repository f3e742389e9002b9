import { join, resolve } from "node:path";
import { openCloud } from "#cloud/main";
import { drivers } from "#drivers/index";
import { openLog } from "#std/log";
import { Scope } from "#std/scope";
import { readCloudFile } from "../cloud-file.ts";
import { command } from "../command.ts";
import { makeDataDir } from "../data-dir.ts";
import { openOwnRegistry } from "../own-registry.ts";
import { untilAbort } from "../until-abort.ts";

export const runCloud = command({
  name: "run cloud",
  summary: "Run the centre: the tunnel, the controllers, and the door where machines join.",
  details:
    "The Devices are in the cluster of kubernetes.kubeconfig, or in the embedded registry (registry: {}), whose kubeconfig " +
    "is written into the data directory. The log goes to standard error, as lines of JSON.",
  args: {},
  options: { config: { help: "YAML file; examples/cloud.yaml has every field.", value: "FILE", required: true } },
  examples: [["edgeadm run cloud --config /etc/skerry/cloud.yaml", "until SIGTERM or Ctrl-C"]],
  async run({ options }, world) {
    const { registry, kubernetes, log: level, ...config } = readCloudFile(options.config, world.cwd);
    const { dataDir, hosts } = config;
    makeDataDir(dataDir);
    const { clock, signal } = world;
    const log = openLog({ level, write: (line) => world.err.write(line) });
    await using scope = new Scope();
    const own = join(dataDir, "kubeconfig");
    if (registry) {
      const keys = { dataDir: join(dataDir, "registry"), hosts, kubeconfig: own, admin: "admin", log };
      const { url } = scope.use(await openOwnRegistry({ ...registry, ...keys }));
      log.info("registry up", { url, kubeconfig: own });
    }
    const { kubeconfig = own, context } = kubernetes ?? {};
    const source = { path: resolve(world.cwd, kubeconfig), ...(context === undefined ? {} : { context }) };
    const cloud = scope.use(await openCloud(config, { log, clock, kubeconfig: source, schemas: drivers }));
    await untilAbort(cloud.done(), signal);
    log.info("cloud ends");
  },
});
