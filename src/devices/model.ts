import { duration } from "#std/duration";
import { z } from "#std/schema";
import { conflictRule } from "./twin.ts";
import { at, value } from "./value.ts";

/** Group and version of our kinds. */
export const GROUP = "devices.skerry.dev";
export const VERSION = "v1alpha1";

/** Names of devices and properties become topic levels and Kubernetes names, so they are kept plain. */
const propertyName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, "a letter, then letters, digits, '-' and '_', at most 63 in all");

const fragment = z.record(z.string(), z.unknown());

export const propertySpec = z
  .strictObject({
    name: propertyName.describe("Name of the property; a level of its topics."),
    description: z.string().max(1000).optional().describe("What it is, for people."),
    type: z
      .enum(["boolean", "integer", "number", "string", "bytes", "json"])
      .describe("Type of the value. Integers beyond 2^53 are decimal strings, bytes are base64."),
    unit: z.string().max(32).optional().describe("UCUM code of the unit, such as Cel, bar or m3/h."),
    access: z.enum(["read", "write", "readwrite"]).default("read").describe("What applications may do with it."),
    minimum: z.number().optional().describe("Least value that may be desired; a reading below it is uncertain."),
    maximum: z.number().optional().describe("Greatest value that may be desired; a reading above it is uncertain."),
    resolution: z
      .number()
      .positive()
      .optional()
      .describe("Desired and reported are compared after rounding to multiples of it."),
    address: fragment.describe("Where it lives in the device, by the driver's schema. A Device may override it."),
    scale: z.number().optional().describe("value = raw * scale + offset. Default 1."),
    offset: z.number().optional().describe("value = raw * scale + offset. Default 0."),
    every: duration(1).default(1000).describe("Time between two readings. Default 1s."),
    report: z
      .strictObject({
        deadband: z.number().nonnegative().optional().describe("Least change of the value that is reported."),
        heartbeat: duration().optional().describe("Reported at least this often, changed or not."),
      })
      .optional()
      .describe("When a reading is reported. Without it, at each change."),
    maxSilence: duration(1)
      .optional()
      .describe(
        "Longest time without a word, for a value that comes by itself. After it the value is uncertain, and a device " +
          "that says nothing at all is called silent. Without it, silence means that nothing changed.",
      ),
    conflict: conflictRule
      .default("cloud")
      .describe("Who wins when cloud and site wished different things unknowing: cloud, site, newest, or manual."),
  })
  .superRefine(({ name, minimum, maximum, scale, type, access, report, maxSilence }, context) => {
    const problem = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    const numeric = type === "number" || type === "integer";
    if (minimum !== undefined && maximum !== undefined && minimum > maximum)
      problem("minimum", `is ${minimum}, above the maximum ${maximum} of ${name}`);
    if (scale === 0) problem("scale", "can not be 0: nothing could be written");
    if (!numeric && (scale !== undefined || minimum !== undefined || maximum !== undefined))
      problem("type", `${type} has no scale, minimum or maximum`);
    if (!numeric && report?.deadband !== undefined) problem("report", `${type} has no dead band`);
    if (access === "write" && maxSilence !== undefined)
      problem("maxSilence", "a property that can not be read is always silent");
    if (access === "write" && report) problem("report", "a property that can not be read is never reported");
  });
export type PropertySpec = z.infer<typeof propertySpec>;

/** What a device can be told to do, beside being wished a value. */
export const commandSpec = z
  .strictObject({
    name: propertyName.describe("Name of the command; a level of its topics."),
    description: z.string().max(1000).optional().describe("What it does, for people."),
    writes: z
      .record(propertyName, value)
      .optional()
      .describe("Values that are written in this order and read back. For drivers without calls."),
    address: fragment.optional().describe("What the driver calls, by its schema, such as a method of OPC UA."),
    timeout: duration(1)
      .optional()
      .describe(
        "Longest time that a call may keep its link from everything else. Without it, as long as a visit to the device.",
      ),
    deadline: duration(1).default(10_000).describe("Longest time from the request to the outcome."),
  })
  .superRefine(({ name, writes, address, timeout }, context) => {
    if ((writes === undefined) === (address === undefined))
      context.addIssue({ code: "custom", message: `${name} needs either writes or address` });
    if (writes !== undefined && timeout !== undefined)
      context.addIssue({
        code: "custom",
        path: ["timeout"],
        message: "is for calls; writes take as long as any other",
      });
  });
export type CommandSpec = z.infer<typeof commandSpec>;

export const modelSpec = z.strictObject({
  protocol: z.string().min(1).describe("Driver that speaks to the device, such as modbus or virtual."),
  description: z.string().max(1000).optional().describe("What kind of device it is, for people."),
  properties: z
    .array(propertySpec)
    .min(1)
    .max(10_000)
    .superRefine((properties, context) => onlyOnce(properties, context))
    .describe("The quantities of the device."),
  commands: z
    .array(commandSpec)
    .max(1_000)
    .superRefine((commands, context) => onlyOnce(commands, context))
    .optional()
    .describe("What the device can be told to do."),
});
export type ModelSpec = z.infer<typeof modelSpec>;

function onlyOnce(all: readonly { readonly name: string }[], context: z.RefinementCtx): void {
  const seen = new Set<string>();
  for (const [i, { name }] of all.entries()) {
    if (seen.has(name)) context.addIssue({ code: "custom", path: [i, "name"], message: `${name} is there twice` });
    seen.add(name);
  }
}

export const deviceSpec = z.strictObject({
  model: z.string().min(1).describe("Name of the DeviceModel, in the same namespace."),
  node: z.string().min(1).describe("Name of the edge node that drives the device."),
  link: fragment
    .default({})
    .describe("The bus, by the driver's schema. Devices with equal links share one connection."),
  station: fragment.default({}).describe("This device on the bus, by the driver's schema."),
  addresses: z
    .record(propertyName, fragment)
    .optional()
    .describe("Addresses of single properties that differ from the model's."),
  desired: z
    .record(propertyName, value)
    .default({})
    .describe("What properties should be. The node writes a value until the device says it."),
  desiredUntil: z
    .record(propertyName, z.iso.datetime({ offset: true }))
    .optional()
    .describe("When single desired values end by themselves."),
  desiredAt: z
    .record(propertyName, z.iso.datetime({ offset: true }))
    .optional()
    .describe("When single values were wished. Another time makes a value that is desired already a new wish."),
  telemetry: z
    .strictObject({
      keep: z
        .enum(["every", "latest", "off"])
        .default("latest")
        .describe("every: each visit is kept and delivered to the cloud; latest: only the status; off: neither."),
    })
    .default({ keep: "latest" })
    .describe("What becomes of the values beyond the site."),
});
export type DeviceSpec = z.infer<typeof deviceSpec>;

/** A Device as its node needs it: who it is, and both specs as they were written. */
export const declaration = z.object({
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  generation: z.number().int(),
  modelGeneration: z.number().int(),
  /** When the cloud first saw this generation, in milliseconds since the epoch. */
  at: at.optional(),
  /** Versions of the site's wishes that stood in the status when it did, by property. */
  seen: z.record(z.string(), z.number().int()).optional(),
  spec: z.unknown(),
  /** Undefined when there is no such model. */
  model: z.unknown().optional(),
});
export type Declaration = z.infer<typeof declaration>;
