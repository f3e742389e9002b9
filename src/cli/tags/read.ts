/** Reads lists of tags: rows of properties, commands and devices, to DeviceModels and Devices. Pure. */
import { commandProblems, type Schemas } from "#devices/expand";
import { commandSpec, deviceSpec, modelSpec, propertySpec } from "#devices/model";
import { equal, type Value } from "#devices/value";
import { type Problem, problems } from "#std/schema";
import { subjectsOf } from "./columns.ts";
import { mergedModel } from "./difference.ts";
import { Row, type RowProblem } from "./row.ts";
import { isRemark, type Sheet, type SheetRow } from "./sheet.ts";
import { finderOf, type Part, partsOf, type Spec, type Tagged } from "./tagged.ts";

export type { RowProblem };

/** What a list says, or all that is wrong with it. */
export interface Read {
  /** Models first. */
  readonly objects: readonly Tagged[];
  readonly problems: readonly RowProblem[];
}

export interface ReadOptions {
  /** Stands before the name of every model. */
  readonly prefix: string;
  /** Schemas of the drivers that are there, by protocol. */
  readonly schemas: ReadonlyMap<string, Schemas>;
  /** What is declared already: a list may speak of its models, and leave out what its devices have. */
  readonly present: readonly Tagged[];
}

/** Reads a list. Nothing of it counts while there are problems. */
export function readTags(sheet: Sheet, options: ReadOptions): Read {
  const [head, ...rest] = sheet.rows.flatMap(withoutEnd).filter((row) => !isRemark(row));
  if (!head) return refused([{ line: 1, message: "the file is empty" }]);
  const names = head.cells.map((cell) => cell.trim());
  const wrong = headProblems(names, head.line);
  if (wrong.length > 0) return refused(wrong);
  const rows = rest.map((row) => new Row(names, row, sheet));
  const find = finderOf(options.present);
  const models = modelsOf(rows, options, find);
  const devices = devicesOf(rows, models, options.prefix, find);
  const found = rows.flatMap((row) => row.problems);
  if (found.length > 0) return refused(found);
  const listed = [...models.values()].filter(({ isListed }) => isListed);
  return {
    objects: [
      ...listed.map(({ name, listed }) => ({ kind: "DeviceModel" as const, name, spec: listed })),
      ...[...devices].map(([name, spec]) => ({ kind: "Device" as const, name, spec })),
    ],
    problems: [],
  };
}

/** Spreadsheets write empty cells behind the last ones, and rows of nothing else. */
function withoutEnd(row: SheetRow): readonly SheetRow[] {
  const length = row.cells.findLastIndex((cell) => cell.trim() !== "") + 1;
  return length === 0 ? [] : [{ ...row, cells: row.cells.slice(0, length) }];
}

function refused(found: readonly RowProblem[]): Read {
  return { objects: [], problems: found };
}

function headProblems(names: readonly string[], line: number): readonly RowProblem[] {
  const twice = names.filter((name, i) => names.indexOf(name) !== i);
  return [
    ...names.filter((name) => subjectsOf(name) === undefined).map((name) => `there is no column "${name}"`),
    ...["model"].filter((name) => !names.includes(name)).map((name) => `the column ${name} is missing`),
    ...twice.map((name) => `the column ${name} is there twice`),
  ].map((message) => ({ line, message }));
}

type Find = ReturnType<typeof finderOf>;

/** A model that a list speaks of. */
interface Model {
  readonly name: string;
  readonly driver: Schemas;
  /** Whether the list says anything of it, beyond that devices are of it. */
  readonly isListed: boolean;
  readonly listed: Spec;
  /** With what is declared already. */
  readonly whole: Spec;
}

function modelsOf(rows: readonly Row[], options: ReadOptions, find: Find): ReadonlyMap<string, Model> {
  const groups = Map.groupBy(
    rows.filter((row) => row.cell("model") !== ""),
    (row) => options.prefix + row.cell("model"),
  );
  const models = [...groups].flatMap(
    ([name, rows]) => modelOf(rows, { name, schemas: options.schemas, old: find("DeviceModel", name)?.spec }) ?? [],
  );
  return new Map(models.map((model) => [model.name, model]));
}

interface Known extends Pick<ReadOptions, "schemas"> {
  readonly name: string;
  /** As it is declared already. */
  readonly old: Spec | undefined;
}

function modelOf(rows: readonly Row[], { name, schemas, old }: Known): Model | undefined {
  const protocol = rows.map((row) => row.cell("protocol")).find((cell) => cell !== "") ?? old?.protocol;
  const [first] = rows;
  if (first) mustBeName("model", name, first);
  if (protocol === undefined) {
    const declares = rows.find((row) => row.declares || row.is("command"));
    if (declares) declares.say("protocol", "must not be empty");
    else first?.say("model", `there is no DeviceModel ${name}, and the list declares none`);
    return undefined;
  }
  for (const row of rows)
    if (!["", protocol].includes(row.cell("protocol")))
      row.say("protocol", `the model ${name} speaks ${protocol} above`);
  const driver = schemas.get(String(protocol));
  if (!driver) {
    const row = rows.find((row) => row.cell("protocol") !== "") ?? first;
    row?.say(
      "protocol",
      `there is no driver ${protocol}, but ${[...schemas.keys()].join(", ")}; --driver names others`,
    );
    return undefined;
  }
  const properties = new Map<string, Part>();
  for (const row of rows.filter((row) => row.declares)) {
    const part = row.property(driver.address);
    row.tell("", problems(propertySpec, part));
    row.tell("address", problems(driver.address, part.address));
    add(properties, part, row, "property", (one) => ({ ...one, address: row.is("device") ? null : one.address }));
  }
  const commands = new Map<string, Part>();
  const asked: (readonly [Row, Part])[] = [];
  for (const row of rows.filter((row) => row.is("command"))) {
    const part = row.command(driver.command);
    row.tell("", problems(commandSpec, part));
    add(commands, part, row, "command", (one) => one);
    asked.push([row, part]);
  }
  const about = rows.filter((row) => row.is("model"));
  const description = about.map((row) => row.cell("description")).find((cell) => cell !== "");
  const listed = {
    protocol,
    ...(description === undefined ? {} : { description }),
    ...(properties.size > 0 ? { properties: [...properties.values()] } : {}),
    ...(commands.size > 0 ? { commands: [...commands.values()] } : {}),
  };
  const whole = old ? mergedModel(old, listed) : listed;
  judge(whole, driver, asked, first);
  return { name, driver, isListed: properties.size + commands.size + about.length > 0, listed, whole };
}

