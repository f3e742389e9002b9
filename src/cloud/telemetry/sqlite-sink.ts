import type { Database } from "#std/sqlite";
import { parseBody, type StoredBody } from "./body.ts";
import { type Bucket, Buckets, goodValues } from "./buckets.ts";
import { isMinutes, mergeMinute, wholeBuckets } from "./minutes.ts";
import { Rollup } from "./rollup.ts";
import type { Batch, Kept, Note, Retention, Span, TelemetrySink } from "./sink.ts";

const PRUNE_ROWS = 5_000;
/** Rows that are read at once; others have their turn between two pages. */
const PAGE_ROWS = 1_000;

/** The default sink: telemetry in the cloud's own database, in one transaction with the list of what has come. */
export class SqliteSink implements TelemetrySink {
  readonly #db: Database;
  readonly #sql;
  readonly #rollup: Rollup;
  readonly isUp = true;
  #rows: number;
  #pruned = 0;

  constructor(db: Database) {
    this.#db = db;
    this.#sql = prepare(db);
    this.#rollup = new Rollup(db);
    this.#rows = this.#sql.count.get()?.count ?? 0;
  }

  get rows(): number {
    return this.#rows;
  }
  get pruned(): number {
    return this.#pruned;
  }

  async append({ node, epoch, takenAt }: Batch, note: Note): Promise<void> {
    const kept = await this.#db.commit(() => {
      const rows = note();
      const { id: source } = this.#sql.source.get(node, epoch) ?? {};
      for (const { seq, namespace, device, at, body, layout } of rows)
        this.#sql.insert.run(source, seq, namespace, device, at, body, takenAt, layout ?? null);
      return rows.length;
    });
    // Not in one with the wait: `+=` would read the sum before it, and forget what others added meanwhile.
    this.#rows += kept;
  }

  async query({ namespace, device, sinceMs, untilMs }: Span, limit: number): Promise<readonly Kept[]> {
    return this.#sql.latest.all(namespace, device, sinceMs, untilMs, limit).reverse().map(keptOf);
  }

  async *scan({ namespace, device, sinceMs, untilMs }: Span): AsyncIterable<Kept> {
    let [at, id] = [sinceMs, -1];
    for (;;) {
      const page = this.#sql.page.all(namespace, device, at, id, untilMs, PAGE_ROWS);
      for (const row of page) yield keptOf(row);
      const last = page.at(-1);
      if (!last || page.length < PAGE_ROWS) return;
      [at, id] = [last.at, last.id];
      await new Promise(setImmediate);
    }
  }

  async summarize(span: Span, everyMs: number, properties: readonly string[]): Promise<readonly Bucket[]> {
    const buckets = new Buckets(everyMs);
    if (isMinutes(everyMs)) {
      // Whatever is in the minutes need not be read from the rows, which may be gone already.
      await this.#rollup.roll();
      for (const minute of this.#rollup.read(wholeBuckets(span, everyMs)))
        if (properties.length === 0 || properties.includes(minute.property)) mergeMinute(buckets, minute);
    } else {
      for await (const { at, body } of this.scan(span))
        for (const [property, value] of goodValues(body, properties)) buckets.add(property, at, value);
    }
    return buckets.all();
  }

  async prune({ keepMs, keepRows, keepBytes, keepMinutesMs = keepMs }: Retention, nowMs: number): Promise<void> {
    await this.#rollup.roll();
    for (;;) {
      const oldest = this.#sql.oldest.get()?.takenAt;
      const tooMany = this.#rows > keepRows || this.#bytes() > keepBytes;
      if (oldest === undefined || (oldest >= nowMs - keepMs && !tooMany)) break;
      // By number, one batch may go a little below the limit; by age, only what is too old goes.
      const before = tooMany ? Number.MAX_SAFE_INTEGER : nowMs - keepMs;
      const excess = Math.max(this.#rows - keepRows, this.#bytes() > keepBytes ? PRUNE_ROWS : 0);
      const most = tooMany ? Math.min(PRUNE_ROWS, excess) : PRUNE_ROWS;
      const { changes } = await this.#db.commit(() => {
        const done = this.#sql.prune.run(before, this.#rollup.rolled, most);
        this.#rollup.rowsWent();
        return done;
      });
      this.#rows -= changes;
      this.#pruned += changes;
      if (changes === 0) break;
    }
    await this.#db.commit(() => this.#rollup.prune(nowMs - keepMinutesMs));
  }

  /** Nothing: the database is the cloud's. */
  async [Symbol.asyncDispose](): Promise<void> {}

  /** Bytes in use; pages that were freed are used again before the file grows. */
  #bytes(): number {
    const { pages = 0, free = 0, size = 0 } = this.#sql.pages.get() ?? {};
    return (pages - free) * size;
  }
}

interface StoredRow extends StoredBody {
  readonly id: number;
  readonly node: string;
  readonly epoch: string;
  readonly seq: number;
  readonly takenAt: number;
}

function keptOf(row: StoredRow): Kept {
  const { node, epoch, seq, at, takenAt } = row;
  return { node, epoch, seq, at, takenAt, body: parseBody(row) };
}

function prepare(db: Database) {
  const rows = `select telemetry.id as id, node, epoch, seq, telemetry.at as at, taken_at as takenAt, body, layout, names
    from telemetry join source on source.id = source left join layout on layout.id = layout
    where namespace = ? and device = ?`;
  return {
    count: db.prepare<[], { count: number }>("select count(*) as count from telemetry"),
    source: db.prepare<[string, string], { id: number }>("select id from source where node = ? and epoch = ?"),
    insert: db.prepare(
      `insert into telemetry (source, seq, namespace, device, at, body, taken_at, layout)
       values (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    latest: db.prepare<[string, string, number, number, number], StoredRow>(
      `${rows} and telemetry.at >= ? and telemetry.at <= ? order by telemetry.at desc, seq desc limit ?`,
    ),
    page: db.prepare<[string, string, number, number, number, number], StoredRow>(
      `${rows} and (telemetry.at, telemetry.id) > (?, ?) and telemetry.at <= ?
       order by telemetry.at, telemetry.id limit ?`,
    ),
    oldest: db.prepare<[], { takenAt: number }>("select taken_at as takenAt from telemetry order by id limit 1"),
    prune: db.prepare(
      `delete from telemetry where id in
       (select id from telemetry where taken_at < ? and id <= ? order by taken_at, id limit ?)`,
    ),
    pages: db.prepare<[], { pages: number; free: number; size: number }>(
      `select page_count as pages, freelist_count as free, page_size as size
       from pragma_page_count, pragma_freelist_count, pragma_page_size`,
    ),
  };
}
