import { Fault } from "#std/fault";
import { type Problem, pathOf, problems } from "#std/schema";
import { encode } from "./codec.ts";
import type { Driver, Point } from "./driver.ts";
import {
  type CommandSpec,
  type Declaration,
  type DeviceSpec,
  deviceSpec,
  type ModelSpec,
  modelSpec,
  type PropertySpec,
} from "./model.ts";
import type { NewWish } from "./twin.ts";
import type { Value } from "./value.ts";

/** A device ready to be driven: its declaration, parsed, with model and addresses joined. */
export interface Device {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  readonly protocol: string;
  /** The parsed link, and a text that is equal for devices that share it. */
  readonly link: unknown;
  readonly linkKey: string;
  readonly station: unknown;
  readonly properties: readonly PropertySpec[];
  /** Point i is where property i lives. */
  readonly points: readonly Point[];
  /** Their addresses are parsed. */
  readonly commands: readonly CommandSpec[];
  /** What the cloud wishes, by property. */
  readonly desired: Readonly<Record<string, Pick<NewWish, "value" | "until" | "askedAt">>>;
  readonly keep: DeviceSpec["telemetry"]["keep"];
}

/** The parts of a driver that say what may be declared. */
export type Schemas = Pick<Driver, "protocol" | "link" | "station" | "address" | "command">;

/** All that is wrong with the spec of a model; with the driver's schemas, its addresses too. */
export function modelProblems(spec: unknown, schemas: Schemas | undefined): readonly Problem[] {
  const parsed = modelSpec.safeParse(spec);
  if (!parsed.success) return under("spec", problems(modelSpec, spec));
  if (!schemas) return [];
  const { properties, commands = [] } = parsed.data;
  return [
    ...properties.flatMap(({ address }, i) =>
      under(pathOf(["spec", "properties", i, "address"]), problems(schemas.address, address)),
    ),
    ...commands.flatMap((command, i) =>
      under(pathOf(["spec", "commands", i]), commandProblems(command, parsed.data, schemas)),
    ),
  ];
}

/** What a command says that its model or the driver does not know. */
export function commandProblems(
  { writes = {}, address }: CommandSpec,
  model: Pick<ModelSpec, "properties">,
  schemas: Schemas,
): Problem[] {
  const found = Object.entries(writes).flatMap(([name, value]) => {
    try {
      admit({ name: "the model", properties: model.properties }, name, value);
      return [];
    } catch (error) {
      if (!Fault.is(error)) throw error;
      return [{ path: `writes.${name}`, message: error.message }];
    }
  });
  if (address === undefined) return found;
  if (!schemas.command)
    return [{ path: "address", message: `the ${schemas.protocol} driver has no calls; use writes` }];
  return [...found, ...under("address", problems(schemas.command, address))];
}

/**
 * Joins a declaration with its model.
 * @throws {Fault} `MODEL_UNKNOWN`, or `CONFIG_INVALID` that names every wrong field. A desired value that the model
 * forbids is not among them: it is refused as a wish, and the device runs.
 */
export function expand(declared: Declaration, schemas: Schemas): Device {
  const { namespace, name, uid, generation } = declared;
  const device = must(`Device ${name}`, "spec", problems(deviceSpec, declared.spec), () =>
    deviceSpec.parse(declared.spec),
  );
  if (declared.model === undefined)
    throw new Fault("MODEL_UNKNOWN", `Device ${name}: there is no DeviceModel ${device.model} in ${namespace}`);
  const model = must(`DeviceModel ${device.model}`, "", modelProblems(declared.model, undefined), () =>
    modelSpec.parse(declared.model),
  );
  const points = model.properties.map((property) => pointOf(property, device));
  const found = [
    ...under("spec.link", problems(schemas.link, device.link)),
    ...under("spec.station", problems(schemas.station, device.station)),
    ...strayAddresses(device, model),
    ...(model.commands ?? []).flatMap((command) =>
      under(`command ${command.name}`, commandProblems(command, model, schemas)),
    ),
    ...points.flatMap(({ property, address }) => under(`address of ${property}`, problems(schemas.address, address))),
  ];
  return must(`Device ${name}`, "", found, () => ({
    namespace,
    name,
    uid,
    generation,
    protocol: model.protocol,
    link: schemas.link.parse(device.link),
    linkKey: `${model.protocol} ${canonical(schemas.link.parse(device.link))}`,
    station: schemas.station.parse(device.station),
    properties: model.properties,
    points: points.map((point) => ({ ...point, address: schemas.address.parse(point.address) })),
    commands: (model.commands ?? []).map((command) =>
      command.address
        ? { ...command, address: schemas.command?.parse(command.address) as CommandSpec["address"] }
        : command,
    ),
    desired: wishesOf(device),
    keep: device.telemetry.keep,
  }));
}

/**
 * Whether a wish may be told to a device at all, before anybody asks the device.
 * @throws {Fault} `PROPERTY_UNKNOWN`, `PROPERTY_READ_ONLY`, `VALUE_INVALID`, `VALUE_OUT_OF_RANGE`.
 */
export function admit(device: Pick<Device, "name" | "properties">, property: string, value: Value): PropertySpec {
  const spec = device.properties.find(({ name }) => name === property);
  if (!spec) {
    const known = device.properties.map(({ name }) => name).join(", ");
    throw new Fault("PROPERTY_UNKNOWN", `${device.name} has no property ${property}, but ${known}`);
  }
  if (spec.access === "read") throw new Fault("PROPERTY_READ_ONLY", `${property} of ${device.name} can only be read`);
  encode(spec, value);
  return spec;
}

function pointOf({ name, address, every }: PropertySpec, { addresses }: DeviceSpec): Point<Record<string, unknown>> {
  // A property may be called `constructor`, which every object seems to have.
  const own = addresses && Object.hasOwn(addresses, name) ? addresses[name] : undefined;
  return { property: name, address: own ?? address, everyMs: every };
}

function wishesOf({ desired, desiredUntil, desiredAt }: DeviceSpec): Device["desired"] {
  const timeOf = (times: DeviceSpec["desiredAt"], name: string) =>
    times && Object.hasOwn(times, name) ? Date.parse(times[name] ?? "") : undefined;
  return Object.fromEntries(
    Object.entries(desired).map(([name, value]) => {
      const [until, askedAt] = [timeOf(desiredUntil, name), timeOf(desiredAt, name)];
      return [
        name,
        { value, ...(until === undefined ? {} : { until }), ...(askedAt === undefined ? {} : { askedAt }) },
      ];
    }),
  );
}

function strayAddresses({ addresses = {} }: DeviceSpec, { properties }: ModelSpec): Problem[] {
  return Object.keys(addresses)
    .filter((name) => !properties.some((property) => property.name === name))
    .map((name) => ({ path: `spec.addresses.${name}`, message: "the model has no such property" }));
}

function must<T>(what: string, prefix: string, found: readonly Problem[], make: () => T): T {
  if (found.length === 0) return make();
  const all = under(prefix, found);
  const text = all.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new Fault("CONFIG_INVALID", `${what}: ${text}`, { problems: all });
}

function under(prefix: string, found: readonly Problem[]): Problem[] {
  if (prefix === "") return [...found];
  return found.map(({ path, message }) => ({
    path: path === "" ? prefix : path.startsWith("[") ? prefix + path : `${prefix}.${path}`,
    message,
  }));
}

/** JSON with sorted keys, so that equal links have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
