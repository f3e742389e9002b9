import { dirname, join, resolve } from "node:path";
import { Fault } from "#std/fault";
import { openLog } from "#std/log";
import { isAbort, Scope } from "#std/scope";
import { program } from "../about.ts";
import { command } from "../command.ts";
import { makeDataDir } from "../data-dir.ts";
import { parseDevConfig } from "../dev/config.ts";
import { openLogFile } from "../dev/log-file.ts";
import { lock } from "../lock.ts";
import { readText } from "../read-file.ts";
import { driverOption, loadAdded, withDriverOption, withDrivers } from "../third-party.ts";
import { untilAbort } from "../until-abort.ts";
import type { World } from "../world.ts";

export const runDev = command({
  name: "run dev",
  summary: "Run everything in one process, with simulated devices.",
  details:
    "A cloud with an embedded Kubernetes API, the edge node site-a, and a simulated Modbus TCP PLC, all on 127.0.0.1. " +
    "The sample devices of examples/dev are declared at the first start; from then on they are yours. " +
    "At a terminal the log goes to dev.log in the data directory, otherwise to standard error.",
  args: {},
  options: {
    dataDir: { help: "Where everything is kept.", value: "DIR", default: ".skerry" },
    config: {
      help: "YAML file, with other ports and drivers of others; examples/dev.yaml has every field.",
      value: "FILE",
    },
    port: {
      help: "One other port, such as mqtt=1884: mqtt, edge, registry, tunnel, join, cloud, plc.",
      short: "p",
      value: "NAME=PORT",
      many: true,
    },
    driver: driverOption,
    output: {
      help: "With json, one line with all endpoints.",
      short: "o",
      value: "FORMAT",
      choices: ["text", "json"],
      default: "text",
    },
  },
  examples: [
    ["edgeadm run dev", "what npm start does"],
    ["edgeadm run dev --port mqtt=1884", "when a broker runs on 1883 already"],
    ["edgeadm run dev --data-dir try -o json", "for scripts"],
  ],
  async run({ options }, world) {
    const { config: file, port, output } = options;
    const path = file === undefined ? undefined : resolve(world.cwd, file);
    const config = parseDevConfig(path === undefined ? "" : readText(path), file ?? "the configuration", port);
    const dataDir = resolve(world.cwd, options.dataDir);
    makeDataDir(dataDir);
    const [{ openDev }, { showDev }, { driverTable }] = await Promise.all([
      import("../dev/stack.ts"),
      import("../dev/show.ts"),
      import("#drivers/index"),
    ]);
    const own = driverTable({ dataDir: join(dataDir, config.node) });
    const named = withDrivers(own, config.drivers, path === undefined ? world.cwd : dirname(path));
    const drivers = withDriverOption(named, options.driver, world.cwd);
    await loadAdded(drivers, own);
    await using scope = new Scope(world.signal);
    scope.use(lock(dataDir));
    const log = openDevLog(dataDir, scope, world);
    const examples = join(world.root, "examples/dev");
    const { version } = program(world.root);
    try {
      const dev = scope.use(
        await openDev({ config, dataDir, drivers, examples, version }, { clock: world.clock, log }, scope.signal),
      );
      scope.run("show", (signal) => showDev(dev, { asJson: output === "json" }, world, signal));
      await untilAbort(dev.done(), scope.signal);
      if (!world.signal.aborted) await scope.done();
    } catch (error) {
      if (isAbort(error, world.signal)) return;
      throw withAdvice(error, config.ports);
    }
  },
});

/** A log of warnings at standard error, or at a terminal, which is for the table, of more in a file. */
function openDevLog(dataDir: string, scope: Scope, { err, out }: World) {
  if (!out.isTty) return openLog({ level: "warn", write: (line) => err.write(line) });
  const file = scope.use(openLogFile(join(dataDir, "dev.log")));
  return openLog({ level: "info", write: (line) => file.write(line) });
}

/** A port in use is the most likely trouble of a first start; the way out is one option. */
function withAdvice(error: unknown, ports: Readonly<Record<string, number>>): unknown {
  if (!Fault.is(error, "PORT_IN_USE")) return error;
  const [name] = Object.entries(ports).find(([, port]) => port === error.detail.port) ?? [];
  if (name === undefined) return error;
  const hint = `Stop what listens there, or choose another port: edgeadm run dev --port ${name}=0`;
  return new Fault("PORT_IN_USE", error.message, { cause: error, hint });
}
