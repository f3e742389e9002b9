import type { Database } from "#std/sqlite";
import { parseBody } from "./body.ts";
import { Buckets, goodValues } from "./buckets.ts";
import { MINUTE_MS, type Minute, Minutes } from "./minutes.ts";
import type { Span } from "./sink.ts";

/** Rows per transaction: a few milliseconds, so that nobody waits long for it. */
const BATCH_ROWS = 1_000;

interface RawRow {
  readonly id: number;
  readonly namespace: string;
  readonly device: string;
  readonly at: number;
  readonly body: string;
  readonly layout: string | null;
  readonly names: string | null;
}

/**
 * Minutes of what the rows said. Each row is taken in once, in the order of arrival, whenever it came: the number of
 * the last one is written in the same transaction, so late rows and kills leave the sums right.
 */
export class Rollup {
  readonly #db: Database;
  readonly #minutes: Minutes;
  readonly #sql;

  constructor(db: Database) {
    this.#db = db;
    this.#minutes = new Minutes(db);
    this.#sql = prepare(db);
  }

  /** Rows up to this one are in. */
  get rolled(): number {
    return this.#sql.rolled.get()?.id ?? 0;
  }

  /** Takes in all rows that are new. */
  async roll(): Promise<void> {
    while ((await this.#db.commit(() => this.#rollSome())) === BATCH_ROWS);
  }

  /** The minutes of a span that are in. */
  read(span: Span): Iterable<Minute> {
    return this.#minutes.read(span);
  }

  /** Forgets old minutes, within the caller's transaction. */
  prune(beforeMs: number): void {
    this.#minutes.prune(beforeMs);
  }

  /** Row numbers may be used again when the newest rows went, within the caller's transaction. */
  rowsWent(): void {
    this.#sql.rowsWent.run();
  }

  #rollSome(): number {
    const rows = this.#sql.raw.all(this.rolled, BATCH_ROWS);
    const last = rows.at(-1);
    if (!last) return 0;
    const byDevice = new Map<string, { readonly row: RawRow; readonly buckets: Buckets }>();
    for (const row of rows) {
      const key = `${row.namespace}/${row.device}`;
      const { buckets } = byDevice.get(key) ?? {};
      const into = buckets ?? new Buckets(MINUTE_MS);
      if (!buckets) byDevice.set(key, { row, buckets: into });
      for (const [property, value] of goodValues(parseBody(row), [])) into.add(property, row.at, value);
    }
    for (const { row, buckets } of byDevice.values()) this.#minutes.add(row, buckets);
    this.#sql.setRolled.run(last.id);
    return rows.length;
  }
}

function prepare(db: Database) {
  return {
    rolled: db.prepare<[], { id: number }>("select id from rolled"),
    setRolled: db.prepare("update rolled set id = ?"),
    rowsWent: db.prepare("update rolled set id = min(id, (select coalesce(max(id), 0) from telemetry))"),
    raw: db.prepare<[number, number], RawRow>(
      `select telemetry.id as id, namespace, device, at, body, layout, names
       from telemetry left join layout on layout.id = layout where telemetry.id > ? order by telemetry.id limit ?`,
    ),
  };
}
