import type { Database } from "#std/sqlite";
import { parseBody } from "../body.ts";
import { type Bucket, Buckets, goodValues } from "../buckets.ts";
import type { PostgresConfig } from "../config.ts";
import { isMinutes, type Minute, mergeMinute, wholeBuckets } from "../minutes.ts";
import type { SinkPorts } from "../open-sink.ts";
import { Reach } from "../reach.ts";
import type { Batch, Kept, Note, Retention, Span, TelemetrySink } from "../sink.ts";
import { openPostgres, type Postgres } from "./client.ts";
import { momentOf } from "./moment.ts";
import { prune, stockOf } from "./retention.ts";
import { rollUp } from "./rollup.ts";
import { prepareTables } from "./tables.ts";
import { writeBatches } from "./write.ts";

/** Rows of one transaction, at most, but for one batch. */
const MOST_ROWS = 20_000;
const PAGE_ROWS = 1_000;

/** Opens the sink. The server may be away. @throws {Fault} `CONFIG_INVALID`, `VERSION_UNSUPPORTED` */
export async function openPostgresSink(config: PostgresConfig, ports: SinkPorts): Promise<TelemetrySink> {
  const { db, log, clock, environment } = ports;
  const counts = { rows: 0, pruned: 0 };
  const { host, pathname } = new URL(config.url);
  const reach = await Reach.open({
    what: `PostgreSQL at ${decodeURIComponent(host)}${pathname}`,
    log,
    clock,
    async dial() {
      const postgres = await openPostgres(config, environment);
      try {
        await prepareTables(postgres, config.schema, log);
        counts.rows = (await stockOf(postgres, config.schema)).rows;
        return postgres;
      } catch (error) {
        await postgres[Symbol.asyncDispose]();
        throw error;
      }
    },
  });
  return new PostgresSink(reach, { db, schema: config.schema, counts });
}

interface Parts {
  readonly db: Database;
  readonly schema: string;
  readonly counts: { rows: number; pruned: number };
}

interface Waiting {
  readonly batch: Batch;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Telemetry in PostgreSQL. The numbers that have come are noted there as well, as ranges by node and epoch, in the
 * transaction that copies the rows: a repeat is dropped under the lock of its history, whether the answer to a commit
 * was lost, the cloud was killed before it noted the batch, its database came from a backup, or retention has taken the
 * rows since. A unique index would forget the last, and cost an entry for each row.
 *
 * Batches that come while one transaction is under way share the next one. There is at most one of each node.
 */
class PostgresSink implements TelemetrySink {
  readonly #reach: Reach<Postgres>;
  readonly #db: Database;
  readonly #schema: string;
  readonly #counts: Parts["counts"];
  #waiting: Waiting[] = [];
  #rolling: Promise<void> = Promise.resolve();
  #nextRoll: Promise<void> | undefined;
  #isWriting = false;

  constructor(reach: Reach<Postgres>, { db, schema, counts }: Parts) {
    this.#reach = reach;
    this.#db = db;
    this.#schema = schema;
    this.#counts = counts;
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
    if (batch.rows.length + batch.layouts.length > 0)
      await new Promise<void>((resolve, reject) => {
        this.#waiting.push({ batch, resolve, reject });
        if (!this.#isWriting) void this.#write();
      });
    await this.#db.commit(note);
  }

  async query({ namespace, device, sinceMs, untilMs }: Span, limit: number): Promise<readonly Kept[]> {
    const which = [namespace, device, momentOf(sinceMs), momentOf(untilMs), limit];
    const rows = await this.#reach.read((sql) =>
      sql.query<StoredRow>(
        `${this.#rowsWhere} and at >= $3 and at <= $4 order by telemetry.at desc, seq desc limit $5`,
        which,
      ),
    );
    return rows.map(keptOf).reverse();
  }