/** Takes a part of a model; another row may say the same, and nothing else. */
function add(
  parts: Map<string, Part>,
  part: Part,
  row: Row,
  what: "property" | "command",
  fixed: (part: Part) => object,
): void {
  const known = parts.get(part.name);
  if (!known) parts.set(part.name, part);
  else if (!isSame(fixed(known), fixed(part)))
    row.say(what, `${part.name} of the model ${row.cell("model")} is another above`);
}

/** What only shows when all of a model is known. */
function judge(spec: Spec, driver: Schemas, commands: readonly (readonly [Row, Part])[], first: Row | undefined): void {
  const parsed = modelSpec.safeParse(spec);
  if (!parsed.success) {
    // What is wrong in a single row was told there.
    const whole = problems(modelSpec, spec).filter(({ path }) => !path.includes("["));
    first?.tell(
      "",
      whole.map(({ path, message }) => ({ path: "", message: `${path || "the model"}: ${message}` })),
    );
    return;
  }
  for (const [row, part] of commands) {
    const { success, data } = commandSpec.safeParse(part);
    if (success) row.tell("", commandProblems(data, parsed.data, driver));
  }
}

function devicesOf(
  rows: readonly Row[],
  models: ReadonlyMap<string, Model>,
  prefix: string,
  find: Find,
): ReadonlyMap<string, Spec> {
  const groups = Map.groupBy(
    rows.filter((row) => row.is("device")),
    (row) => row.cell("device"),
  );
  const found = [...groups].flatMap(([name, rows]) => {
    const model = models.get(prefix + (rows[0]?.cell("model") ?? ""));
    const old = find("Device", name);
    const spec = model && deviceOf(rows, model, old?.spec, prefix);
    return spec ? [[name, spec] as const] : [];
  });
  return new Map(found);
}

/** A device of its rows; what is empty is as in the rows above, or as it is declared already. */
function deviceOf(rows: readonly Row[], model: Model, old: Spec | undefined, prefix: string): Spec | undefined {
  const [first] = rows;
  if (!first) return undefined;
  const name = first.cell("device");
  mustBeName("device", name, first);
  const { driver } = model;
  const facts: Record<string, unknown> = {};
  const told = new Map<string, Row>();
  for (const row of rows) {
    const keep = row.cell("telemetry.keep");
    const [link, station] = [row.record("link", driver.link), row.record("station", driver.station)];
    const said = {
      model: prefix + row.cell("model"),
      node: row.cell("node"),
      telemetry: keep && { keep },
      link,
      station,
    };
    for (const [field, value] of Object.entries(said)) {
      if (value === "" || Object.keys(value).length === 0) continue;
      if (facts[field] === undefined) {
        facts[field] = value;
        told.set(field, row);
      } else if (!isSame(facts[field], value)) row.say(field, `${name} has another in a row above`);
    }
  }
  if (facts.node === undefined && !old) first.say("node", "must not be empty");
  told.get("telemetry")?.tell("", problems(deviceSpec, facts).filter(isOf("telemetry")));
  for (const field of ["link", "station"] as const)
    (told.get(field) ?? first).tell(field, problems(driver[field], facts[field] ?? old?.[field] ?? {}));
  const addresses = Object.fromEntries(
    rows.flatMap((row) => {
      const own = ownAddress(row, model);
      return own === undefined ? [] : [[row.cell("property"), own] as const];
    }),
  );
  return { ...facts, ...(Object.keys(addresses).length > 0 ? { addresses } : {}) };
}

const LONGEST_NAME = 63;

/** What a Kubernetes API takes. **Source:** RFC 1123, section 2.1; device names are topic levels, and are kept as short. */
function mustBeName(column: "device" | "model", name: string, row: Row): void {
  const isName = name.split(".").every((label) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(label));
  if (name.length > LONGEST_NAME || !isName)
    row.say(column, `${name} is no name: lower-case letters, digits, '-' and '.', at most ${LONGEST_NAME}`);
}

function isOf(field: string): (problem: Problem) => boolean {
  return ({ path }) => path === field || path.startsWith(`${field}.`);
}

/** The address that a device has for a property, where it is another than its model's. */
function ownAddress(row: Row, { name, driver, whole }: Model): Spec | undefined {
  if (!row.is("property")) return undefined;
  const own = row.record("address", driver.address);
  if (!row.declares) {
    const known = partsOf(whole, "properties").map(({ name }) => name);
    if (!known.includes(row.cell("property")))
      row.say("property", `the model ${name} has no ${row.cell("property")}, but ${known.join(", ")}`);
    row.tell("address", problems(driver.address, own));
  }
  const model = partsOf(whole, "properties").find((part) => part.name === row.cell("property"));
  return isSame(model?.address, own) ? undefined : own;
}

function isSame(a: unknown, b: unknown): boolean {
  return equal(a as Value, b as Value);
}
