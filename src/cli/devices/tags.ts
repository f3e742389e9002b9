/** Lists of tags: one row for each property of each device, to DeviceModels and Devices and back. Pure. */
import type { Schemas } from "#devices/expand";
import { modelSpec, propertySpec } from "#devices/model";
import { type Problem, problems, tell } from "#std/schema";
import { columnsOf, parseCell, printCell, recordOf } from "./cells.ts";
import type { CsvRecord } from "./csv.ts";

/** A Device or DeviceModel with what a list says of it. */
export interface Tagged {
  readonly kind: "Device" | "DeviceModel";
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

/** A row that is wrong; lines count from 1, which is the head as a rule. */
export interface RowProblem {
  readonly line: number;
  readonly message: string;
}

/** What a list says, or all that is wrong with it. */
export interface Read {
  /** Models first. */
  readonly objects: readonly Tagged[];
  readonly problems: readonly RowProblem[];
}

const plain = [
  "type",
  "unit",
  "access",
  "minimum",
  "maximum",
  "scale",
  "offset",
  "resolution",
  "every",
  "report.deadband",
  "report.heartbeat",
] as const;
type Plain = (typeof plain)[number];
const columns: readonly string[] = ["device", "model", "node", "protocol", "property", ...plain];
const below = ["address", "link", "station"] as const;
const texts: readonly Plain[] = ["type", "unit", "access", "every", "report.heartbeat"];
const REPORT = "report.";
const LONGEST_NAME = 63;

interface Row {
  readonly line: number;
  readonly cells: ReadonlyMap<string, string>;
}

export interface ReadOptions {
  /** Stands before the name of every model. */
  readonly prefix: string;
  /** Schemas of the drivers that are there, by protocol. */
  readonly schemas: ReadonlyMap<string, Schemas>;
}

/** Reads a list. Nothing of it counts while there are problems. */
export function readTags([head, ...records]: readonly CsvRecord[], { prefix, schemas }: ReadOptions): Read {
  if (!head) return { objects: [], problems: [{ line: 1, message: "the file is empty" }] };
  const names = head.cells.map((cell) => cell.trim());
  const wrong: RowProblem[] = headProblems(names, head.line);
  if (wrong.length > 0) return { objects: [], problems: wrong };
  const models = new Map<string, { protocol: string; properties: Map<string, Record<string, unknown>> }>();
  const devices = new Map<string, Record<string, unknown>>();
  for (const { line, cells } of records) {
    const row = { line, cells: new Map(names.map((name, i) => [name, (cells[i] ?? "").trim()])) };
    const say = (...messages: readonly string[]) => wrong.push(...messages.map((message) => ({ line, message })));
    if (cells.length > names.length) say(`has ${cells.length} cells, the head ${names.length}`);
    const cell = (name: string) => row.cells.get(name) ?? "";
    const empty = ["device", "model", "node", "protocol", "property", "type"].filter((name) => cell(name) === "");
    if (empty.length > 0) {
      say(`${empty.join(", ")}: must not be empty`);
      continue;
    }
    const driver = schemas.get(cell("protocol"));
    if (!driver) {
      say(`protocol: there is no driver ${cell("protocol")}, but ${[...schemas.keys()].join(", ")}`);
      continue;
    }
    const name = prefix + cell("model");
    const model = models.get(name) ?? { protocol: cell("protocol"), properties: new Map() };
    models.set(name, model);
    if (model.protocol !== cell("protocol")) say(`protocol: the model ${name} speaks ${model.protocol} above`);
    const { address, ...property } = propertyOf(row);
    say(...under("", problems(propertySpec, { ...property, address })));
    say(...under("address", problems(driver.address, address)));
    const known = model.properties.get(cell("property"));
    if (!known) model.properties.set(cell("property"), { ...property, address });
    else if (!isSame({ ...known, address: undefined }, { ...property, address: undefined }))
      say(`property: ${cell("property")} of the model ${name} is another above`);
    say(...addDevice(row, devices, { model: name, driver, known, address }));
  }
  const made: Tagged[] = [
    ...[...models].map(([name, { protocol, properties }]) => {
      return { kind: "DeviceModel" as const, name, spec: { protocol, properties: [...properties.values()] } };
    }),
    ...[...devices].map(([name, spec]) => ({ kind: "Device" as const, name, spec })),
  ];
  return wrong.length > 0 ? { objects: [], problems: wrong } : { objects: made, problems: [] };
}

interface About {
  readonly model: string;
  readonly driver: Schemas;
  /** The property as another row has it. */
  readonly known: Readonly<Record<string, unknown>> | undefined;
  readonly address: unknown;
}

/** Adds a row to its device; what is empty is as in the rows above. */
function addDevice(
  { cells }: Row,
  devices: Map<string, Record<string, unknown>>,
  { model, driver, known, address }: About,
): readonly string[] {
  const name = cells.get("device") ?? "";
  const property = cells.get("property") ?? "";
  if (name.length > LONGEST_NAME || !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(name))
    return [`device: ${name} is no name: lower-case letters, digits, '-' and '.'`];
  const [link, station] = [recordOf(cells, "link"), recordOf(cells, "station")];
  const device = devices.get(name);
  const own = known && !isSame(known.address, address) ? { [property]: address } : {};
  if (!device) {
    const addresses = Object.keys(own).length > 0 ? { addresses: own } : {};
    devices.set(name, { model, node: cells.get("node"), link, station, ...addresses });
    return [...under("link", problems(driver.link, link)), ...under("station", problems(driver.station, station))];
  }
  if (Object.keys(own).length > 0) device.addresses = { ...(device.addresses as object | undefined), ...own };
  const facts = { model, node: cells.get("node"), link, station };
  return Object.entries(facts).flatMap(([field, value]) => {
    const isEmpty = typeof value === "object" && Object.keys(value).length === 0;
    return isEmpty || isSame(device[field], value) ? [] : [`${field}: ${name} has another in a row above`];
  });
}

function headProblems(names: readonly string[], line: number): RowProblem[] {
  const isKnown = (name: string) => columns.includes(name) || below.some((start) => name.startsWith(`${start}.`));
  const missing = ["device", "model", "node", "protocol", "property", "type"].filter((name) => !names.includes(name));
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  return [
    ...names.filter((name) => !isKnown(name)).map((name) => `there is no column "${name}"`),
    ...missing.map((name) => `the column ${name} is missing`),
    ...twice.map((name) => `the column ${name} is there twice`),
  ].map((message) => ({ line, message }));
}

function propertyOf({ cells }: Row): Record<string, unknown> {
  const given = plain.flatMap((name) => {
    const cell = cells.get(name) ?? "";
    return cell === "" ? [] : [[name, isText(name) ? cell : parseCell(cell)] as const];
  });
  const isReport = ([name]: readonly [Plain, unknown]) => name.startsWith(REPORT);
  const report = given.filter(isReport).map(([name, value]) => [name.slice(REPORT.length), value] as const);
  return {
    name: cells.get("property"),
    ...Object.fromEntries(given.filter((one) => !isReport(one))),
    ...(report.length > 0 ? { report: Object.fromEntries(report) } : {}),
    address: recordOf(cells, "address"),
  };
}

/** What a property has in a column. */
function plainOf(property: Readonly<Record<string, unknown>>, column: Plain): unknown {
  if (!column.startsWith(REPORT)) return property[column];
  return (property.report as Readonly<Record<string, unknown>> | undefined)?.[column.slice(REPORT.length)];
}

/** Columns whose cells are text whatever they look like. */
function isText(column: Plain): boolean {
  return texts.includes(column);
}

function under(path: string, found: readonly Problem[]): readonly string[] {
  return found.map((one) => tell({ ...one, path: [path, one.path].filter((part) => part !== "").join(".") }));
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Writes Devices as a list, which `readTags` reads; what a list can not hold is left out. */
export function writeTags(objects: readonly Tagged[]): readonly (readonly string[])[] {
  const models = new Map(objects.filter(({ kind }) => kind === "DeviceModel").map(({ name, spec }) => [name, spec]));
  const rows = objects
    .filter(({ kind }) => kind === "Device")
    .flatMap(({ name, spec }) => {
      const { model, node, link, station, addresses = {} } = spec as Record<string, unknown>;
      const parsed = modelSpec.safeParse(models.get(String(model)));
      if (!parsed.success) return [];
      const raw = models.get(String(model))?.properties as readonly Record<string, unknown>[];
      return raw.map((property) => {
        const own = (addresses as Record<string, unknown>)[String(property.name)];
        return new Map<string, string>([
          ["device", name],
          ["model", printCell(model)],
          ["node", printCell(node)],
          ["protocol", parsed.data.protocol],
          ["property", String(property.name)],
          ...plain.map((column) => {
            const value = plainOf(property, column);
            return [column, isText(column) ? String(value ?? "") : printCell(value)] as const;
          }),
          ...columnsOf(own ?? property.address, "address"),
          ...columnsOf(link, "link"),
          ...columnsOf(station, "station"),
        ]);
      });
    });
  const found = new Set(rows.flatMap((row) => [...row.keys()]));
  const rest = below.flatMap((start) => [...found].filter((name) => name.startsWith(`${start}.`)).sort());
  const head = [...columns, ...rest];
  return [head, ...rows.map((row) => head.map((name) => row.get(name) ?? ""))];
}
