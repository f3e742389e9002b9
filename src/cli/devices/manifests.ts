import { resolve } from "node:path";
import type { Driver, DriverTable } from "#devices/driver";
import { type Device, expand, type Schemas } from "#devices/expand";
import { type DeviceSpec, deviceSpec, modelSpec } from "#devices/model";
import { Fault } from "#std/fault";
import { parse, z } from "#std/schema";
import { parseAllYaml } from "#std/yaml";
import { readText } from "../read-file.ts";

const manifest = z.looseObject({
  kind: z.enum(["Device", "DeviceModel"]),
  metadata: z.looseObject({ name: z.string().min(1), namespace: z.string().default("default") }),
  spec: z.looseObject({}),
});
/** A Device or DeviceModel as people write it. */
export type Manifest = z.output<typeof manifest>;

/** Reads the Devices and DeviceModels of a YAML file. @throws {Fault} `CONFIG_INVALID`. */
export function readManifests(file: string, cwd: string): readonly Manifest[] {
  const text = readText(resolve(cwd, file));
  return parseAllYaml(text, file).map((it, i) => parse(manifest, it, `${file}, document ${i + 1}`));
}

/** A Device with its model beside it. */
export interface Pair {
  readonly device: Manifest;
  readonly model: Manifest;
  readonly protocol: string;
}

/** Finds the model of each Device. @throws {Fault} `CONFIG_INVALID`, `MODEL_UNKNOWN`. */
export function pairsOf(manifests: readonly Manifest[]): readonly Pair[] {
  const of = (kind: Manifest["kind"]) => manifests.filter((it) => it.kind === kind);
  return of("Device").map((device) => {
    const { name, namespace } = device.metadata;
    const spec: DeviceSpec = parse(deviceSpec, device.spec, `Device ${name}`);
    const model = of("DeviceModel").find(({ metadata }) => {
      return metadata.name === spec.model && metadata.namespace === namespace;
    });
    if (!model) throw new Fault("MODEL_UNKNOWN", `Device ${name} needs the DeviceModel ${spec.model} beside it`);
    return { device, model, protocol: parse(modelSpec, model.spec, `DeviceModel ${spec.model}`).protocol };
  });
}

/** Loads a driver. @throws {Fault} `DRIVER_UNKNOWN` that lists those that are there. */
export async function driverOf(drivers: DriverTable, protocol: string): Promise<Driver> {
  const load = Object.hasOwn(drivers, protocol) ? drivers[protocol] : undefined;
  if (load) return await load();
  throw new Fault("DRIVER_UNKNOWN", `there is no driver ${protocol}, but ${Object.keys(drivers).join(", ")}`, {
    hint: "Correct spec.protocol, or name a driver of others with --driver PROTOCOL=MODULE.",
  });
}

/** Joins both, as a node does. @throws {Fault} `CONFIG_INVALID` that names every wrong field. */
export function deviceOf({ device, model }: Pair, schemas: Schemas): Device {
  const { name, namespace } = device.metadata;
  const versions = { uid: `${namespace}/${name}`, generation: 1, modelGeneration: 1 };
  return expand({ name, namespace, ...versions, spec: device.spec, model: model.spec }, schemas);
}
