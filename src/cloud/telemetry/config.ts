import { z } from "#std/schema";
import { isLocal, secretFrom, tlsFiles } from "./secret.ts";

const tls = z
  .union([tlsFiles, z.literal(false)])
  .optional()
  .describe("TLS. Without it: with the system's authorities, but on this machine none. false: none, wherever it is.");

/** Problems of a URL, which must not carry a secret into logs and backups. */
function urlProblem(text: string, protocols: readonly string[]): string | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return "is no URL";
  }
  if (!protocols.includes(url.protocol)) return `does not begin with ${protocols.join("// or ")}//`;
  if (url.username !== "" && protocols === NATS)
    return "has a user or token in it; put that into user, nkeyFrom or credentialsFrom";
  if (url.password !== "") return "has a password in it; put that into passwordFrom";
  if (url.search !== "" || url.hash !== "") return "has parameters; the other fields of sink are for that";
  return undefined;
}

const POSTGRES = ["postgres:", "postgresql:"];
const NATS = ["nats:", "tls:"];

const url = (protocols: readonly string[]) =>
  z.string().superRefine((text, context) => {
    const message = urlProblem(text, protocols);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  });

const postgres = z.strictObject({
  kind: z.literal("postgres"),
  url: url(POSTGRES).describe("postgres://user@host:5432/database, without the password."),
  passwordFrom: secretFrom.optional(),
  schema: z
    .string()
    .regex(/^(?!pg_)[a-z_][a-z0-9_]{0,62}$/, "lower-case letters, digits and _, not pg_ at its begin")
    .default("skerry")
    .describe("Schema of our tables; one for each cloud."),
  tls,
});
export type PostgresConfig = z.output<typeof postgres>;

/** Names that need no escape within a subject. */
const token = /^[A-Za-z0-9_-]{1,64}$/;

const nats = z
  .strictObject({
    kind: z.literal("nats"),
    servers: z.array(url(NATS)).min(1).max(16).describe("nats://host:4222 of one server or of several of a cluster."),
    user: z.string().min(1).optional(),
    passwordFrom: secretFrom.optional(),
    nkeyFrom: secretFrom.optional().describe("Seed of an nkey."),
    credentialsFrom: secretFrom.optional().describe("What nsc calls a creds file."),
    stream: z
      .string()
      .regex(token, "letters, digits, - and _")
      .default("SKERRY_TELEMETRY")
      .describe("Name of the stream; one for each cloud."),
    subject: z
      .string()
      .refine((text) => text.split(".").every((part) => token.test(part)), "letters, digits, - and _ between dots")
      .default("skerry.telemetry")
      .describe("What the subjects begin with; namespace and device follow."),
    replicas: z.union([z.literal(1), z.literal(3), z.literal(5)]).default(1),
    tls,
  })
  .superRefine(({ user, passwordFrom, nkeyFrom, credentialsFrom }, context) => {
    const ways = [user, nkeyFrom, credentialsFrom].filter((way) => way !== undefined).length;
    const wrong = (message: string) => context.addIssue({ code: "custom", path: [], message });
    if (ways > 1) wrong("give one of user, nkeyFrom and credentialsFrom");
    if ((user === undefined) !== (passwordFrom === undefined)) wrong("user and passwordFrom go together");
  });
export type NatsConfig = z.output<typeof nats>;

/** Where telemetry is kept: in the cloud's own database, or in an engine outside of it. */
export const sinkConfig = z.discriminatedUnion("kind", [z.strictObject({ kind: z.literal("sqlite") }), postgres, nats]);
export type SinkConfig = z.output<typeof sinkConfig>;

/** Whether to speak TLS with a host, and with which files. */
export function tlsFor(host: string, given: PostgresConfig["tls"]): z.infer<typeof tlsFiles> | undefined {
  if (given === false) return undefined;
  if (given !== undefined) return given;
  return isLocal(host) ? undefined : {};
}
