import type { Database } from "#std/sqlite";

/** Something that was dropped or missed. Times are milliseconds since the epoch. */
export interface Gap {
  readonly namespace: string;
  /** Empty when the node did not say whose rows they were. */
  readonly device: string;
  readonly from: number;
  readonly to: number;
  /** Messages or visits, when that is known. */
  readonly count?: number | undefined;
  /** One of `gapReasons`, or what a newer node says. */
  readonly reason: string;
}

/** A gap with the rows that told it, or that it is of. */
export interface BookedGap extends Gap {
  readonly first: number;
  readonly last: number;
  readonly toldAt: number;
}

/** A gap with where it comes from. */
export interface ToldGap extends BookedGap {
  readonly node: string;
  readonly epoch: string;
}

export interface GapQuery {
  readonly namespace?: string | undefined;
  readonly device?: string | undefined;
  readonly sinceMs: number;
  readonly limit: number;
}

/**
 * The gap ledger: all that was ever dropped or missed, so that a hole in a history has a reason, and a history without
 * one is known to be whole. Nodes write it into their outbox, so it arrives exactly once, like everything else.
 */
export class Ledger {
  readonly #sql;
  readonly #totals = new Map<string, number>();

  constructor(db: Database) {
    this.#sql = prepare(db);
  }

  /** Gaps that were told since the start, by reason. */
  get totals(): ReadonlyMap<string, number> {
    return this.#totals;
  }

  /** Books a gap, within the caller's transaction. */
  add(source: number, { namespace, device, from, to, count, reason, first, last, toldAt }: BookedGap): void {
    this.#sql.add.run(source, namespace, device, from, to, count ?? null, reason, first, last, toldAt);
    this.#totals.set(reason, (this.#totals.get(reason) ?? 0) + 1);
  }

  /**
   * Gaps that ended in a span, the oldest first; with more than `limit`, the latest. None ends after it was told, also
   * when the clock of the node was wrong.
   */
  list({ namespace, device, sinceMs, limit }: GapQuery): readonly ToldGap[] {
    const rows = this.#sql.list.all({ namespace: namespace ?? null, device: device ?? null, sinceMs, limit });
    return rows.reverse().map(({ count, ...rest }) => (count === null ? rest : { ...rest, count }));
  }

  /** The gap of a device that ended last, if it ended after `sinceMs`. */
  last(namespace: string, device: string, sinceMs: number): ToldGap | undefined {
    return this.list({ namespace, device, sinceMs, limit: 1 })[0];
  }

  /** Devices whose gaps ended in a span: their condition may be another one now. */
  devices(sinceMs: number, untilMs: number): readonly Pick<Gap, "namespace" | "device">[] {
    return this.#sql.devices.all(sinceMs, untilMs);
  }

  /** Forgets old gaps, within the caller's transaction. */
  prune(beforeMs: number): void {
    this.#sql.prune.run(beforeMs);
  }
}

type StoredGap = Omit<ToldGap, "count"> & { readonly count: number | null };

function prepare(db: Database) {
  return {
    add: db.prepare(
      `insert into ledger (source, namespace, device, since, until, count, reason, first, last, told_at)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    list: db.prepare<[{ namespace: string | null; device: string | null; sinceMs: number; limit: number }], StoredGap>(
      `select node, epoch, namespace, device, since as "from", until as "to", count, reason, first, last,
       told_at as toldAt from ledger join source on source.id = source
       where (@namespace is null or namespace = @namespace) and (@device is null or device = @device)
       and until >= @sinceMs and told_at >= @sinceMs order by until desc, ledger.id desc limit @limit`,
    ),
    devices: db.prepare<[number, number], Pick<Gap, "namespace" | "device">>(
      "select distinct namespace, device from ledger where until >= ? and until <= ?",
    ),
    prune: db.prepare("delete from ledger where until < ?"),
  };
}
