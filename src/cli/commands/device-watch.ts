import { Fault } from "#std/fault";
import { isAbort } from "#std/scope";
import { command } from "../command.ts";
import { openDevices, sourceOptions } from "../devices/source.ts";
import { openTeller } from "../devices/teller.ts";
import { outputOption } from "../output.ts";

export const deviceWatch = command({
  name: "device watch",
  summary: "Show devices as they change, until Ctrl-C.",
  details: "At a terminal the table is redrawn in place. In a pipe each change is a line, or a document with -o.",
  args: { name: { help: "Name of the device; without it, all.", optional: true } },
  options: { ...sourceOptions, output: outputOption },
  examples: [
    ["edgeadm device watch", "a table that is always up to date"],
    ["edgeadm device watch boiler-1 -o json", "one JSON object a line, for each change"],
  ],
  async run({ args: { name }, options }, world) {
    await using source = await openDevices(options, world);
    using teller = openTeller(options.output, { alone: name !== undefined }, world);
    try {
      for await (const all of source.follow(world.signal)) {
        const devices = name === undefined ? all : all.filter((it) => it.name === name);
        if (name !== undefined && devices.length === 0) throw new Fault("DEVICE_UNKNOWN", `there is no device ${name}`);
        teller.tell(devices);
      }
    } catch (error) {
      // Ctrl-C is how one leaves.
      if (!isAbort(error, world.signal)) throw error;
    }
  },
});
