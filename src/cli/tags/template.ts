/** Empty lists to fill in: the columns that a model or a protocol has, what each takes, and rows to copy. Pure. */
import type { Schemas } from "#devices/expand";
import { type Schema, z } from "#std/schema";
import { columnsOf, printCell } from "./cells.ts";
import { type Column, columns } from "./columns.ts";
import { partsOf, type Spec, type Tagged } from "./tagged.ts";

/** One column of a template. */
interface Field {
  readonly name: string;
  readonly help: string;
  /** What stands in the example. */
  readonly example: string;
}

type Rows = readonly (readonly string[])[];

/** For Devices of a model: a row for each. With a device that is there already, as it has it; else with all there is. */
export function deviceTemplate({ name, spec }: Tagged, schemas: Schemas, like: Spec | undefined): Rows {
  const [first] = partsOf(spec, "properties");
  const address = columnsOf(first?.address, "address");
  const known = [...fieldsIn(schemas.link, "link"), ...fieldsIn(schemas.station, "station")];
  const given = [...columnsOf(like?.link, "link"), ...columnsOf(like?.station, "station")].map(([name, example]) => {
    return { name, example, help: known.find((field) => field.name === name)?.help ?? "" };
  });
  const { keep = "latest" } = (like?.telemetry ?? {}) as { readonly keep?: string };
  const device = [
    ...plain(["device", "model", "node"], { device: `${name}-1`, model: name, node: String(like?.node ?? "site-a") }),
    ...plain(["telemetry.keep"], { "telemetry.keep": keep }),
    ...(like ? given : known),
  ];
  const override = [
    ...plain(["property"], { property: first?.name ?? "" }),
    ...address.map(([name, example]) => ({ name, help: "Only where a device has another than its model.", example })),
  ];
  const fields = [...device, ...override];
  return [
    fields.map((field) => field.name),
    remark(fields.map(({ help }) => help)),
    remark(fields.map((field) => (device.includes(field) ? field.example : ""))),
    remark(fields.map((field) => (override.includes(field) || isName(field) ? field.example : ""))),
  ];
}

/** For a new model of a protocol, with its Devices. */
export function protocolTemplate({ protocol, link, station, address, command }: Schemas): Rows {
  const examples = {
    device: `${protocol}-1`,
    model: `my-${protocol}`,
    node: "site-a",
    protocol,
    property: "temperature",
    type: "number",
    unit: "Cel",
    access: "read",
    every: "1s",
    command: "restart",
    deadline: "10s",
    writes: command ? "" : "mode=1",
    "telemetry.keep": "latest",
  };
  const inAddress = fieldsIn(address, "address");
  const calls = command ? fieldsIn(command, "address") : [];
  const fields = [
    ...plain(
      columns.map(({ name }) => name),
      examples,
    ),
    ...inAddress,
    ...calls.filter(({ name }) => !inAddress.some((field) => field.name === name)),
    ...fieldsIn(link, "link"),
    ...fieldsIn(station, "station"),
  ];
  const isOf = (subject: Column["of"][number], { name }: Field) => {
    const column = columns.find((one) => one.name === name);
    if (column) return column.of.includes(subject) && (subject !== "device" || name !== "protocol");
    if (subject === "device") return !name.startsWith("address.");
    return (subject === "command" ? calls : inAddress).some((field) => field.name === name);
  };
  const row = (subject: Column["of"][number]) =>
    remark(fields.map((field) => (isOf(subject, field) ? field.example : "")));
  return [
    fields.map(({ name }) => name),
    remark(fields.map(({ help }) => help)),
    row("property"),
    row("command"),
    row("device"),
  ];
}

function isName({ name }: Field): boolean {
  return name === "device" || name === "model";
}

function plain(names: readonly string[], examples: Readonly<Record<string, string>>): readonly Field[] {
  return names.map((name) => {
    const { help = "" } = columns.find((one) => one.name === name) ?? {};
    return { name, help, example: examples[name] ?? "" };
  });
}

function remark([first = "", ...rest]: readonly string[]): readonly string[] {
  return [`# ${first}`.trimEnd(), ...rest];
}

/** The part of JSON Schema that a driver's schemas use. */
interface Shape {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly description?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly oneOf?: readonly Shape[];
  readonly anyOf?: readonly Shape[];
}

/** A column as one of the shapes of a schema has it. */
interface Leaf {
  readonly name: string;
  readonly shape: Shape;
  readonly isNeeded: boolean;
}

/** The columns of a schema. Where it takes several shapes, the one with the most fields is the example. */
function fieldsIn(schema: Schema<unknown>, below: string): readonly Field[] {
  const { oneOf, anyOf, ...whole } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Shape;
  const shapes = (oneOf ?? anyOf ?? [whole]).map((shape) => leavesOf(shape, below, true));
  const richest =
    below === "address" ? shapes.reduce((most, next) => (next.length > most.length ? next : most)) : shapes[0];
  const byName = Map.groupBy(shapes.flat(), ({ name }) => name);
  return [...byName].map(([name, all]) => {
    const isNeeded = all.length === shapes.length && all.every((leaf) => leaf.isNeeded);
    const example = richest?.find((leaf) => leaf.name === name);
    return {
      name,
      help: helpOf(joined(all.map(({ shape }) => shape)), isNeeded),
      example: example ? exampleOf(example.shape, example.isNeeded) : "",
    };
  });
}

function leavesOf({ properties = {}, required = [] }: Shape, below: string, isIn: boolean): readonly Leaf[] {
  return Object.entries(properties).flatMap(([key, shape]) => {
    const [name, isNeeded] = [`${below}.${key}`, isIn && required.includes(key)];
    return shape.properties ? leavesOf(shape, name, isNeeded) : [{ name, shape, isNeeded }];
  });
}

/** What several shapes say of one column. */
function joined(shapes: readonly Shape[]): Shape {
  const [first = {}] = shapes;
  const choices = [...new Set(shapes.flatMap((shape) => shape.enum ?? []))];
  const told = [...new Set(shapes.flatMap(({ description }) => description ?? []))];
  return { ...first, description: told.join(" "), ...(choices.length > 0 ? { enum: choices } : {}) };
}

function helpOf({ description = "", ...shape }: Shape, isNeeded: boolean): string {
  const standard = shape.default === undefined ? (isNeeded ? "needed" : "") : `default ${printCell(shape.default)}`;
  return [[typeOf(shape), standard].filter((text) => text !== "").join(", "), description]
    .filter((text) => text !== "")
    .join(". ");
}

function typeOf({ enum: choices, pattern = "", type = "", minimum, maximum }: Shape): string {
  if (choices) return choices.join(" | ");
  if (pattern.includes("ms|s|m|h|d")) return "duration such as 1s";
  const range = isTold(minimum) && isTold(maximum) ? ` ${minimum} to ${maximum}` : "";
  return `${[type].flat().join(" or ")}${range}`;
}

/** Bounds that only say what a number can be at all are none. */
function isTold(bound: number | undefined): bound is number {
  return bound !== undefined && Number.isFinite(bound) && Math.abs(bound) < Number.MAX_SAFE_INTEGER;
}

/** What is optional has no example: it is well without. */
function exampleOf({ enum: choices, type, minimum = 0 }: Shape, isNeeded: boolean): string {
  if (!isNeeded) return "";
  if (choices) return printCell(choices[0]);
  if (type === "integer" || type === "number") return String(isTold(minimum) ? minimum : 0);
  return "...";
}
