import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Fault } from "#std/fault";
import { printYaml } from "#std/yaml";
import { command } from "../command.ts";
import { printCsv } from "../devices/csv.ts";
import { sourceOptions } from "../devices/source.ts";
import { writeTags } from "../devices/tags.ts";
import { isWorkbook, printWorkbook } from "../devices/xlsx.ts";
import { remark } from "../world.ts";

export const deviceExport = command({
  name: "device export",
  summary: "Write the Devices of a namespace as a list: a row for each property.",
  details:
    "What device import reads. Commands, descriptions, rules for conflicts and desired values are not in it; manifests have all.",
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
    file: {
      help: "Where to write; a file that is there is replaced. With a name that ends with .xlsx it is a workbook.",
      short: "f",
      value: "FILE",
    },
  },
  examples: [
    ["edgeadm device export > tags.csv", "as CSV"],
    ["edgeadm device export --file tags.xlsx", "for a spreadsheet"],
  ],
  async run({ options }, world) {
    const { openCluster } = await import("../devices/cluster.ts");
    await using cluster = await openCluster(options, world);
    const rows = writeTags(await cluster.list(world.signal));
    const { file, output } = options;
    if (file === undefined) return world.out.write(printed(rows, output));
    const content = isWorkbook(file) ? await printWorkbook(rows) : printed(rows, output);
    try {
      writeFileSync(resolve(world.cwd, file), content);
    } catch (cause) {
      throw new Fault("PERMISSION_MISSING", `${file} can not be written`, { cause });
    }
    remark(world, `${rows.length - 1} rows in ${file}`);
  },
});

function printed(rows: readonly (readonly string[])[], format: "csv" | "json" | "yaml"): string {
  if (format === "csv") return printCsv(rows);
  const [head = [], ...rest] = rows;
  const records = rest.map((row) => Object.fromEntries(head.map((name, i) => [name, row[i] ?? ""])));
  return format === "json" ? `${JSON.stringify(records, null, 2)}\n` : printYaml(records);
}
