import { Bell } from "#std/bell";
import { Fault } from "#std/fault";
import type { Database } from "#std/sqlite";
import type { Range, Row } from "#wire/messages";
import { type Layout, layoutOf, unpack } from "#wire/pack";
import { add, gaps, has, rangesOf } from "#wire/ranges";

/** One telemetry message of a device as it was told. */
export interface Told {
  readonly node: string;
  readonly epoch: string;
  readonly seq: number;
  readonly at: number;
  /** The parsed body: see the topic `telemetry`. */
  readonly body: unknown;
}

/** Which part of a history. */
export interface Span {
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** @default 1000 */
  readonly limit?: number;
}

/** An event that waits for its Kubernetes Event. */
export interface OpenEvent extends Row {
  readonly id: number;
  readonly node: string;
  readonly epoch: string;
}

/** How much telemetry is kept. What is over a limit goes, the oldest arrival first, and is counted. */
export interface Retention {
  readonly keepMs: number;
  readonly keepRows: number;
  readonly keepBytes: number;
}

const MOST_TOLD = 10_000;
/** Holes in what a node told, beyond which it is not a node that tells. */
const MOST_RANGES = 10_000;
const MOST_OPEN_EVENTS = 100_000;
const PRUNE_ROWS = 5_000;

/**
 * What the nodes told, each row once: whether a sequence number was seen is remembered in the same transaction as the
 * row itself, so neither a repeat nor a kill at any moment makes two of one or loses one.
 */
export class Reports {
  /** Rings when an event waits. */
  readonly events = new Bell();
  readonly #db: Database;
  readonly #sql;
  #rows: number;
  #openEvents: number;
  readonly #counts = { repeats: 0, pruned: 0, eventsDropped: 0, missing: 0 };

  constructor(db: Database) {
    this.#db = db;
    this.#sql = prepare(db);
    this.#rows = this.#sql.count.get()?.count ?? 0;
    this.#openEvents = this.#sql.countEvents.get()?.count ?? 0;
  }

  /** Telemetry rows that are kept now. */
  get rows(): number {
    return this.#rows;
  }
  /** Events that wait for the cluster. */
  get openEvents(): number {
    return this.#openEvents;
  }
  /** Since the start: rows that came again, rows that retention took, events dropped, rows that will never come. */
  get counts(): Readonly<{ repeats: number; pruned: number; eventsDropped: number; missing: number }> {
    return this.#counts;
  }

  /** All that is here of a node's history. */
  have(node: string, epoch: string): readonly Range[] {
    const { ranges } = this.#sql.source.get(node, epoch) ?? {};
    return ranges === undefined ? [] : (JSON.parse(ranges) as Range[]);
  }

