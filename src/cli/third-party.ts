/** Drivers of others: packages or files that a configuration or an option names. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Driver, DriverTable } from "#devices/driver";
import { driverNames } from "#devices/driver-names";
import { duration } from "#std/duration";
import { Fault } from "#std/fault";
import { parse, z } from "#std/schema";

/** The option by which commands know drivers of others; paths and packages are looked for from the working directory. */
export const driverOption = {
  help: "A driver of others, such as counter=./index.js or counter=skerry-driver-counter. It runs here, with your rights.",
  value: "PROTOCOL=MODULE",
  many: true,
} as const;

/** What a driver of others is made with, so that it has the same schemas and faults as the program. */
export interface DriverKit {
  readonly z: typeof z;
  readonly Fault: typeof Fault;
  readonly duration: typeof duration;
}

const schema = z.custom<z.ZodType>((value) => value instanceof z.ZodType, "is no schema");
const shape = z.looseObject({
  protocol: z.string(),
  link: schema,
  station: schema,
  address: schema,
  command: schema.optional(),
  connect: z.custom((value) => typeof value === "function", "is no function"),
});

/** Adds the drivers that `--driver` names. @throws {Fault} `USAGE_INVALID`, and as `withDrivers`. */
export function withDriverOption(own: DriverTable, given: readonly string[], cwd: string): DriverTable {
  const names = given.map((text) => /^([^=]+)=(.+)$/.exec(text)?.slice(1) ?? [text, ""]);
  return withDrivers(own, parse(driverNames, Object.fromEntries(names), "--driver", "USAGE_INVALID"), cwd);
}

/**
 * Adds drivers to a table. Each is loaded when a device first needs it, as the product's own are.
 * @param names - npm package or path by protocol; paths and packages are looked for from the folder `from`.
 * @throws {Fault} `CONFIG_INVALID` when a protocol is there already.
 */
export function withDrivers(own: DriverTable, names: Readonly<Record<string, string>>, from: string): DriverTable {
  for (const protocol of Object.keys(names))
    if (Object.hasOwn(own, protocol))
      throw new Fault("CONFIG_INVALID", `drivers.${protocol}: the product has one already`);
  const added = Object.entries(names).map(([protocol, name]) => {
    return [protocol, () => loadDriver(protocol, name, from)] as const;
  });
  return { ...own, ...Object.fromEntries(added) };
}

/** Loads those that were added, so that a mistake is told at the start. @throws {Fault} `CONFIG_INVALID` */
export async function loadAdded(table: DriverTable, own: DriverTable): Promise<void> {
  for (const [protocol, load] of Object.entries(table)) if (!Object.hasOwn(own, protocol)) await load();
}

/** Loads one. @throws {Fault} `CONFIG_INVALID` when it is not there, or is no driver for this protocol. */
async function loadDriver(protocol: string, name: string, from: string): Promise<Driver> {
  const what = `drivers.${protocol}: ${name}`;
  const made = await importFrom(what, name, from);
  const parsed = shape.safeParse(made);
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "driver"} ${message}`).join("; ");
    throw new Fault("CONFIG_INVALID", `${what} is no driver: ${wrong}`);
  }
  if (parsed.data.protocol !== protocol)
    throw new Fault("CONFIG_INVALID", `${what} speaks ${parsed.data.protocol}, not ${protocol}`);
  return made as Driver;
}

async function importFrom(what: string, name: string, from: string): Promise<unknown> {
  try {
    const path = createRequire(join(from, "config")).resolve(name);
    const { driver } = (await import(pathToFileURL(path).href)) as { driver?: unknown };
    const kit: DriverKit = { z, Fault, duration };
    return typeof driver === "function" ? driver(kit) : driver;
  } catch (cause) {
    const why = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    throw new Fault("CONFIG_INVALID", `${what} can not be loaded: ${why}`, { cause });
  }
}
