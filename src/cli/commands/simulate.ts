import { Fault } from "#std/fault";
import { isAbort, Scope } from "#std/scope";
import { command } from "../command.ts";
import { integer } from "../devices/probe-target.ts";
import { outputOption, show } from "../output.ts";

const STEP_MS = 1_000;

export const simulate = command({
  name: "simulate",
  summary: "Be a device that is not there: a PLC, a scale, a GPS receiver or a meter.",
  details:
    "For trying the examples without hardware. Prints the link of a Device that reaches it, and runs until Ctrl-C. The plc " +
    "speaks Modbus TCP (a boiler at unit 1, a tank at unit 2); the others are serial devices behind a serial server, those of " +
    "examples/serial-*, or with --pty at a serial port of this machine.",
  args: { device: { help: "What is simulated.", choices: ["plc", "scale", "gps", "meter"] } },
  options: {
    host: { help: "Address to listen on.", value: "ADDRESS", default: "127.0.0.1" },
    port: {
      help: "Port to listen on; 0 takes any free one. Without it 5020, 4001, 4002 or 4003.",
      short: "p",
      value: "PORT",
    },
    pty: { help: "Also make a serial port that leads to it. On Linux, by means of socat." },
    unsolicited: { help: "The scale prints by itself, each second." },
    output: outputOption,
  },
  examples: [
    ["edgeadm simulate scale", "for scale-1 of examples/serial-scale"],
    ["edgeadm simulate gps --pty", "a GPS receiver at a port such as /dev/pts/5"],
  ],
  async run({ args, options }, world) {
    const { host, pty, unsolicited, output } = options;
    if (unsolicited && args.device !== "scale") throw new Fault("USAGE_INVALID", "--unsolicited is for the scale");
    if (pty && args.device === "plc")
      throw new Fault("USAGE_INVALID", "the plc speaks Modbus TCP and has no serial port");
    const { simulations } = await import("../simulate/devices.ts");
    const { port: standard, open } = simulations[args.device];
    const port = options.port === undefined ? standard : integer("--port", options.port, 0, 65_535);
    await using scope = new Scope(world.signal);
    const opening = open({ host, port, unsolicited, clock: world.clock }).catch((cause: unknown) => {
      if (!Fault.is(cause, "PORT_IN_USE")) throw cause;
      const hint = `Stop what listens there, or choose another port: edgeadm simulate ${args.device} --port 0`;
      throw new Fault("PORT_IN_USE", cause.message, { cause, hint });
    });
    const simulated = scope.use(await opening);
    const { openPty } = await import("#drivers/serial/simulator");
    const at = { host: simulated.host, port: simulated.port };
    const link = pty ? { path: scope.use(await openPty(at)).path } : at;
    const fields = Object.entries(link).map(([name, value]) => `${name}: ${value}`);
    show(world, output, { device: args.device, ...at, link }, () => [
      `${args.device} at ${at.host}:${at.port}, until Ctrl-C`,
      `link: { ${fields.join(", ")} }`,
    ]);
    const start = world.clock.monotonic();
    try {
      for (;;) {
        simulated.step?.((world.clock.monotonic() - start) / 1_000);
        await world.clock.sleep(STEP_MS, scope.signal);
      }
    } catch (error) {
      // Ctrl-C is how it ends.
      if (!isAbort(error, world.signal)) throw error;
    }
  },
});
