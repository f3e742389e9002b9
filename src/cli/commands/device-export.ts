import { resolve } from "node:path";
import type { DriverTable } from "#devices/driver";
import { Fault } from "#std/fault";
import { printYaml } from "#std/yaml";
import { command } from "../command.ts";
import { driverOf } from "../devices/manifests.ts";
import { sourceOptions } from "../devices/source.ts";
import type { Cluster } from "../tags/cluster.ts";
import { printCsv } from "../tags/csv.ts";
import { deviceTemplate, protocolTemplate } from "../tags/template.ts";
import { writeTags } from "../tags/write.ts";
import { isWorkbook, printWorkbook } from "../tags/xlsx.ts";
import { driverOption, withDriverOption } from "../third-party.ts";
import { remark, type World } from "../world.ts";
import { writeNamed } from "../write-file.ts";

type Rows = readonly (readonly string[])[];

export const deviceExport = command({
  name: "device export",
  summary: "Write the Devices and DeviceModels of a namespace as a list, or an empty one to fill in.",
  details:
    "What device import reads: a row for each property and command of each model, then a row for each device, and one for " +
    "each address that differs from the model's. Desired values are not in it; manifests have all. With --template the list " +
    "has the columns for Devices of a model, or for a new model of a protocol; rows that begin with # say what belongs into " +
    "a column, and are examples to copy.",
  args: {},
  options: {
    kubeconfig: sourceOptions.kubeconfig,
    namespace: sourceOptions.namespace,
    template: {
      help: "An empty list instead: for a protocol, such as modbus, or for a DeviceModel of the namespace.",
      short: "t",
      value: "NAME",
    },
    driver: driverOption,
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
    ["edgeadm device export --template meter --file meters.xlsx", "to declare 300 meters in 300 rows"],
    ["edgeadm device export --template modbus", "the columns for a new model"],
  ],
  async run({ options }, world) {
    const { template, file, output } = options;
    const rows =
      template === undefined ? writeTags(await read(options, world)) : await templateOf(template, options, world);
    if (file === undefined) return world.out.write(printed(rows, output));
    writeNamed(resolve(world.cwd, file), isWorkbook(file) ? await printWorkbook(rows) : printed(rows, output));
    remark(world, `${rows.length - 1} rows in ${file}`);
  },
});

interface Where {
  readonly kubeconfig: string | undefined;
  readonly namespace: string;
  readonly driver: readonly string[];
}

async function read(where: Where, world: World): ReturnType<Cluster["list"]> {
  const { openCluster } = await import("../tags/cluster.ts");
  await using cluster = await openCluster(where, world);
  return await cluster.list(world.signal);
}

async function templateOf(name: string, where: Where, world: World): Promise<Rows> {
  const { drivers } = await import("#drivers/index");
  const table: DriverTable = withDriverOption(drivers, where.driver, world.cwd);
  if (Object.hasOwn(table, name)) return protocolTemplate(await driverOf(table, name));
  const objects = await read(where, world);
  const model = objects.find((one) => one.kind === "DeviceModel" && one.name === name);
  if (!model)
    throw new Fault("MODEL_UNKNOWN", `${name} is neither a DeviceModel in namespace ${where.namespace} nor a driver`, {
      hint: `Drivers are ${Object.keys(table).join(", ")}; --driver names others, --namespace another namespace.`,
    });
  const like = objects.find(({ kind, spec }) => kind === "Device" && spec.model === name);
  return deviceTemplate(model, await driverOf(table, String(model.spec.protocol)), like?.spec);
}

function printed(rows: Rows, format: "csv" | "json" | "yaml"): string {
  if (format === "csv") return printCsv(rows);
  const [head = [], ...rest] = rows;
  const records = rest.map((row) => Object.fromEntries(head.map((name, i) => [name, row[i] ?? ""])));
  return format === "json" ? `${JSON.stringify(records, null, 2)}\n` : printYaml(records);
}
