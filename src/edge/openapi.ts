import { deviceReport } from "#devices/status";
import { value } from "#devices/value";
import { z } from "#std/schema";

/** Where the edge's HTTP API serves what. Routes and document are made from this table. */
export const paths = {
  healthz: "/healthz",
  readyz: "/readyz",
  metrics: "/metrics",
  openapi: "/openapi.json",
  node: "/api/v1/node",
  reload: "/api/v1/node/reload",
  devices: "/api/v1/devices",
  device: "/api/v1/devices/:device",
  property: "/api/v1/devices/:device/properties/:property",
  desired: "/api/v1/devices/:device/desired/:property",
  command: "/api/v1/devices/:device/commands/:command",
  why: "/api/v1/devices/:device/why",
  plan: "/api/v1/devices/:device/plan",
  exchanges: "/api/v1/devices/:device/exchanges",
} as const;

const outcome = z.object({ state: z.enum(["pending", "applied", "refused"]), value, reason: z.string().optional() });

const commandOutcome = z.object({
  id: z.string(),
  ok: z.boolean(),
  value: value.optional(),
  fault: z.object({ code: z.string(), message: z.string() }).optional(),
});

interface Operation {
  readonly path: keyof typeof paths;
  readonly method: "get" | "put" | "post";
  readonly summary: string;
  readonly body?: z.ZodType;
  /** Parameters of the query: their meaning by their name. All are integers, and may be left out. */
  readonly query?: Readonly<Record<string, string>>;
  readonly answers: Readonly<Record<number, readonly [description: string, schema?: z.ZodType]>>;
}

const unknown = ["There is no such device or property."] as const;

const operations: readonly Operation[] = [
  { path: "healthz", method: "get", summary: "The process lives.", answers: { 200: ["It does."] } },
  {
    path: "readyz",
    method: "get",
    summary: "The node serves, and its disk takes what must be kept.",
    answers: { 200: ["It does."], 503: ["The disk takes nothing: code, message and hint say why."] },
  },
  { path: "metrics", method: "get", summary: "Metrics for Prometheus.", answers: { 200: ["Text format 0.0.4."] } },
  { path: "openapi", method: "get", summary: "This document.", answers: { 200: ["OpenAPI 3.1."] } },
  {
    path: "node",
    method: "get",
    summary: "The node itself.",
    answers: { 200: ["Name, version, uplink, bridge, counts."] },
  },
  {
    path: "reload",
    method: "post",
    summary: "Reads the configuration again: users, rights, limits and certificates of the broker.",
    answers: {
      200: [
        "The fields that are in force now, and those that need a restart.",
        z.object({ applied: z.array(z.string()), restart: z.array(z.string()) }),
      ],
      400: ["The file is wrong; nothing has changed."],
    },
  },
  {
    path: "devices",
    method: "get",
    summary: "Every device of the node with its twin.",
    answers: { 200: ["The devices.", z.object({ items: z.array(deviceReport) })] },
  },
  {
    path: "device",
    method: "get",
    summary: "One device with its twin.",
    answers: { 200: ["The device.", deviceReport], 404: unknown },
  },
  {
    path: "property",
    method: "get",
    summary: "One property: reported and desired.",
    answers: { 200: ["The property.", deviceReport.shape.properties.element], 404: unknown },
  },
  {
    path: "desired",
    method: "put",
    summary: "Wishes a value. Answers when the device confirmed or refused it, or after 5 s.",
    body: z.strictObject({ value }),
    answers: {
      200: ["The device confirmed it.", outcome],
      202: ["It is accepted, on disk, and not confirmed yet.", outcome],
      400: ["The value is of the wrong type, out of range, or the property is read only."],
      404: unknown,
      422: ["The device refused it.", outcome],
    },
  },
  {
    path: "command",
    method: "post",
    summary: "Tells the device to do something. The same id is done once, however often it is sent.",
    body: z.strictObject({
      id: z.string().optional(),
      args: z.array(value).optional(),
      deadlineMs: z.number().int().optional(),
    }),
    answers: {
      200: ["It is done.", commandOutcome],
      400: ["The request has wrong fields."],
      404: ["There is no such device or command."],
      422: ["It was refused, came too late, or its outcome is unsure.", commandOutcome],
    },
  },
  {
    path: "why",
    method: "get",
    summary: "Why a device is as it is: what is not good, its link, its last exchanges, what it taught, who it is.",
    answers: { 200: ["All that the node knows.", z.looseObject({ device: z.string() })], 404: unknown },
  },
  {
    path: "plan",
    method: "get",
    summary: "How a device is read: its requests, and what they cost.",
    answers: {
      200: ["The plan.", z.looseObject({ device: z.string() })],
      400: ["Its driver plans nothing."],
      404: unknown,
    },
  },
  {
    path: "exchanges",
    method: "get",
    summary: "The last requests to a device with their answers, or with forMs those that come, a line of JSON each.",
    query: { forMs: "How long to wait for more, in milliseconds." },
    answers: { 200: ["application/x-ndjson."], 400: ["Its driver keeps none."], 404: unknown },
  },
];

/** The OpenAPI 3.1 document of the edge's API. */
export function openApi(version: string): object {
  const document: Record<string, Record<string, object>> = {};
  for (const { path, method, summary, body, query = {}, answers } of operations) {
    const template = paths[path].replace(/:(\w+)/g, "{$1}");
    const names = [...paths[path].matchAll(/:(\w+)/g)].map(([, name]) => name);
    document[template] = {
      ...document[template],
      [method]: {
        operationId: path,
        summary,
        parameters: [
          ...names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
          ...Object.entries(query).map(([name, description]) => {
            return { name, in: "query", description, schema: { type: "integer" } };
          }),
        ],
        ...(body ? { requestBody: { required: true, content: content(body) } } : {}),
        responses: Object.fromEntries(
          Object.entries(answers).map(([status, [description, schema]]) => [
            status,
            { description, ...(schema ? { content: content(schema) } : {}) },
          ]),
        ),
      },
    };
  }
  return { openapi: "3.1.0", info: { title: "Skerry edge API", version }, paths: document };
}

function content(schema: z.ZodType): object {
  return { "application/json": { schema: z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }) } };
}
