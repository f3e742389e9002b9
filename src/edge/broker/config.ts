import { duration } from "#std/duration";
import { z } from "#std/schema";
import { isFilter, overlaps } from "./filter.ts";

export const port = z.number().int().min(0).max(65535);
const count = (least: number, standard: number) => z.number().int().min(least).default(standard);
const path = z.string().min(1);

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return /^(127(\.\d+){3}|::1|::ffff:127(\.\d+){3}|localhost)$/.test(host);
}

/** Beyond loopback a door needs to know who comes in. */
export const loopback = onlyLoopback("");

function onlyLoopback(otherwise: string) {
  return z.string().refine(isLoopback, `only loopback addresses, such as 127.0.0.1${otherwise}`);
}

/** Limits of the broker; each protects the node from one client. */
export const mqttLimits = z.strictObject({
  connections: count(1, 10_000).describe("Connections at once."),
  connectionsPerAddress: count(1, 200).describe("Connections at once from one address beyond loopback."),
  connectsPerSecond: count(1, 50).describe("New connections per second from one address beyond loopback."),
  connectTimeout: duration(100).prefault("5s").describe("A connection must say CONNECT within this time."),
  connectBytes: count(64, 16_384).describe("Largest CONNECT packet."),
  packetBytes: count(256, 262_144).describe("Largest packet."),
  topicBytes: count(16, 1024).describe("Longest topic or filter."),
  topicLevels: z.number().int().min(1).max(100).default(100).describe("Deepest topic or filter."),
  subscriptions: count(1, 100).describe("Subscriptions of one client."),
  inflight: z
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(1000)
    .describe("Unacknowledged messages per client and direction."),
  bufferBytes: count(4096, 1_048_576).describe(
    "What may wait in the socket of one client; beyond it QoS 0 is dropped.",
  ),
  stallTime: duration(100)
    .prefault("1s")
    .describe("A client over that limit that takes nothing for so long is closed."),
  sessions: count(1, 1000).describe("Sessions that outlive their connection."),
  sessionExpiry: duration(1000).prefault("7d").describe("A session nobody came back to for so long is forgotten."),
  queueMessages: count(1, 100_000).describe("Messages that wait for one session."),
  queueBytes: count(1024, 64 * 1024 * 1024).describe("Bytes that wait for one session."),
  queueAge: duration(1000).prefault("7d").describe("A message that waited longer is dropped, and told."),
  whenFull: z
    .enum(["drop-oldest", "reject"])
    .default("drop-oldest")
    .describe("What a full queue does: drops its oldest message, or closes the publisher without acknowledging."),
  retainedMessages: count(1, 10_000).describe("Retained messages of clients."),
  retainedBytes: count(1024, 64 * 1024 * 1024).describe("Bytes of retained messages of clients."),
});
export type MqttLimits = z.infer<typeof mqttLimits>;

/** A level in braces that is replaced by a name that was proven; it must be a whole level. */
const aclFilter = z.string().superRefine((filter, problem) => {
  if (!isFilter(filter)) problem.addIssue({ code: "custom", message: "is no topic filter" });
  for (const level of filter.split("/"))
    if (/[{}%$]/.test(level) && level !== "{user}" && level !== "{certificate}" && !/^\$[A-Z]+$/.test(level))
      problem.addIssue({ code: "custom", message: `"${level}": only {user} or {certificate} as a whole level` });
});

/** One row of the table: who may publish and subscribe what. What no row allows is refused. */
export const aclRule = z
  .strictObject({
    user: z.string().min(1).optional().describe("User name; * is every user with a password."),
    certificate: z.string().min(1).optional().describe("Common name of a client certificate; * is every one."),
    anonymous: z.literal(true).optional().describe("Clients on loopback without user and certificate."),
    publish: z.array(aclFilter).default([]),
    subscribe: z.array(aclFilter).default([]),
  })
  .superRefine((rule, problem) => {
    const named = [rule.user, rule.certificate, rule.anonymous].filter((field) => field !== undefined);
    if (named.length !== 1)
      problem.addIssue({ code: "custom", message: "needs exactly one of user, certificate, anonymous" });
    const used = [...rule.publish, ...rule.subscribe].flatMap((filter) => filter.split("/"));
    for (const name of ["user", "certificate"] as const)
      if (used.includes(`{${name}}`) && rule[name] === undefined)
        problem.addIssue({ code: "custom", message: `{${name}} is only known in rules for a ${name}` });
  });
export type AclRule = z.infer<typeof aclRule>;

