import { resolve } from "node:path";
import { Fault } from "#std/fault";
import { command } from "../command.ts";
import { sourceOptions } from "../devices/source.ts";
import { outputOption, show } from "../output.ts";
import { readBytes, readText } from "../read-file.ts";
import { table } from "../table.ts";
import { parseCsv } from "../tags/csv.ts";
import { type Change, changeRows, differenceOf } from "../tags/difference.ts";
import { type RowProblem, readTags } from "../tags/read.ts";
import { isWorkbook, parseWorkbook } from "../tags/xlsx.ts";
import { driverOption, withDriverOption } from "../third-party.ts";
import { remark, type World } from "../world.ts";

const MOST_PROBLEMS = 50;

export const deviceImport = command({
  name: "device import",
  summary: "Declare Devices and DeviceModels from a list of rows.",
  details:
    "CSV, or the first sheet of a workbook (.xlsx), as device export writes it; device export --template writes an empty one " +
    "that says what belongs into each column. A row is about a property or a command of a model, or about a device: the " +
    "model may stand in the list or be declared already, so that 300 equal devices are 300 rows. A row of a device that " +
    "names a property too gives it an address of its own, or declares the property when it has a type. A list adds and " +
    "changes and deletes nothing. When one row is wrong nothing is applied, and every wrong row is named.",
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
    if (/\.(ya?ml|json)$/i.test(args.file))
      throw new Fault("USAGE_INVALID", `${args.file} is no list of rows`, {
        hint: `Manifests are applied by kubectl apply -f ${args.file}`,
      });
    if (/\.xls[bm]?$/i.test(args.file))
      throw new Fault("USAGE_INVALID", `${args.file} is a workbook of another kind`, {
        hint: "Save it as .xlsx or as CSV (UTF-8) and import that.",
      });
    const { drivers } = await import("#drivers/index");
    const known = withDriverOption(drivers, options.driver, world.cwd);
    const loaded = Object.entries(known).map(async ([name, load]) => [name, await load()] as const);
    const path = resolve(world.cwd, args.file);
    const sheet = isWorkbook(path) ? await parseWorkbook(readBytes(path), args.file) : parseCsv(readText(path));
    const { openCluster } = await import("../tags/cluster.ts");
    await using cluster = await openCluster(options, world);
    const present = await cluster.list(world.signal);
    const schemas = new Map(await Promise.all(loaded));
    const { objects, problems } = readTags(sheet, { prefix: options.modelPrefix, schemas, present });
    if (problems.length > 0) throw refusal(args.file, problems, options.output === "table" ? world : undefined);
    const changes = differenceOf(objects, present);
    if (!options.dryRun) await cluster.apply(changes, world.signal);
    show(world, options.output, changes.map(shown), () =>
      changes.length === 0
        ? [`no Device or DeviceModel in ${args.file}`]
        : table(["KIND", "NAME", "CHANGE", "FIELDS"], changeRows(changes)),
    );
    if (options.dryRun) remark(world, "dry run: nothing was changed");
  },
});

/** Names every wrong row, to people at once, to programs in the fault; the fault says how many there are. */
function refusal(file: string, problems: readonly RowProblem[], world: World | undefined): Fault {
  if (world) tellProblems(file, problems, world);
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const hint = "Correct the rows that are named above.";
  return new Fault("CONFIG_INVALID", `${file}: ${count}; nothing was applied`, { problems, hint });
}

function tellProblems(file: string, problems: readonly RowProblem[], world: World): void {
  for (const { line, column, message } of problems.slice(0, MOST_PROBLEMS))
    remark(world, `${file}:${line}: ${column === undefined ? "" : `${column}: `}${message}`);
  const more = problems.length - MOST_PROBLEMS;
  if (more > 0) remark(world, `and ${more} more`);
}

function shown({ kind, name, change, fields, spec }: Change) {
  return { kind, name, change, fields, spec };
}
