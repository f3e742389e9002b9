import type { Value } from "#devices/value";
import type { Database } from "#std/sqlite";
import type { Buckets } from "./buckets.ts";
import type { Span } from "./sink.ts";

/** Length of the buckets that are kept when the rows are gone. */
export const MINUTE_MS = 60_000;

/** A minute of a property as it is stored. */
export interface Minute {
  readonly property: string;
  readonly at: number;
  readonly count: number;
  readonly numbers: number;
  readonly sum: number;
  readonly min: number | null;
  readonly max: number | null;
  /** JSON text. */
  readonly last: string;
  readonly lastAt: number;
}

/** Whether buckets of this length can be made of minutes. */
export function isMinutes(everyMs: number): boolean {
  return everyMs % MINUTE_MS === 0;
}

/** The span from the begin of its first bucket. */
export function wholeBuckets(span: Span, everyMs: number): Span {
  return { ...span, sinceMs: span.sinceMs - (span.sinceMs % everyMs) };
}

/** Adds a minute to the buckets. */
export function mergeMinute(
  buckets: Buckets,
  { property, at, count, numbers, sum, min, max, last, lastAt }: Minute,
): void {
  const [least, most] = [min ?? Number.POSITIVE_INFINITY, max ?? Number.NEGATIVE_INFINITY];
  buckets.merge(property, at, { count, numbers, sum, min: least, max: most, last: JSON.parse(last) as Value, lastAt });
}

/** The minutes in the cloud's own database. What writes into it is called within the caller's transaction. */
export class Minutes {
  readonly #sql;

  constructor(db: Database) {
    this.#sql = prepare(db);
  }

  /** Adds what a device said; the buckets are of `MINUTE_MS`. */
  add({ namespace, device }: Pick<Span, "namespace" | "device">, buckets: Buckets): void {
    for (const [property, at, { count, numbers, sum, min, max, last, lastAt }] of buckets.sums()) {
      this.#sql.addSeries.run(namespace, device, property);
      const { id = 0 } = this.#sql.series.get(namespace, device, property) ?? {};
      const [least, most] = numbers > 0 ? [min, max] : [null, null];
      this.#sql.add.run(id, at, count, numbers, sum, least, most, JSON.stringify(last), lastAt);
    }
  }

  /** The minutes of a span. */
  *read({ namespace, device, sinceMs, untilMs }: Span): Iterable<Minute> {
    yield* this.#sql.read.iterate(namespace, device, sinceMs - (sinceMs % MINUTE_MS), untilMs);
  }

  /** Forgets old minutes. */
  prune(beforeMs: number): void {
    this.#sql.prune.run(beforeMs);
  }
}

function prepare(db: Database) {
  return {
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
    read: db.prepare<[string, string, number, number], Minute>(
      `select property, at, count, numbers, sum, min, max, last, last_at as lastAt
       from minute join series on series.id = series where namespace = ? and device = ? and at >= ? and at <= ?`,
    ),
    prune: db.prepare("delete from minute where at < ?"),
  };
}
