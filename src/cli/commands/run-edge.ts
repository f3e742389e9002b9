import { resolve } from "node:path";
import { drivers } from "#drivers/index";
import { parseEdgeConfig } from "#edge/config";
import { loadIdentity } from "#edge/identity";
import { openEdge } from "#edge/main";
import { openLog } from "#std/log";
import { program } from "../about.ts";
import { command } from "../command.ts";
import { makeDataDir } from "../data-dir.ts";
import { readText } from "../read-file.ts";
import { untilAbort } from "../until-abort.ts";

export const runEdge = command({
  name: "run edge",
  summary: "Run a node at a site.",
  details:
    "The node drives its devices, serves them on a local MQTT broker and HTTP API, and keeps one connection to the cloud. " +
    "Without an identity it runs alone; join gives it one. The log goes to standard error, as lines of JSON.",
  args: {},
  options: { config: { help: "YAML file; examples/edge.yaml has every field.", value: "FILE", required: true } },
  examples: [["edgeadm run edge --config /etc/skerry/edge.yaml", "until SIGTERM or Ctrl-C"]],
  async run({ options }, world) {
    const file = options.config;
    const read = parseEdgeConfig(readText(resolve(world.cwd, file)), file);
    const config = { ...read, dataDir: resolve(world.cwd, read.dataDir) };
    makeDataDir(config.dataDir);
    const log = openLog({ level: config.log, write: (line) => world.err.write(line) });
    const identity = loadIdentity(config.dataDir);
    const { version } = program(world.root);
    await using edge = await openEdge({ config, identity, version }, { drivers, clock: world.clock, log });
    const { mqtt, api } = edge;
    log.info("edge up", { node: identity?.node ?? "alone", mqtt: `${mqtt.host}:${mqtt.port}`, api: api.url });
    await untilAbort(edge.done(), world.signal);
    log.info("edge ends");
  },
});
