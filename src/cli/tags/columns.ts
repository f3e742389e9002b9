/** The columns of a list of tags. */

/** What a row may be about. A row of a device may declare a property of its model too. */
export type Subject = "model" | "property" | "command" | "device";

export interface Column {
  readonly name: string;
  /** Only rows about one of these have it. */
  readonly of: readonly Subject[];
  /** `text` is text whatever it looks like. */
  readonly kind: "text" | "number";
  readonly help: string;
}

const column = (
  name: string,
  of: Subject | readonly Subject[],
  help: string,
  kind: Column["kind"] = "text",
): Column => {
  return { name, of: [of].flat() as readonly Subject[], kind, help };
};

/** All but those of links, stations and addresses, which the drivers know. */
export const columns: readonly Column[] = [
  column("device", "device", "Name of a Device. Without it, the row is about the model alone."),
  column("model", ["model", "property", "command", "device"], "Name of the DeviceModel, always."),
  column("node", "device", "Node that drives the device."),
  column("protocol", ["model", "property", "command"], "Driver of the model; once is enough."),
  column("property", "property", "Name of a property. With a type it belongs to the model."),
  column("command", "command", "Name of a command of the model."),
  column("type", "property", "boolean, integer, number, string, bytes or json."),
  column("unit", "property", "UCUM code, such as Cel, bar or m3/h."),
  column("access", "property", "read (default), write or readwrite."),
  column("minimum", "property", "Least value that may be desired.", "number"),
  column("maximum", "property", "Greatest value that may be desired.", "number"),
  column("scale", "property", "value = raw * scale + offset.", "number"),
  column("offset", "property", "value = raw * scale + offset.", "number"),
  column("resolution", "property", "Values are compared in multiples of it.", "number"),
  column("every", "property", "Time between two readings, such as 500ms, 1s or 5m."),
  column("report.deadband", "property", "Least change that is reported.", "number"),
  column("report.heartbeat", "property", "Reported at least this often, such as 60s."),
  column("conflict", "property", "Who wins: cloud (default), site, newest or manual."),
  column("writes", "command", "What it writes, in this order: pump=true; speed=20"),
  column("deadline", "command", "Longest time until the outcome, such as 10s."),
  column("description", ["model", "property", "command"], "What it is, for people."),
  column("telemetry.keep", "device", "latest (default), every or off."),
];

/** Columns that begin with these are records, by the driver's schemas. */
export const records: Readonly<Record<string, readonly Subject[]>> = {
  address: ["property", "command"],
  link: ["device"],
  station: ["device"],
};

/** What rows must be about to have a column; undefined when there is none of this name. */
export function subjectsOf(name: string): readonly Subject[] | undefined {
  const [start = "", ...rest] = name.split(".");
  if (rest.length > 0 && !rest.includes("") && Object.hasOwn(records, start)) return records[start];
  return columns.find((one) => one.name === name)?.of;
}

/** The columns of one kind of thing that stand in its spec, under their names. */
export function fieldsOf(subject: "property" | "command"): readonly Column[] {
  return columns.filter(({ name, of }) => of.includes(subject) && !["model", "protocol", subject].includes(name));
}
