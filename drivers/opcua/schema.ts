/**
 * What a user writes about an OPC UA server, a device in it and one of its properties.
 * The tables in `README.md` are printed from the descriptions here.
 */
import { duration } from "#std/duration";
import { z } from "#std/schema";
import { parseNodeId } from "./node-id.ts";
import { type BuiltIn, builtIn } from "./types.ts";

const file = z.strictObject({ file: z.string().min(1).describe("Path of the file on the node.") });

/** Basic128Rsa15 and Basic256 are not among them: they are withdrawn, and Node refuses their padding since 20.11. */
export const policies = ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] as const;

const security = z
  .strictObject({
    mode: z.enum(["None", "Sign", "SignAndEncrypt"]).default("SignAndEncrypt"),
    policy: z.enum(policies).optional(),
    insecure: z.boolean().default(false),
  })
  .superRefine(({ mode, policy, insecure }, context) => {
    const wrong = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (mode === "None" && !insecure)
      wrong("insecure", "mode None protects nothing; say insecure: true if you mean it");
    if (mode !== "None" && insecure) wrong("insecure", `is for mode None, not ${mode}`);
    if (mode === "None" && policy !== undefined) wrong("policy", "mode None has no policy");
  });

const user = z.union([
  z.strictObject({ name: z.string().min(1), passwordFrom: file }),
  z.strictObject({ certificateFrom: file, keyFrom: file }),
]);

const timeout = duration(1).prefault("5s").describe("Longest time one visit to the server may take.");

/** How an OPC UA server is reached, and how both sides know each other. */
export const server = z
  .strictObject({
    endpoint: z
      .string()
      .max(1000)
      .regex(/^opc\.tcp:\/\/(?:\[[\da-fA-F:]+\]|[^\s/:@?#]+)(?::\d{1,5})?(?:\/[^\s?#]*)?$/, {
        message: "give opc.tcp://host:port/path, without user or password",
      })
      .describe("URL of the server, such as `opc.tcp://10.0.0.7:4840/plant`."),
    security: security
      .prefault({})
      .describe(
        "`mode`: `SignAndEncrypt` (default), `Sign`, or `None`, which needs `insecure: true` beside it. " +
          "`policy`: `Basic256Sha256`, `Aes128_Sha256_RsaOaep` or `Aes256_Sha256_RsaPss`; without it, the best the server has.",
      ),
    user: user
      .optional()
      .describe(
        "`{ name, passwordFrom: { file } }` or `{ certificateFrom: { file }, keyFrom: { file } }` (PEM). " +
          "Without it, anonymous.",
      ),
    trust: z
      .strictObject({
        fingerprint: z
          .string()
          .transform((text) => text.replaceAll(/[:\s]/g, "").toLowerCase())
          .pipe(z.string().regex(/^[\da-f]{64}$/, "give the SHA-256 of the certificate: 64 hexadecimal digits")),
      })
      .optional()
      .describe(
        "`fingerprint`: SHA-256 of the certificate that the server must show. " +
          "Without it, the certificate must have been accepted on the node: `edgeadm device trust`.",
      ),
    timeout,
  })
  .transform(({ timeout, ...rest }) => ({ ...rest, timeoutMs: timeout }));

const recording = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .describe(
        "No server at all: plays back a file that `edgeadm device record` wrote, for tests without the device.",
      ),
    timeout,
  })
  .transform(({ timeout, ...rest }) => ({ ...rest, timeoutMs: timeout }));

/** `spec.link` of an OPC UA device: a server, or the recording of one. */
export const link = z.union([server, recording]);

