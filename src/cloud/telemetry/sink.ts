import type { Range, Row } from "#wire/messages";
import type { Layout } from "#wire/pack";
import type { Bucket } from "./buckets.ts";

/** Rows of one node as they came. */
export interface Batch {
  readonly node: string;
  readonly epoch: string;
  readonly rows: readonly Row[];
  /** Layouts that these rows are the first to use; the cloud's own database keeps them too. */
  readonly layouts: readonly Layout[];
  /** Numbers that the cloud has of this epoch already, of rows of all kinds and of those that will never come. */
  readonly have: readonly Range[];
  /** When they came, in milliseconds since the epoch. */
  readonly takenAt: number;
}

/** Which part of a device's history; times are milliseconds since the epoch, both included. */
export interface Span {
  readonly namespace: string;
  readonly device: string;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** One telemetry message as it is kept. */
export interface Kept {
  readonly node: string;
  readonly epoch: string;
  /** Number of its row in the node's outbox. */
  readonly seq: number;
  readonly at: number;
  readonly takenAt: number;
  /** The parsed body: see the topic `telemetry`. */
  readonly body: unknown;
}

/** How much is kept. What is over a limit goes, the oldest arrival first, and is counted. */
export interface Retention {
  readonly keepMs: number;
  readonly keepRows: number;
  readonly keepBytes: number;
  /** How long the buckets of one minute stay, which need a fraction of the room. @default `keepMs` */
  readonly keepMinutesMs?: number;
}

/**
 * To be called within a transaction of the cloud's database: notes that a batch is here and says which of its rows were
 * not here before. What it throws undoes it, and the batch comes again.
 */
export type Note = () => readonly Row[];

/**
 * Where telemetry is kept. Small, so that another engine needs only this: a stream, a table, a file.
 *
 * What the nodes told takes effect exactly once in every engine, in one of two ways. SQLite keeps the rows and the list
 * of what has come (`note`) in one transaction. An engine outside of the database can not; it keeps the batch first,
 * drops what it has already by node, epoch and number, and only then calls `note`. A kill in between brings the batch
 * once more, because the node was not told that it is here, and the engine drops all of it: at least once on the way,
 * exactly once in effect.
 *
 * While an engine is away everything throws `TELEMETRY_UNREACHABLE` at once; nothing waits here but what is being written.
 */
export interface TelemetrySink extends AsyncDisposable {
  /** False while the engine is away. */
  readonly isUp: boolean;
  /** Telemetry rows that are kept now. */
  readonly rows: number;
  /** Rows that retention took since the start. */
  readonly pruned: number;
  /** Keeps what is new of a batch; on disk when it resolves. */
  append(batch: Batch, note: Note): Promise<void>;
  /** The messages in a span, the oldest first; with more than `limit` in it, the latest. */
  query(span: Span, limit: number): Promise<readonly Kept[]>;
  /** The messages in a span, one after the other, in the order of their time. */
  scan(span: Span): AsyncIterable<Kept>;
  /** Buckets of a length, as far back as anything is known; those without a value are left out. */
  summarize(span: Span, everyMs: number, properties: readonly string[]): Promise<readonly Bucket[]>;
  /** Takes away what is over the limits, a batch at a time, so that nobody waits long for it. */
  prune(retention: Retention, nowMs: number): Promise<void>;
}

/** A row that came this long after its time waited somewhere: the cloud or the link was away. */
const BACKFILL_MS = 60_000;

/** Whether a message was late: then whoever watched live has not seen it. */
export function isBackfill({ at, takenAt }: Pick<Kept, "at" | "takenAt">): boolean {
  return takenAt - at > BACKFILL_MS;
}
