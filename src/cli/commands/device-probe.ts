import { command } from "../command.ts";
import { integer, linkOf, number, transports } from "../devices/probe-target.ts";
import { outputOption, show } from "../output.ts";

export const deviceProbe = command({
  name: "device probe",
  summary: "Read a range of an unknown device and show every sensible decoding side by side.",
  details:
    "For devices whose manual is vague: give the number on the display with --expect, and the decodings that give it are " +
    "marked, with the address and the scale to write into the DeviceModel. Only reads. Stop the node first when it is on " +
    "the same serial port; gateways and TCP devices usually take a second connection.",
  args: {
    protocol: { help: "Protocol of the device.", choices: ["modbus"] },
    target: { help: "HOST, HOST:PORT, or a serial port such as /dev/ttyUSB0." },
  },
  options: {
    transport: { help: "How its bytes travel.", value: "NAME", choices: transports, default: "tcp" },
    unit: { help: "Unit identifier.", short: "u", value: "N", default: "1" },
    table: {
      help: "Table to read.",
      short: "t",
      value: "NAME",
      choices: ["holding", "input", "coil", "discrete"],
      default: "holding",
    },
    start: { help: "First register, counted from 0 as on the wire.", short: "s", value: "N", default: "0" },
    count: { help: "Registers to read, at most 1000.", short: "c", value: "N", default: "20" },
    expect: { help: "The number on the display.", short: "e", value: "NUMBER" },
    tolerance: { help: "How far off it may be; without it half of its last digit.", value: "NUMBER" },
    timeout: { help: "Longest wait for an answer.", value: "TIME", default: "2s" },
    baudRate: { help: "Of a serial port.", value: "N" },
    parity: { help: "Of a serial port.", value: "NAME", choices: ["none", "even", "odd"] },
    all: { help: "Every decoding, one in a line." },
    output: outputOption,
  },
  examples: [
    ["edgeadm device probe modbus 10.0.0.7 --count 40", "what is there?"],
    ["edgeadm device probe modbus 10.0.0.7:1502 --table input --expect 21.5", "where is the temperature?"],
    ["edgeadm device probe modbus /dev/ttyUSB0 --transport rtu --baud-rate 9600 --unit 3", "on a serial line"],
  ],
  async run({ args, options }, world) {
    const { table, transport, output } = options;
    const expect = options.expect === undefined ? undefined : number("--expect", options.expect);
    const range = {
      unit: integer("--unit", options.unit, 0, 255),
      table,
      start: integer("--start", options.start, 0, 65_535),
      count: integer("--count", options.count, 1, 1_000),
      expect,
      tolerance: options.tolerance === undefined ? undefined : number("--tolerance", options.tolerance),
    };
    const link = linkOf(args.target, { ...options, transport });
    const [{ probeLink }, { allLines, probeLines }] = await Promise.all([
      import("#drivers/modbus/probe"),
      import("../devices/probe-lines.ts"),
    ]);
    const result = await probeLink(link, range, world.signal);
    show(world, output, plain(result), () => (options.all ? allLines(result) : probeLines(result, expect)));
  },
});

/** JSON has no 64-bit integers: their digits are text. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? part.toString() : part)));
}
