import { command } from "../command.ts";
import { conflictLines, conflictsOf } from "../devices/conflicts.ts";
import { openDevices, sourceOptions } from "../devices/source.ts";
import { outputOption, show } from "../output.ts";

export const deviceConflicts = command({
  name: "device conflicts",
  summary: "List where cloud and site wished different things without knowing of each other.",
  details:
    "The rule of the property has decided which wish stands, and says so here until either side wishes anew. With the rule " +
    "manual the site's stands until somebody decides: the commands that do are shown.",
  args: { name: { help: "Name of the device; without it, all.", optional: true } },
  options: {
    ...sourceOptions,
    node: { help: "Only devices of this node.", value: "NAME" },
    output: outputOption,
  },
  examples: [
    ["edgeadm device conflicts -A", "whether anybody has to decide anything"],
    ["edgeadm device conflicts boiler-1 -o json", "those of a device, for a program"],
    ["edgeadm device conflicts --site http://127.0.0.1:7080", "as the node knows them, also while the cloud is away"],
  ],
  async run({ args: { name }, options }, world) {
    const { node, output } = options;
    await using source = await openDevices(options, world);
    const devices = name === undefined ? await source.list(world.signal) : [await source.get(name, world.signal)];
    const mine = devices.filter((device) => node === undefined || device.node === node);
    const conflicts = conflictsOf(mine, options);
    show(world, output, conflicts, () => conflictLines(conflicts, world.clock.now()));
  },
});