  async *scan({ namespace, device, sinceMs, untilMs }: Span): AsyncIterable<Kept> {
    let [at, id] = [sinceMs, "-1"];
    for (;;) {
      const which = [namespace, device, momentOf(at), id, momentOf(untilMs), PAGE_ROWS];
      const page = await this.#reach.read((sql) =>
        sql.query<StoredRow>(
          `${this.#rowsWhere} and at >= $3 and (at, telemetry.id) > ($3, $4::bigint) and at <= $5
           order by telemetry.at, telemetry.id limit $6`,
          which,
        ),
      );
      yield* page.map(keptOf);
      const last = page.at(-1);
      if (!last || page.length < PAGE_ROWS) return;
      [at, id] = [last.at, last.id];
    }
  }

  async summarize(span: Span, everyMs: number, properties: readonly string[]): Promise<readonly Bucket[]> {
    const buckets = new Buckets(everyMs);
    if (!isMinutes(everyMs)) {
      for await (const { at, body } of this.scan(span))
        for (const [property, value] of goodValues(body, properties)) buckets.add(property, at, value);
      return buckets.all();
    }
    const { namespace, device, sinceMs, untilMs } = wholeBuckets(span, everyMs);
    await this.#roll();
    const minutes = await this.#reach.read((sql) =>
      sql.query<Minute>(
        `select property, ${msOf("at")} as at, count::float8, numbers::float8, sum, min, max, last::text,
         ${msOf("last_at")} as "lastAt" from ${this.#schema}.minute join ${this.#schema}.series on series.id = series
         where namespace = $1 and device = $2 and at >= $3 and at <= $4 and ($5::text[] = '{}' or property = any ($5))`,
        [namespace, device, momentOf(sinceMs), momentOf(untilMs), properties],
      ),
    );
    for (const minute of minutes) mergeMinute(buckets, minute);
    return buckets.all();
  }

  async prune(retention: Retention, nowMs: number): Promise<void> {
    await this.#roll();
    const gone = await this.#reach.read((postgres) => prune(postgres, this.#schema, retention, nowMs));
    this.#counts.rows -= gone;
    this.#counts.pruned += gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reach[Symbol.asyncDispose]();
  }

  /** Rolls up what is here now. One after the other: whoever asks during one shares the next, and holds no connection. */
  #roll(): Promise<void> {
    this.#nextRoll ??= this.#rolling
      .catch(() => {})
      .then(() => {
        this.#nextRoll = undefined;
        this.#rolling = this.#reach.read((postgres) => rollUp(postgres, this.#schema));
        return this.#rolling;
      });
    return this.#nextRoll;
  }

  /** Writes what waits, a transaction after the other, until nothing does. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const group = this.#nextGroup();
      try {
        const batches = group.map(({ batch }) => batch);
        const write = (postgres: Postgres) => postgres.write((sql) => writeBatches(sql, this.#schema, batches));
        const kept = await this.#reach.write(write);
        this.#counts.rows += kept;
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#isWriting = false;
  }

  #nextGroup(): readonly Waiting[] {
    let [count, rows] = [0, 0];
    for (const { batch } of this.#waiting) {
      if (count > 0 && rows + batch.rows.length > MOST_ROWS) break;
      rows += batch.rows.length;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  get #rowsWhere(): string {
    return `select telemetry.id, node, epoch, seq::float8, ${msOf("telemetry.at")} as at,
      ${msOf("taken_at")} as "takenAt", body, layout, names
      from ${this.#schema}.telemetry join ${this.#schema}.source on source.id = source
      left join ${this.#schema}.layout on layout.id = layout where namespace = $1 and device = $2`;
  }
}

interface StoredRow {
  readonly id: string;
  readonly node: string;
  readonly epoch: string;
  readonly seq: number;
  readonly at: number;
  readonly takenAt: number;
  readonly body: string;
  readonly layout: string | null;
  readonly names: readonly string[] | null;
}

function keptOf({ node, epoch, seq, at, takenAt, body, layout, names }: StoredRow): Kept {
  const text = names === null ? null : JSON.stringify(names);
  return { node, epoch, seq, at, takenAt, body: parseBody({ at, body, layout, names: text }) };
}

/** SQL for the milliseconds of a time. */
function msOf(column: string): string {
  return `(extract(epoch from ${column}) * 1000)::float8`;
}