const user = z.strictObject({
  name: z.string().regex(/^[^+#/\p{Cc}]{1,256}$/u, "may not contain + # / or control characters"),
  password: z
    .string()
    .regex(/^scrypt\$\d+\$\d+\$\d+\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+$/, "must be a hash: scrypt$N$r$p$salt$key")
    .describe("Hash of the password: scrypt (RFC 7914) with its parameters, salt and key in base64."),
});
export type MqttUser = z.infer<typeof user>;

const tls = z.strictObject({
  certificate: path.describe("PEM file of the server's certificate chain."),
  key: path.describe("PEM file of its private key."),
  authority: path
    .optional()
    .describe("PEM file of the authority that every client needs a certificate of; without it users need passwords."),
});

const listener = z
  .strictObject({
    host: z.string().min(1).describe("Address to listen on."),
    port: port.default(8883),
    tls: tls.optional(),
    websocket: z.boolean().default(false).describe("MQTT over WebSocket instead of bare TCP."),
  })
  .refine(({ host, tls }) => isLoopback(host) || tls !== undefined, "beyond loopback tls is needed");
export type ListenerConfig = z.infer<typeof listener>;

/** `passwordFrom`: the file is read when the connection is made, so a new secret needs no restart. */
const secretFile = z.strictObject({ file: path });

/** How to reach another broker. */
const remote = {
  url: z.string().regex(/^(mqtts?|wss?):\/\/[^@]+$/, "must be mqtt:, mqtts:, ws: or wss: without user and password"),
  clientId: z.string().min(1).max(65).optional(),
  version: z
    .union([z.literal(4), z.literal(5)])
    .default(4)
    .describe("4 is MQTT 3.1.1, 5 is MQTT 5."),
  user: z.string().min(1).optional(),
  passwordFrom: secretFile.optional(),
  tls: z
    .strictObject({ authority: path.optional(), certificate: path.optional(), key: path.optional() })
    .default({})
    .describe("PEM files: whom to trust instead of the system's authorities, and who we are."),
};

export const externalConfig = z.strictObject(remote);
export type ExternalConfig = z.infer<typeof externalConfig>;

/** Topics that go to, or come from, another broker. */
export const bridgeConfig = z
  .strictObject({
    ...remote,
    topics: z
      .array(
        z.strictObject({
          filter: z.string().refine(isFilter, "is no topic filter"),
          direction: z.enum(["out", "in"]),
          qos: z.union([z.literal(0), z.literal(1)]).default(1),
          prefix: z
            .string()
            .regex(/^[^+#]*$/, "may not contain wildcards")
            .default("")
            .describe("Put before the topic."),
        }),
      )
      .min(1)
      .max(100),
    limits: z
      .strictObject({
        messages: count(1, 1_000_000).describe("Messages that wait for the other broker; beyond it the oldest goes."),
        bytes: count(1024, 256 * 1024 * 1024),
      })
      .prefault({}),
  })
  .superRefine(({ version, topics }, problem) => {
    if (version === 5) return;
    const of = (wanted: "in" | "out") => topics.filter(({ direction }) => direction === wanted);
    for (const out of of("out"))
      for (const { filter } of of("in"))
        if (overlaps(out.prefix + out.filter, filter))
          problem.addIssue({
            code: "custom",
            path: ["topics"],
            message: `what goes out as ${out.prefix}${out.filter} comes back in by ${filter}: only version: 5 prevents that`,
          });
  });
export type BridgeConfig = z.infer<typeof bridgeConfig>;

/** The broker's part of a node's configuration. */
export const mqttConfig = z.strictObject({
  host: onlyLoopback("; other machines come in by listeners")
    .default("127.0.0.1")
    .describe("Address of the MQTT broker."),
  port: port.default(1883).describe("Port of the MQTT broker; 0 takes any free one."),
  websocket: z
    .strictObject({ host: loopback.default("127.0.0.1"), port: port.default(9001) })
    .optional()
    .describe("MQTT over WebSocket on loopback, for the page."),
  listeners: z.array(listener).max(16).default([]).describe("Further addresses, with TLS."),
  users: z.array(user).default([]),
  acl: z
    .array(aclRule)
    .optional()
    .describe("Without it, anonymous clients on loopback may all but speak for the node."),
  limits: mqttLimits.prefault({}),
  external: externalConfig.optional().describe("The site's broker is this one; the node's own does not run."),
});
export type MqttConfig = z.infer<typeof mqttConfig>;
