import { command } from "../command.ts";
import { deviceLines } from "../devices/lines.ts";
import { openDevices, sourceOptions } from "../devices/source.ts";
import { outputOption, show } from "../output.ts";

export const deviceGet = command({
  name: "device get",
  summary: "Show one device with its properties.",
  args: { name: { help: "Name of the device." } },
  options: { ...sourceOptions, output: outputOption },
  examples: [
    ["edgeadm device get boiler-1", "values, quality, age, and what is desired"],
    ["edgeadm device get boiler-1 -o yaml", "the same with everything that is known"],
  ],
  async run({ args, options }, world) {
    await using source = await openDevices(options, world);
    const device = await source.get(args.name, world.signal);
    show(world, options.output, device, () => deviceLines(device, world.clock.now()));
  },
});
