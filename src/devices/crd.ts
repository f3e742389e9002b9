/** What a Kubernetes API must know of our kinds, derived from the schemas in `model.ts`. */
import { z } from "#std/schema";
import { deviceSpec, GROUP, modelSpec, VERSION } from "./model.ts";
import { deviceReport, linkReport } from "./status.ts";

/** A kind of a Kubernetes API: where it is served and what it is called. */
export interface Kind {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
}

export const modelKind: Kind = { group: GROUP, version: VERSION, kind: "DeviceModel", plural: "devicemodels" };
export const deviceKind: Kind = { group: GROUP, version: VERSION, kind: "Device", plural: "devices" };

const time = z.string().meta({ format: "date-time" });

/** One condition of an object. **Source:** Kubernetes API conventions, "Typical status properties". */
export const condition = z.object({
  type: z.string().describe("What the condition is about, such as Ready."),
  status: z.enum(["True", "False", "Unknown"]),
  reason: z.string().describe("One word for programs: Answering, or the code of a fault."),
  message: z.string().describe("One sentence for people."),
  lastTransitionTime: time.describe("When the status last changed."),
  observedGeneration: z.int().optional().describe("Generation of the object that this is about."),
});
export type Condition = z.infer<typeof condition>;

const conditions = z
  .array(condition)
  .optional()
  .describe(
    "Accepted: the spec can be driven. Ready: the device answers. Synced: it is as desired. " +
      "Complete: no gap in its history in 24 h.",
  );

const { reported, quality, reason, desired, by, state, refusal, version } = deviceReport.shape.properties.element.shape;

const side = z.object({ by: z.string(), value: reported });
const conflict = z.object({
  rule: z.string().describe("Which rule of the property decided."),
  at: time,
  kept: side.describe("The wish that stands."),
  lost: side.describe("The wish that does not."),
});

const propertyStatus = z.object({
  name: z.string().describe("Name of the property."),
  reported: reported.describe("What it says."),
  at: time.optional().describe("When it said so."),
  quality: quality.describe("How far the value can be trusted."),
  reason: reason.describe("Why the quality is not good."),
  desired: desired.describe("What it should be."),
  by: by.describe("Who wished that last."),
  state: state.describe("What became of the wish."),
  refusal: refusal.describe("Why the wish was refused."),
  until: time.optional().describe("When the wish ends by itself."),
  version: version.describe("Number of the site's wish; with it the cloud says later whether it knew of it."),
  conflict: conflict.optional().describe("Cloud and site wished different things without knowing of each other."),
});

const linkStatus = z.object({
  state: linkReport.shape.state.describe("connecting, up, or waiting: lost, and tried again and again."),
  since: time.describe("Since when it is so."),
  failures: z.int().describe("Attempts in a row that brought nothing."),
  reason: linkReport.shape.reason.describe("Why it waits."),
});

/** What the cloud writes into the status of a Device. */
export const deviceStatus = z.object({
  observedGeneration: z.int().optional().describe("Generation that the node runs, or that was refused here."),
  protocol: z.string().optional().describe("Driver that speaks to the device."),
  lastSeen: time.optional().describe("When the device last answered."),
  link: linkStatus.optional().describe("The bus of the device."),
  identity: z
    .record(z.string(), z.string())
    .optional()
    .describe("What the device says of itself, such as vendor, product and revision."),
  conditions,
  properties: z.array(propertyStatus).optional().describe("The twin of each property."),
});
export type DeviceStatus = z.infer<typeof deviceStatus>;

const modelStatus = z.object({ observedGeneration: z.int().optional(), conditions });

type Json = { [key: string]: unknown };

/** Both definitions, as `kubectl apply` takes them. */
export function crds(): readonly Json[] {
  return [
    definition(modelKind, "dm", "What devices of one type have in common.", modelSpec, modelStatus, [
      column("Protocol", ".spec.protocol"),
      column("Age", ".metadata.creationTimestamp", { type: "date" }),
    ]),
    definition(deviceKind, "dev", "A device, and the node that drives it.", deviceSpec, deviceStatus, [
      column("Model", ".spec.model"),
      column("Node", ".spec.node"),
      column("Protocol", ".status.protocol"),
      column("Accepted", '.status.conditions[?(@.type=="Accepted")].status'),
      column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
      column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
      column("Link", ".status.link.state", { priority: 1 }),
      column("Last Seen", ".status.lastSeen", { type: "date" }),
      column("Age", ".metadata.creationTimestamp", { type: "date" }),
    ]),
  ];
}

