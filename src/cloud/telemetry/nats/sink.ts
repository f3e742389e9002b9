import { Fault } from "#std/fault";
import type { Database } from "#std/sqlite";
import type { Row } from "#wire/messages";
import { has } from "#wire/ranges";
import { type Bucket, Buckets, goodValues } from "../buckets.ts";
import type { NatsConfig } from "../config.ts";
import { isMinutes, MINUTE_MS, Minutes, mergeMinute, wholeBuckets } from "../minutes.ts";
import type { SinkPorts } from "../open-sink.ts";
import { Reach } from "../reach.ts";
import type { Batch, Kept, Note, Retention, Span, TelemetrySink } from "../sink.ts";
import { openStream, type StreamMessage } from "./client.ts";
import { AT, checkSizes, keptOf, type Message, type Messages, messagesOf } from "./message.ts";
import { idOf, subjectOf } from "./names.ts";
import { Notes } from "./notes.ts";
import { prune, TAKEN } from "./retention.ts";
import { findStrays } from "./strays.ts";
import { Turns } from "./turns.ts";
import { type Sent, Writer } from "./writer.ts";

/** Messages on their way to the stream, of all nodes together. */
const MOST_FLYING = 1_000;
/** Messages that are put in order in memory; beyond that somebody should ask for a shorter span. */
const MOST_SORTED = 1_000_000;
const EMPTY = Buffer.alloc(0);
/** A node's clock may be ahead of the server's by this. */
const SKEW_MS = 3_600_000;

/** Opens the sink. The server may be away. @throws {Fault} `CONFIG_INVALID` */
export async function openNatsSink(config: NatsConfig, { db, retention, environment, log, clock }: SinkPorts) {
  const notes = new Notes(db, config.stream);
  const counts: Counts = { rows: 0, pruned: 0 };
  const reach = await Reach.open({
    what: `NATS at ${config.servers.join(", ")}, stream ${config.stream}`,
    log,
    clock,
    async dial() {
      const stream = await openStream(config, retention, environment);
      try {
        const state = await findStrays(stream, { notes, db, log, clock });
        counts.rows = state.messages;
        return new Writer(stream, state.created, state.last);
      } catch (error) {
        await stream[Symbol.asyncDispose]();
        throw error;
      }
    },
  });
  return new NatsSink(reach, { db, notes, counts, subject: config.subject });
}

interface Noting {
  readonly batch: Batch;
  readonly messages: Messages;
  readonly note: Note;
}

interface Counts {
  rows: number;
  pruned: number;
}

interface Parts {
  readonly db: Database;
  readonly notes: Notes;
  readonly counts: Counts;
  readonly subject: string;
}

/**
 * Telemetry in a JetStream stream: a message for each row, on a subject for each device, whole, so that who subscribes
 * needs nothing of ours. Its id is made of node, epoch and number, so within the stream's duplicate window the server
 * drops repeats. That alone is not exactly once: a cloud that is killed after the stream has a batch, and before it has
 * noted that, may see the batch again after any time. So the cloud's database keeps a mark, written with each note: all
 * messages up to it are noted. Every new connection reads what is behind the mark, and books what is not noted as
 * strays. A stray that comes again is noted without being sent again. When anything fails, the connection ends and
 * whatever it still had to send with it, so nothing comes after the next one has looked; what the network itself holds
 * back for seconds meets the duplicate window.
 *
 * Minutes are summed up in the cloud's database, in the transaction of the note: once for each row, without a second
 * reading. A query reads the device's subject from the begin of its span to the present and costs as much.
 */
class NatsSink implements TelemetrySink {
  readonly #reach: Reach<Writer>;
  readonly #db: Database;
  readonly #notes: Notes;
  readonly #counts: Counts;
  readonly #subject: string;
  readonly #minutes: Minutes;
  readonly #turns = new Turns(MOST_FLYING);

  constructor(reach: Reach<Writer>, { db, notes, counts, subject }: Parts) {
    this.#reach = reach;
    this.#db = db;
    this.#notes = notes;
    this.#counts = counts;
    this.#subject = subject;
    this.#minutes = new Minutes(db);
  }

  get isUp(): boolean {
    return this.#reach.isUp;
  }
  get rows(): number {
    return this.#counts.rows;
  }
  get pruned(): number {
    return this.#counts.pruned;
  }

  async append(batch: Batch, note: Note): Promise<void> {
    if (batch.rows.length === 0) return void (await this.#db.commit(note));
    const messages = messagesOf(batch, (layout) => this.#notes.names(layout));
    const noted = await this.#reach.write(async (writer) => {
      checkSizes(batch, messages, writer.stream);
      const sent = await this.#send(writer, batch, messages);
      // What the note throws is none of the engine's.
      return this.#note(writer, sent, { batch, messages, note }).catch((error: unknown) => ({ error }));
    });
    if (noted) throw noted.error;
  }

