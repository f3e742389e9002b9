import { declaration } from "#devices/model";
import { deviceReport } from "#devices/status";
import { at } from "#devices/value";
import { z } from "#std/schema";
import { layout } from "./pack.ts";

/** Version of what follows. Each side speaks the lower of the two; one version back is understood. */
export const WIRE_VERSION = 1;
export const OLDEST_WIRE_VERSION = 1;

const seq = z.number().int().nonnegative();
/** Sequence numbers from..to, both included. */
export const range = z.tuple([seq, seq]).refine(([from, to]) => from <= to, "ends before it begins");
export type Range = z.infer<typeof range>;

/** One row of a node's outbox: something that was accepted at the site and takes effect in the cloud exactly once. */
export const row = z.object({
  seq,
  device: z.string(),
  namespace: z.string(),
  kind: z.enum(["telemetry", "event", "gap"]),
  at,
  /** JSON text: for telemetry what `pack` makes, or the body of the topic; for events `eventBody`, for gaps `gapBody`. */
  body: z.string(),
  /** Id of the layout that the body is packed by. */
  layout: z.string().max(32).optional(),
});
export type Row = z.infer<typeof row>;

export const eventBody = z.object({
  type: z.enum(["Normal", "Warning"]),
  reason: z.string(),
  message: z.string(),
  uid: z.string().optional(),
});
export type EventBody = z.infer<typeof eventBody>;

/** Why something was dropped or missed. A newer node may know others. */
export const gapReasons = [
  "size limit",
  "age limit",
  "disk full",
  "disk failed",
  "device silent",
  "queue overflow",
  "link lost",
  "node off",
  "database lost",
  "clock jump",
] as const;
export type GapReason = (typeof gapReasons)[number];

/** Telemetry of a device that is missing: times, and how many messages or visits when that is known. */
export const gapBody = z.object({ from: at, to: at, count: seq.optional(), reason: z.string() });
export type GapBody = z.infer<typeof gapBody>;

/** What rows that a limit dropped were of. */
const lost = z.object({ namespace: z.string(), device: z.string(), from: at, to: at, count: seq });
export type Lost = z.infer<typeof lost>;

/** The cloud's word that a node may speak of a device. */
export const grant = z.object({ namespace: z.string(), device: z.string(), grant: z.string().max(64) });
export type Grant = z.infer<typeof grant>;

/** What an edge says to its cloud. Who it is says its certificate alone. */
export const edgeMessage = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("hello"),
    version: z.number().int(),
    program: z.string(),
    /** Name of the outbox' history, and its highest number. */
    epoch: z.string(),
    head: seq,
    /** The processes that said hello from this data directory, the oldest first; the last one speaks. */
    runs: z.array(z.string().max(64)).min(1).max(100),
    /** A backup that was restored since the last welcome: its new numbers are above all that were ever given. */
    restored: z.boolean().optional(),
  }),
  /** Shown before the first word about these devices on this connection. */
  z.object({ kind: z.literal("grants"), grants: z.array(grant).max(10_000) }),
  /** With the layouts that these rows are the first to use on this connection. */
  z.object({ kind: z.literal("rows"), rows: z.array(row).max(1000), layouts: z.array(layout).max(1000).optional() }),
  /** Rows in these ranges were dropped by a limit and will never come. */
  z.object({
    kind: z.literal("missing"),
    ranges: z.array(range).max(1000),
    reason: z.string(),
    /** Telemetry among them, by device. */
    lost: z.array(lost).max(10_000).optional(),
  }),
  z.object({ kind: z.literal("report"), report: deviceReport }),
  /** A declaration is on disk at the node. */
  z.object({ kind: z.literal("stored"), uid: z.string(), generation: z.number().int() }),
  /** Asks for a new certificate, before the present one expires: a request (PKCS #10, PEM) for a new key. */
  z.object({ kind: z.literal("renew"), request: z.string().max(16_384) }),
  z.object({ kind: z.literal("ping") }),
]);
export type EdgeMessage = z.infer<typeof edgeMessage>;

/** What a cloud says to an edge. */
export const cloudMessage = z.discriminatedUnion("kind", [
  /** Answers `hello`; `have` is all that the cloud holds of this epoch. */
  z.object({ kind: z.literal("welcome"), version: z.number().int(), program: z.string(), have: z.array(range) }),
  /** Answers a `hello` that is not welcome, or ends the connection otherwise: the code of a fault. */
  z.object({ kind: z.literal("refused"), code: z.string(), message: z.string() }),
  /** A device that the node shall run, and its right to speak of it. */
  z.object({ kind: z.literal("device"), device: declaration, grant: grant.shape.grant }),
  z.object({ kind: z.literal("gone"), uid: z.string() }),
  /** All devices of the node: what is not in it is gone. Follows `welcome` after the devices themselves. */
  z.object({ kind: z.literal("roster"), uids: z.array(z.string()) }),
  /** These rows are on disk in the cloud. */
  z.object({ kind: z.literal("taken"), ranges: z.array(range) }),
  /** Answers `renew`: the certificate, PEM. The next connection may show it. */
  z.object({ kind: z.literal("certificate"), certificate: z.string() }),
  z.object({ kind: z.literal("ping") }),
]);
export type CloudMessage = z.infer<typeof cloudMessage>;
