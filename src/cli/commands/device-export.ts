import { command } from "../command.ts";
import { printCsv } from "../devices/csv.ts";
import { sourceOptions } from "../devices/source.ts";
import { writeTags } from "../devices/tags.ts";
import { show } from "../output.ts";

export const deviceExport = command({
  name: "device export",
  summary: "Write the Devices of a namespace as a list: a row for each property.",
  details:
    "What device import reads. Commands, scales, dead bands and desired values are not in it; manifests have all.",
  args: {},
  options: {
    kubeconfig: sourceOptions.kubeconfig,
    namespace: sourceOptions.namespace,
    output: {
      help: "How the list is printed.",
      short: "o",
      value: "FORMAT",
      choices: ["csv", "json", "yaml"],
      default: "csv",
    },
  },
  examples: [["edgeadm device export > tags.csv", "for a spreadsheet"]],
  async run({ options }, world) {
    const { openCluster } = await import("../devices/cluster.ts");
    await using cluster = await openCluster(options, world);
    const rows = writeTags(await cluster.list(world.signal));
    if (options.output === "csv") return world.out.write(printCsv(rows));
    const [head = [], ...rest] = rows;
    const records = rest.map((row) => Object.fromEntries(head.map((name, i) => [name, row[i] ?? ""])));
    show(world, options.output, records, () => []);
  },
});
