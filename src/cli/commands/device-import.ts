import { resolve } from "node:path";
import { Fault } from "#std/fault";
import { command } from "../command.ts";
import { parseCsv } from "../devices/csv.ts";
import { changeRows, differenceOf } from "../devices/difference.ts";
import { sourceOptions } from "../devices/source.ts";
import { readTags } from "../devices/tags.ts";
import { isWorkbook, parseWorkbook } from "../devices/xlsx.ts";
import { outputOption, show } from "../output.ts";
import { readBytes, readText } from "../read-file.ts";
import { table } from "../table.ts";
import { driverOption, withDriverOption } from "../third-party.ts";
import { remark, type World } from "../world.ts";

const MOST_PROBLEMS = 50;

export const deviceImport = command({
  name: "device import",
  summary: "Declare Devices and DeviceModels from a list: a row for each property.",
  details:
    "CSV, or the first sheet of a workbook (.xlsx), with the columns device, model, node, protocol, property, type, unit, " +
    "access, minimum, maximum, scale, offset, resolution, every, report.deadband, report.heartbeat, address.*, link.*, " +
    "station.*, as device export writes it. A list adds and changes and deletes nothing. When one row is wrong " +
    "nothing is applied, and every wrong row is named.",
  args: { file: { help: "File: .xlsx is a workbook, everything else is CSV." } },
  options: {
    kubeconfig: sourceOptions.kubeconfig,
    namespace: sourceOptions.namespace,
    modelPrefix: { help: "Put before the name of every model.", value: "TEXT", default: "" },
    driver: driverOption,
    dryRun: { help: "Show what would change, and change nothing." },
    output: outputOption,
  },
  examples: [
    ["edgeadm device import tags.csv --dry-run", "what would change?"],
    ["edgeadm device import tags.csv", "do it"],
    ["edgeadm device import tags.xlsx", "out of a spreadsheet"],
  ],
  async run({ args, options }, world) {
    if (/\.xls[bm]?$/i.test(args.file))
      throw new Fault("USAGE_INVALID", `${args.file} is a workbook of another kind`, {
        hint: "Save it as .xlsx or as CSV (UTF-8) and import that.",
      });
    const { drivers } = await import("#drivers/index");
    const known = withDriverOption(drivers, options.driver, world.cwd);
    const loaded = Object.entries(known).map(async ([name, load]) => [name, await load()] as const);
    const path = resolve(world.cwd, args.file);
    const records = isWorkbook(path) ? await parseWorkbook(readBytes(path), args.file) : parseCsv(readText(path));
    const { objects, problems } = readTags(records, {
      prefix: options.modelPrefix,
      schemas: new Map(await Promise.all(loaded)),
    });
    if (problems.length > 0) throw refusal(args.file, problems, world);
    const { openCluster } = await import("../devices/cluster.ts");
    await using cluster = await openCluster(options, world);
    const changes = differenceOf(objects, await cluster.list(world.signal));
    if (!options.dryRun) for (const change of changes) await cluster.apply(change, world.signal);
    show(world, options.output, changes, () => table(["KIND", "NAME", "CHANGE", "FIELDS"], changeRows(changes)));
    if (options.dryRun) remark(world, "dry run: nothing was changed");
  },
});

/** Names every wrong row; the fault says how many there are. */
function refusal(file: string, problems: readonly { line: number; message: string }[], world: World): Fault {
  for (const { line, message } of problems.slice(0, MOST_PROBLEMS)) remark(world, `${file}:${line}: ${message}`);
  const more = problems.length - MOST_PROBLEMS;
  if (more > 0) remark(world, `and ${more} more`);
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const hint = "Correct the rows that are named above.";
  return new Fault("CONFIG_INVALID", `${file}: ${count}; nothing was applied`, { problems, hint });
}