  /**
   * Stores what is new among the rows. When it resolves they are on disk, and the ranges that it returns may be told.
   * @throws {Fault} `FRAME_INVALID` when the node leaves too many holes.
   */
  async take(
    node: string,
    epoch: string,
    rows: readonly Row[],
    nowMs: number,
    layouts: readonly Layout[] = [],
  ): Promise<readonly Range[]> {
    checkLayouts(node, layouts);
    const told = rangesOf(rows.map(({ seq }) => seq));
    const stored = await this.#db.commit(() => {
      const source = this.#source(node, epoch, nowMs);
      let stored = { telemetry: 0, events: 0, repeats: 0 };
      let { ranges } = source;
      for (const { id, names } of layouts) this.#sql.insertLayout.run(id, JSON.stringify(names));
      for (const row of rows) {
        if (has(ranges, row.seq)) {
          stored = { ...stored, repeats: stored.repeats + 1 };
          continue;
        }
        ranges = add(ranges, [row.seq, row.seq]);
        const { seq, namespace, device, at, body } = row;
        if (row.kind === "event") {
          this.#sql.insertEvent.run(source.id, seq, namespace, device, at, body);
          stored.events++;
        } else {
          this.#sql.insert.run(source.id, seq, namespace, device, at, body, nowMs, row.layout ?? null);
          stored.telemetry++;
        }
      }
      this.#remember(source.id, node, ranges, nowMs);
      return stored;
    });
    this.#rows += stored.telemetry;
    this.#counts.repeats += stored.repeats;
    if (stored.events > 0) await this.#queued(stored.events);
    return told;
  }

  /** Notes that rows will never come. They count as here, so that nobody waits for them. */
  async miss(node: string, epoch: string, lost: readonly Range[], reason: string, nowMs: number): Promise<void> {
    const missing = await this.#db.commit(() => {
      const source = this.#source(node, epoch, nowMs);
      let { ranges } = source;
      let missing = 0;
      for (const [from, to] of lost) {
        for (const [first, last] of gaps(ranges, from, to)) {
          this.#sql.insertGap.run(source.id, first, last, reason, nowMs);
          missing += last - first + 1;
        }
        ranges = add(ranges, [from, to]);
      }
      this.#remember(source.id, node, ranges, nowMs);
      return missing;
    });
    this.#counts.missing += missing;
  }

  /** The telemetry of a device, the oldest first; with more than `limit` in the span, the latest of it. */
  history(namespace: string, device: string, { sinceMs = 0, untilMs, limit = 1000 }: Span = {}): readonly Told[] {
    const until = untilMs ?? Number.MAX_SAFE_INTEGER;
    const rows = this.#sql.history.all(namespace, device, sinceMs, until, Math.min(limit, MOST_TOLD));
    return rows.reverse().map(({ body, layout, names, ...rest }) => ({
      ...rest,
      body: layout !== null && names !== null ? unpackBody({ id: layout, names }, rest.at, body) : parseBody(body),
    }));
  }

  /** The holes that nodes told of. */
  gaps(node: string): readonly { readonly epoch: string; readonly range: Range; readonly reason: string }[] {
    return this.#sql.gaps.all(node).map(({ epoch, first, last, reason }) => ({ epoch, range: [first, last], reason }));
  }

  /** Events that wait, the oldest first. */
  readEvents(limit: number): readonly OpenEvent[] {
    return this.#sql.openEvents.all(limit);
  }

  /** The event is in the cluster, or can not be. */
  async closeEvent(id: number, { dropped }: { readonly dropped: boolean }): Promise<void> {
    await this.#db.commit(() => this.#sql.closeEvent.run(id));
    this.#openEvents--;
    if (dropped) this.#counts.eventsDropped++;
  }

  /** Takes away what is over the limits, a batch at a time, so that nobody waits long for it. */
  async prune({ keepMs, keepRows, keepBytes }: Retention, nowMs: number): Promise<void> {
    for (;;) {
      const oldest = this.#sql.oldest.get()?.takenAt;
      const tooMany = this.#rows > keepRows || this.#bytes() > keepBytes;
      if (oldest === undefined || (oldest >= nowMs - keepMs && !tooMany)) break;
      // By number, one batch may go a little below the limit; by age, only what is too old goes.
      const before = tooMany ? Number.MAX_SAFE_INTEGER : nowMs - keepMs;
      const excess = Math.max(this.#rows - keepRows, this.#bytes() > keepBytes ? PRUNE_ROWS : 0);
      const most = tooMany ? Math.min(PRUNE_ROWS, excess) : PRUNE_ROWS;
      const { changes } = await this.#db.commit(() => this.#sql.prune.run(before, most));
      this.#rows -= changes;
      this.#counts.pruned += changes;
      if (changes === 0) break;
    }
    await this.#db.commit(() => {
      this.#sql.pruneEvents.run(nowMs - keepMs);
      this.#sql.pruneGaps.run(nowMs - keepMs);
    });
  }

  /** Bytes in use; pages that were freed are used again before the file grows. */
  #bytes(): number {
    const { pages = 0, free = 0, size = 0 } = this.#sql.pages.get() ?? {};
    return (pages - free) * size;
  }

  #source(node: string, epoch: string, nowMs: number): { readonly id: number; readonly ranges: readonly Range[] } {
    this.#sql.insertSource.run(node, epoch, nowMs);
    const { id = 0, ranges = "[]" } = this.#sql.source.get(node, epoch) ?? {};
    return { id, ranges: JSON.parse(ranges) as Range[] };
  }

  #remember(source: number, node: string, ranges: readonly Range[], nowMs: number): void {
    if (ranges.length > MOST_RANGES)
      throw new Fault("FRAME_INVALID", `${node} left over ${MOST_RANGES} holes in its rows`, { node });
    this.#sql.remember.run(JSON.stringify(ranges), nowMs, source);
  }

  async #queued(count: number): Promise<void> {
    this.#openEvents += count;
    const excess = this.#openEvents - MOST_OPEN_EVENTS;
    if (excess > 0) {
      const { changes } = await this.#db.commit(() => this.#sql.dropEvents.run(excess));
      this.#openEvents -= changes;
      this.#counts.eventsDropped += changes;
    }
    this.events.ring();
  }
}

