import { command } from "../command.ts";
import { listLines } from "../devices/lines.ts";
import { openDevices, sourceOptions } from "../devices/source.ts";
import { outputOption, show } from "../output.ts";
import { cut } from "../table.ts";

export const deviceList = command({
  name: "device list",
  summary: "List devices with what they say.",
  args: {},
  options: { ...sourceOptions, output: outputOption },
  examples: [
    ["edgeadm device list", "the devices of the namespace default"],
    ["edgeadm device list -A -o json", "all of the cluster, for a program"],
    ["edgeadm device list --site http://127.0.0.1:7080", "those of a node, also while the cloud is away"],
  ],
  async run({ options }, world) {
    await using source = await openDevices(options, world);
    const devices = await source.list(world.signal);
    const { namespace, allNamespaces, site, output } = options;
    const { isTty, columns } = world.out;
    show(world, output, devices, () => {
      if (devices.length === 0 && !allNamespaces && site === undefined)
        return [`no devices in namespace ${namespace}; -A lists those of all`];
      const lines = listLines(devices, world.clock.now());
      return isTty ? lines.map((line) => cut(line, columns)) : lines;
    });
  },
});