  /** Resolves when the stream has all of a batch. */
  async #send(writer: Writer, batch: Batch, messages: Messages): Promise<Sent> {
    const { node, epoch } = batch;
    const known = new Set([...this.#notes.strays(node, epoch), ...writer.unnoted(batch)]);
    // Of one number there is one row, whatever a batch says.
    const rows = new Map(batch.rows.map((row) => [row.seq, row]));
    const noted = this.#notes.noted(node, epoch);
    const missing = [...rows.values()].filter(({ seq }) => !known.has(seq) && !has(noted, seq));
    const sent = writer.begin(batch, missing);
    try {
      const publish = (row: Row) => this.#publish(writer, batch, row, messages.get(row.seq));
      const published = await Promise.all(missing.map(publish));
      writer.arrived(sent, published);
      this.#counts.rows += published.filter(({ isNew }) => isNew).length;
    } catch (error) {
      writer.isDoubtful = true;
      throw error;
    }
    return sent;
  }

  async #note(writer: Writer, sent: Sent, { batch, messages, note }: Noting): Promise<undefined> {
    const { node, epoch } = batch;
    const seqs = new Set(batch.rows.map(({ seq }) => seq));
    await this.#db.commit(() => {
      this.#addMinutes(note(), messages);
      this.#notes.dropStrays(node, epoch, seqs);
      if (!writer.isDoubtful) this.#notes.setMark({ created: writer.created, number: writer.markAfter(sent, seqs) });
    });
    writer.noted(sent, seqs);
  }

  async query(span: Span, limit: number): Promise<readonly Kept[]> {
    let latest: Kept[] = [];
    for await (const kept of this.#inSpan(span)) {
      latest.push(kept);
      if (latest.length >= 2 * limit + 1_000) latest = latest.sort(byTime).slice(-limit);
    }
    return latest.sort(byTime).slice(-limit);
  }

  /** @throws {Fault} `OVERLOADED` when too many would have to be put in order. */
  async *scan(span: Span): AsyncIterable<Kept> {
    const found: Kept[] = [];
    for await (const kept of this.#inSpan(span)) {
      if (found.length >= MOST_SORTED)
        throw new Fault("OVERLOADED", `over ${MOST_SORTED} messages in the span; ask for a shorter one`);
      found.push(kept);
    }
    yield* found.sort(byTime);
  }

  async summarize(span: Span, everyMs: number, properties: readonly string[]): Promise<readonly Bucket[]> {
    const buckets = new Buckets(everyMs);
    if (isMinutes(everyMs)) {
      for (const minute of this.#minutes.read(wholeBuckets(span, everyMs)))
        if (properties.length === 0 || properties.includes(minute.property)) mergeMinute(buckets, minute);
    } else
      for await (const { at, body } of this.#inSpan(span))
        for (const [property, value] of goodValues(body, properties)) buckets.add(property, at, value);
    return buckets.all();
  }

  async prune(retention: Retention, nowMs: number): Promise<void> {
    const { keepMs, keepMinutesMs = keepMs } = retention;
    await this.#reach.read(async ({ stream }) => {
      await prune(stream, retention, nowMs);
      const { messages } = await stream.state();
      // What the server took by its own limits counts, too.
      this.#counts.pruned += Math.max(0, this.#counts.rows - messages);
      this.#counts.rows = messages;
    });
    await this.#db.commit(() => {
      this.#minutes.prune(nowMs - keepMinutesMs);
      this.#notes.prune(nowMs - keepMs);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reach[Symbol.asyncDispose]();
  }

  #publish(writer: Writer, { node, epoch, takenAt }: Batch, row: Row, message: Message | undefined) {
    const heads = { [AT]: String(row.at), [TAKEN]: String(takenAt) };
    const id = idOf({ node, epoch, seq: row.seq });
    const subject = subjectOf(this.#subject, row);
    return this.#turns.run(() => writer.stream.publish(subject, id, heads, message?.bytes ?? EMPTY));
  }

  #addMinutes(rows: readonly Row[], messages: Messages): void {
    const devices = Map.groupBy(rows, ({ namespace, device }) => `${namespace}/${device}`);
    for (const rows of devices.values()) {
      const buckets = new Buckets(MINUTE_MS);
      for (const { seq, at } of rows)
        for (const [property, value] of goodValues(messages.get(seq)?.body, [])) buckets.add(property, at, value);
      if (rows[0]) this.#minutes.add(rows[0], buckets);
    }
  }

  /** Messages of a span as they came: late ones after younger ones. */
  async *#inSpan({ namespace, device, sinceMs, untilMs }: Span): AsyncIterable<Kept> {
    const subject = subjectOf(this.#subject, { namespace, device });
    for await (const message of this.#read({ subject, fromMs: sinceMs - SKEW_MS })) {
      const kept = keptOf(message);
      if (kept && kept.at >= sinceMs && kept.at <= untilMs) yield kept;
    }
  }

  /** Reads page by page, so that what the engine throws becomes our fault and the reader's stays the reader's. */
  async *#read(reading: { readonly subject: string; readonly fromMs: number }): AsyncIterable<StreamMessage> {
    const messages = await this.#reach.read(async ({ stream }) => stream.read(reading)[Symbol.asyncIterator]());
    try {
      for (;;) {
        const { done, value } = await this.#reach.read(() => messages.next());
        if (done) return;
        yield value;
      }
    } finally {
      await messages.return?.();
    }
  }
}

function byTime(a: Kept, b: Kept): number {
  return a.at - b.at || a.seq - b.seq;
}