function unpackBody({ id, names }: { id: string; names: string }, at: number, body: string): unknown {
  return unpack({ id, names: JSON.parse(names) as string[] }, at, body);
}

/** A layout is shared by all nodes, so none may give a name of its own to what others mean by it. */
function checkLayouts(node: string, layouts: readonly Layout[]): void {
  const wrong = layouts.find(({ id, names }) => layoutOf(names).id !== id);
  if (wrong)
    throw new Fault("FRAME_INVALID", `${node} sent a layout ${wrong.id} that does not fit its names`, { node });
}

function parseBody(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function prepare(db: Database) {
  return {
    count: db.prepare<[], { count: number }>("select count(*) as count from telemetry"),
    countEvents: db.prepare<[], { count: number }>("select count(*) as count from event where done = 0"),
    source: db.prepare<[string, string], { id: number; ranges: string }>(
      "select id, ranges from source where node = ? and epoch = ?",
    ),
    insertSource: db.prepare("insert or ignore into source (node, epoch, ranges, at) values (?, ?, '[]', ?)"),
    remember: db.prepare("update source set ranges = ?, at = ? where id = ?"),
    insert: db.prepare(
      `insert into telemetry (source, seq, namespace, device, at, body, taken_at, layout)
       values (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    insertLayout: db.prepare("insert or ignore into layout values (?, ?)"),
    insertGap: db.prepare("insert into gap (source, first, last, reason, at) values (?, ?, ?, ?, ?)"),
    gaps: db.prepare<[string], { epoch: string; first: number; last: number; reason: string }>(
      "select epoch, first, last, reason from gap join source on source.id = source where node = ? order by gap.id",
    ),
    history: db.prepare<
      [string, string, number, number, number],
      {
        node: string;
        epoch: string;
        seq: number;
        at: number;
        body: string;
        layout: string | null;
        names: string | null;
      }
    >(
      `select node, epoch, seq, telemetry.at as at, body, layout, names
       from telemetry join source on source.id = source left join layout on layout.id = layout
       where namespace = ? and device = ? and telemetry.at >= ? and telemetry.at <= ?
       order by telemetry.at desc, seq desc limit ?`,
    ),
    insertEvent: db.prepare("insert into event (source, seq, namespace, device, at, body) values (?, ?, ?, ?, ?, ?)"),
    openEvents: db.prepare<[number], OpenEvent>(
      `select event.id as id, node, epoch, seq, namespace, device, 'event' as kind, event.at as at, body
       from event join source on source.id = source where done = 0 order by event.id limit ?`,
    ),
    closeEvent: db.prepare("update event set done = 1 where id = ?"),
    dropEvents: db.prepare(
      "update event set done = 1 where id in (select id from event where done = 0 order by id limit ?)",
    ),
    pruneEvents: db.prepare("delete from event where done = 1 and at < ?"),
    pruneGaps: db.prepare("delete from gap where at < ?"),
    oldest: db.prepare<[], { takenAt: number }>("select taken_at as takenAt from telemetry order by id limit 1"),
    prune: db.prepare(
      `delete from telemetry where id in
       (select id from telemetry where taken_at < ? order by taken_at, id limit ?)`,
    ),
    pages: db.prepare<[], { pages: number; free: number; size: number }>(
      `select page_count as pages, freelist_count as free, page_size as size
       from pragma_page_count, pragma_freelist_count, pragma_page_size`,
    ),
  };
}
