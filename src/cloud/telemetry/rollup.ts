import type { Value } from "#devices/value";
import type { Database } from "#std/sqlite";
import { parseBody } from "./body.ts";
import { Buckets, goodValues } from "./buckets.ts";
import type { Span } from "./sink.ts";

/** Length of the buckets that are kept when the rows are gone. */
export const MINUTE_MS = 60_000;
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

interface MinuteRow {
  readonly property: string;
  readonly at: number;
  readonly count: number;
  readonly numbers: number;
  readonly sum: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly last: string;
  readonly lastAt: number;
}

/**
 * Minutes of what the rows said. Each row is taken in once, in the order of arrival, whenever it came: the number of
 * the last one is written in the same transaction, so late rows and kills leave the sums right.
 */
export class Rollup {
  readonly #db: Database;
  readonly #sql;

  constructor(db: Database) {
    this.#db = db;
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
  *read({ namespace, device, sinceMs, untilMs }: Span): Iterable<MinuteRow> {
    yield* this.#sql.read.iterate(namespace, device, sinceMs - (sinceMs % MINUTE_MS), untilMs);
  }

  /** Forgets old minutes, within the caller's transaction. */
  prune(beforeMs: number): void {
    this.#sql.prune.run(beforeMs);
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
    for (const { row, buckets } of byDevice.values()) this.#write(row, buckets);
    this.#sql.setRolled.run(last.id);
    return rows.length;
  }

  #write({ namespace, device }: RawRow, buckets: Buckets): void {
    for (const [property, at, { count, numbers, sum, min, max, last, lastAt }] of buckets.sums()) {
      this.#sql.addSeries.run(namespace, device, property);
      const { id = 0 } = this.#sql.series.get(namespace, device, property) ?? {};
      const [least, most] = numbers > 0 ? [min, max] : [null, null];
      this.#sql.add.run(id, at, count, numbers, sum, least, most, JSON.stringify(last), lastAt);
    }
  }
}

/** The value that a minute ended with. */
export function lastOf({ last }: MinuteRow): Value {
  return JSON.parse(last) as Value;
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
    addSeries: db.prepare("insert or ignore into series (namespace, device, property) values (?, ?, ?)"),
    series: db.prepare<[string, string, string], { id: number }>(
      "select id from series where namespace = ? and device = ? and property = ?",
    ),
    add: db.prepare(
      `insert into minute values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do update set
       count = count + excluded.count, numbers = numbers + excluded.numbers, sum = sum + excluded.sum,
       min = coalesce(min(min, excluded.min), min, excluded.min),
       max = coalesce(max(max, excluded.max), max, excluded.max),
       last = iif(excluded.last_at >= last_at, excluded.last, last), last_at = max(last_at, excluded.last_at)`,
    ),
    read: db.prepare<[string, string, number, number], MinuteRow>(
      `select property, at, count, numbers, sum, min, max, last, last_at as lastAt
       from minute join series on series.id = series where namespace = ? and device = ? and at >= ? and at <= ?`,
    ),
    prune: db.prepare("delete from minute where at < ?"),
  };
}