function column(name: string, jsonPath: string, rest: Json = {}): Json {
  return { name, type: "string", jsonPath, ...rest };
}

const SPEC = "What somebody wants.";
const STATUS = "What is; written by the cloud alone.";

function definition(
  { group, version, kind, plural }: Kind,
  shortName: string,
  description: string,
  spec: z.ZodType,
  status: z.ZodType,
  additionalPrinterColumns: readonly Json[],
): Json {
  const openAPIV3Schema = {
    description,
    type: "object",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      spec: { description: SPEC, ...structural(spec) },
      status: { description: STATUS, ...structural(status) },
    },
  };
  const names = { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List`, shortNames: [shortName] };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { ...names, categories: ["skerry"] },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema },
          subresources: { status: {} },
          additionalPrinterColumns,
        },
      ],
    },
  };
}

/**
 * A schema as structural OpenAPI v3: every node has a type, nothing refers elsewhere, unknown fields are pruned.
 * **Source:** Kubernetes, "Extend the API with CustomResourceDefinitions", section "Specifying a structural schema".
 */
export function structural(schema: z.ZodType): Json {
  return node(z.toJSONSchema(schema, { io: "input", target: "openapi-3.0", unrepresentable: "any" }) as Json);
}

const ANYTHING = { "x-kubernetes-preserve-unknown-fields": true };

function node(schema: Json): Json {
  const { $ref, allOf, anyOf, definitions, $schema, ...own } = schema;
  const described = typeof own.description === "string" ? { description: own.description } : {};
  // Values of any shape: JSON itself is recursive, which a structural schema can not say.
  if ($ref !== undefined || allOf !== undefined || anyOf !== undefined) return { ...described, ...ANYTHING };
  if (own.type === "object") return objectNode(own);
  if (own.type === "array") return arrayNode(own);
  if (own.type === undefined) return { ...described, ...ANYTHING };
  return fits(own.default, own.type) ? own : without(own, "default");
}

function objectNode({ properties, additionalProperties, ...rest }: Json): Json {
  if (isJson(properties)) {
    const entries = Object.entries(properties).map(([name, child]) => [name, node(child as Json)]);
    return { ...rest, properties: Object.fromEntries(entries) };
  }
  if (!isJson(additionalProperties) || Object.keys(additionalProperties).length === 0) return { ...rest, ...ANYTHING };
  return { ...rest, additionalProperties: node(additionalProperties) };
}

/**
 * Lists whose items have a name or a type are maps to those who merge them. Their items have no defaults: `kubectl apply`
 * compares lists as a whole, and one that the server filled in would differ from the manifest for ever. Whoever parses
 * the object fills them in.
 */
function arrayNode({ items, ...rest }: Json): Json {
  const child = bare(node(items as Json));
  const required = Array.isArray(child.required) ? child.required : [];
  const key = ["type", "name"].find(
    (name) => required.includes(name) && (name === "name" || required.includes("status")),
  );
  const map = key === undefined ? {} : { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key] };
  return { ...rest, items: child, ...map };
}

/** The schema without the defaults in it; what they are is told in words. */
function bare({ default: value, properties, items, ...rest }: Json): Json {
  const told =
    value !== undefined && typeof rest.description === "string"
      ? { description: `${rest.description} Default ${JSON.stringify(value)}.` }
      : {};
  return {
    ...rest,
    ...told,
    ...(isJson(properties)
      ? {
          properties: Object.fromEntries(
            Object.entries(properties).map(([name, child]) => [name, bare(child as Json)]),
          ),
        }
      : {}),
    ...(isJson(items) ? { items: bare(items) } : {}),
  };
}

/** A default that only exists after parsing, such as milliseconds for a length of time, can not stand in the input. */
function fits(value: unknown, type: unknown): boolean {
  return value === undefined || (type === "integer" ? Number.isInteger(value) : typeof value === type);
}

function without({ ...schema }: Json, key: string): Json {
  delete schema[key];
  return schema;
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