/** Which part of the server is this device, and how its values come. */
export const station = z
  .strictObject({
    namespaceUri: z
      .string()
      .min(1)
      .max(1000)
      .optional()
      .describe("Namespace of the addresses that name none. Without it, that of the standard (index 0)."),
    mode: z
      .enum(["subscribe", "poll"])
      .default("subscribe")
      .describe("`subscribe`: the server sends what changes. `poll`: every value is read at each visit."),
    publishingInterval: duration(10)
      .prefault("500ms")
      .describe("How often the server sends what it has gathered. The server may choose another."),
    maxNotifications: z
      .int()
      .min(0)
      .max(100_000)
      .default(0)
      .describe("Most values in one message of the server; 0 leaves it to the server."),
    keepAliveCount: z
      .int()
      .min(1)
      .max(10_000)
      .default(10)
      .describe("After so many intervals without a change the server says that it is still there."),
    lifetimeCount: z
      .int()
      .min(3)
      .max(100_000)
      .default(120)
      .describe("After so many intervals without a word from us the server forgets what was subscribed."),
  })
  .refine(({ keepAliveCount, lifetimeCount }) => lifetimeCount >= 3 * keepAliveCount, {
    path: ["lifetimeCount"],
    message: "is at least three times keepAliveCount",
  })
  .transform(({ publishingInterval, ...rest }) => ({ ...rest, publishingIntervalMs: publishingInterval }));

const deadband = z.union([
  z.strictObject({ absolute: z.number().positive() }),
  z.strictObject({ percent: z.number().positive().max(100) }),
]);

/** What can be written by name; the others can only be read. */
const writable = Object.keys(builtIn).filter((name) => builtIn[name as BuiltIn] <= builtIn.LocalizedText) as [
  BuiltIn,
  ...BuiltIn[],
];

/** Where one property lives in the server. */
export const address = z
  .strictObject({
    nodeId: z
      .string()
      .refine((text) => parseNodeId(text) !== undefined, {
        message:
          'give a node id such as "nsu=http://example.org/plant;s=Boiler.Temp", "ns=2;s=Boiler.Temp" or "i=2258"',
      })
      .describe(
        "Node: `nsu=<uri>;s=<name>` (stays true when the server numbers its namespaces anew), `ns=2;s=<name>`, or " +
          "`s=<name>` in the station's namespace; `i=` number, `g=` GUID, `b=` base64.",
      ),
    index: z
      .string()
      .regex(/^\d+(:\d+)?(,\d+(:\d+)?)*$/, 'give an element "3", a range "0:9", or one of them per dimension "1,0:3"')
      .optional()
      .describe('Element `"3"` or range `"0:9"` of a list; for a matrix one of them per dimension, `"1,0:3"`.'),
    sampling: duration()
      .optional()
      .describe("How often the server looks at the value. Without it, the property's `every`."),
    queueSize: z
      .int()
      .min(1)
      .max(10_000)
      .default(1)
      .describe("Values that the server keeps between two messages; 1 keeps the newest alone."),
    discardOldest: z
      .boolean()
      .default(true)
      .describe("Which value goes when that queue is full: the oldest or newest."),
    deadband: deadband
      .optional()
      .describe("`{ absolute: 0.5 }` or `{ percent: 1 }` (of the node's EURange): smaller changes are not sent."),
    trigger: z
      .enum(["status", "value", "timestamp"])
      .default("value")
      .describe("What is sent: a changed status alone, also a changed value, or also the same value with a new time."),
    type: z.enum(writable).optional().describe("Type to write with. Without it, what the node itself wants."),
  })
  .transform(({ sampling, nodeId, ...rest }) => ({
    ...rest,
    nodeId,
    ...(sampling === undefined ? {} : { samplingMs: sampling }),
  }));

const methodNode = z.string().refine((text) => parseNodeId(text) !== undefined, { message: "give a node id" });

/** What can be called: a method, and the object that it works on. */
export const command = z.strictObject({
  object: methodNode.describe("Node of the object, as in an address."),
  method: methodNode.describe("Node of the method. It gets the command's arguments in their order."),
});

export type OpcuaCommand = z.output<typeof command>;
export type OpcuaLink = z.output<typeof server>;
export type RecordingLink = z.output<typeof recording>;
export type OpcuaStation = z.output<typeof station>;
export type OpcuaAddress = z.output<typeof address>;
export type Security = OpcuaLink["security"];
export type Policy = (typeof policies)[number];
