/** Writes Devices and DeviceModels as a list of tags, which `readTags` reads. Pure. */
import { columnsOf, printPairs } from "./cells.ts";
import { columns, fieldsOf, records } from "./columns.ts";
import { type Part, partsOf, type Spec, type Tagged } from "./tagged.ts";

type Cells = readonly (readonly [column: string, cell: string])[];

/**
 * A row for each property and command of each model, then one for each device and each address of its own. Desired
 * values are not in it. Columns that no row has are left out.
 */
export function writeTags(objects: readonly Tagged[]): readonly (readonly string[])[] {
  const of = (kind: Tagged["kind"]) => objects.filter((one) => one.kind === kind);
  return rowsOf([...of("DeviceModel").flatMap(modelRows), ...of("Device").flatMap(deviceRows)]);
}

/** Rows under one head: the columns in their order, then those of addresses, links and stations by their names. */
export function rowsOf(rows: readonly Cells[]): readonly (readonly string[])[] {
  const found = new Set(rows.flatMap((row) => row.filter(([, cell]) => cell !== "").map(([column]) => column)));
  const known = columns
    .map(({ name }) => name)
    .filter((name) => found.has(name) || name === "device" || name === "model");
  const rest = Object.keys(records).flatMap((start) =>
    [...found].filter((name) => name.startsWith(`${start}.`)).sort(),
  );
  const head = [...known, ...rest];
  return [
    head,
    ...rows.map((row) => {
      const cells = new Map(row);
      return head.map((name) => cells.get(name) ?? "");
    }),
  ];
}

function modelRows({ name, spec }: Tagged): readonly Cells[] {
  const { protocol, description = "" } = spec;
  const about: Cells = [
    ["model", name],
    ["protocol", String(protocol ?? "")],
  ];
  return [
    ...(description === "" ? [] : [[...about, ["description", String(description)]] satisfies Cells]),
    ...partsOf(spec, "properties").map((part): Cells => [...about, ...partCells("property", part)]),
    ...partsOf(spec, "commands").map((part): Cells => [...about, ...partCells("command", part)]),
  ];
}

function partCells(subject: "property" | "command", part: Part): Cells {
  return [
    [subject, part.name],
    ...fieldsOf(subject).map(({ name }) => [name, cellOf(name, valueAt(part, name.split(".")))] as const),
    ...columnsOf(part.address, "address"),
  ];
}

function cellOf(name: string, value: unknown): string {
  if (value === undefined) return "";
  return name === "writes" ? printPairs(value as Spec) : String(value);
}

function valueAt(value: unknown, [key, ...rest]: readonly string[]): unknown {
  if (key === undefined) return value;
  return valueAt((value as Spec | undefined)?.[key], rest);
}

function deviceRows({ name, spec }: Tagged): readonly Cells[] {
  const about: Cells = [
    ["device", name],
    ["model", String(spec.model ?? "")],
  ];
  const own = Object.entries((spec.addresses ?? {}) as Spec);
  return [
    [
      ...about,
      ["node", String(spec.node ?? "")],
      ["telemetry.keep", String(valueAt(spec, ["telemetry", "keep"]) ?? "")],
      ...columnsOf(spec.link, "link"),
      ...columnsOf(spec.station, "station"),
    ],
    ...own.map(([property, address]): Cells => [...about, ["property", property], ...columnsOf(address, "address")]),
  ];
}
