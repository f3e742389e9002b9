import { Bell } from "#std/bell";
import { Fault } from "#std/fault";
import type { Database } from "#std/sqlite";
import { type GapBody, gapBody, type Lost, type Range, type Row } from "#wire/messages";
import { type Layout, layoutOf } from "#wire/pack";
import { add, gaps, has, rangesOf, union } from "#wire/ranges";
import { parseBody } from "../telemetry/body.ts";
import { Ledger } from "../telemetry/ledger.ts";
import type { Batch, Kept, Retention, TelemetrySink } from "../telemetry/sink.ts";
import { SqliteSink } from "../telemetry/sqlite-sink.ts";

/** Rows that a limit of the node dropped. */
interface Missing {
  readonly ranges: readonly Range[];
  readonly reason: string;
  readonly lost?: readonly Lost[] | undefined;
}

/** Which part of a history. */
export interface Part {
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** @default 1000 */
  readonly limit?: number;
}

/** Someone who wants the new messages of a device. */
export interface Follower {
  readonly namespace: string;
  readonly device: string;
  take(message: Kept): void;
}

/** An event that waits for its Kubernetes Event. */
export interface OpenEvent extends Row {
  readonly id: number;
  readonly node: string;
  readonly epoch: string;
}

const MOST_TOLD = 10_000;
/** Holes in what a node told, beyond which it is not a node that tells. */
const MOST_RANGES = 10_000;
const MOST_OPEN_EVENTS = 100_000;

/**
 * What the nodes told, each row once: whether a sequence number was seen is remembered in the same transaction as the
 * row itself, so neither a repeat nor a kill at any moment makes two of one or loses one.
 */
export class Reports {
  /** Rings when an event waits. */
  readonly events = new Bell();
  readonly ledger: Ledger;
  readonly sink: TelemetrySink;
  readonly #db: Database;
  readonly #sql;
  readonly #followers = new Set<Follower>();
  #openEvents: number;
  readonly #counts = { repeats: 0, eventsDropped: 0, missing: 0 };

  /** @param sink - where telemetry goes; without it, into the same database. */
  constructor(db: Database, sink: TelemetrySink = new SqliteSink(db)) {
    this.#db = db;
    this.#sql = prepare(db);
    this.sink = sink;
    this.ledger = new Ledger(db);
    this.#openEvents = this.#sql.countEvents.get()?.count ?? 0;
  }

  /** Telemetry rows that are kept now. */
  get rows(): number {
    return this.sink.rows;
  }
  /** Events that wait for the cluster. */
  get openEvents(): number {
    return this.#openEvents;
  }
  /** Since the start: rows that came again, rows that retention took, events dropped, rows that will never come. */
  get counts(): Readonly<{ repeats: number; pruned: number; eventsDropped: number; missing: number }> {
    return { ...this.#counts, pruned: this.sink.pruned };
  }

  /** Tells every new message of a device, once it is on disk, until what it returns is disposed. */
  follow(follower: Follower): Disposable {
    this.#followers.add(follower);
    return { [Symbol.dispose]: () => void this.#followers.delete(follower) };
  }

  /** All that is here of a node's history. */
  have(node: string, epoch: string): readonly Range[] {
    const { ranges } = this.#sql.source.get(node, epoch) ?? {};
    return ranges === undefined ? [] : (JSON.parse(ranges) as Range[]);
  }

  /**
   * Stores what is new among the rows. When it resolves they are on disk, and the ranges that it returns may be told.
   * @param own - those that the node may say; the numbers of the others are noted, so that it does not repeat them.
   * @throws {Fault} `FRAME_INVALID` when the node leaves too many holes.
   */
  async take(
    node: string,
    epoch: string,
    rows: readonly Row[],
    nowMs: number,
    layouts: readonly Layout[] = [],
    own: readonly Row[] = rows,
  ): Promise<readonly Range[]> {
    checkLayouts(node, layouts);
    const told = rangesOf(rows.map(({ seq }) => seq));
    const have = this.have(node, epoch);
    // Before anything is kept elsewhere: an engine would fill up with rows that can never be noted.
    checkHoles(node, union(have, told));
    const rowsToKeep = own.filter(({ kind, seq }) => kind === "telemetry" && !has(have, seq));
    const batch = { node, epoch, rows: rowsToKeep, layouts, have, takenAt: nowMs };
    let fresh: readonly Row[] = [];
    await this.sink.append(batch, () => {
      for (const { id, names } of layouts) this.#sql.insertLayout.run(id, JSON.stringify(names));
      fresh = this.#note(node, epoch, told, own, nowMs);
      return fresh.filter(({ kind }) => kind === "telemetry");
    });
    this.#counts.repeats += own.length - fresh.length;
    const events = fresh.filter(({ kind }) => kind === "event").length;
    if (events > 0) await this.#queued(events);
    for (const follower of this.#followers) this.#tell(follower, batch, fresh);
    return told;
  }

  /** Notes that rows will never come. They count as here, so that nobody waits for them. */
  async miss(
    node: string,
    epoch: string,
    { ranges: lost, reason, lost: devices }: Missing,
    nowMs: number,
  ): Promise<void> {
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
      if (missing > 0) this.#book(source.id, { ranges: lost, reason, lost: devices }, nowMs);
      return missing;
    });
    this.#counts.missing += missing;
  }

  /** The telemetry of a device, the oldest first; with more than `limit` in the span, the latest of it. */
  history(
    namespace: string,
    device: string,
    { sinceMs = 0, untilMs = Number.MAX_SAFE_INTEGER, limit = 1000 }: Part = {},
  ): Promise<readonly Kept[]> {
    return this.sink.query({ namespace, device, sinceMs, untilMs }, Math.min(limit, MOST_TOLD));
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
    // One that was dropped for being too many meanwhile is not counted again.
    const { changes } = await this.#db.commit(() => this.#sql.closeEvent.run(id));
    this.#openEvents -= changes;
    if (changes === 0) return;
    if (dropped) this.#counts.eventsDropped++;
  }

  /** Takes away what is over the limits: telemetry, events that are told, and what the ledger says of that time. */
  async prune(retention: Retention, nowMs: number): Promise<void> {
    const { keepMs, keepMinutesMs = keepMs } = retention;
    await this.sink.prune(retention, nowMs);
    await this.#db.commit(() => {
      this.#sql.pruneEvents.run(nowMs - keepMs);
      this.#sql.pruneGaps.run(nowMs - keepMinutesMs);
      this.ledger.prune(nowMs - keepMinutesMs);
    });
  }

  /** Notes which rows are here, within the caller's transaction; returns those that were not. */
  #note(node: string, epoch: string, told: readonly Range[], rows: readonly Row[], nowMs: number): readonly Row[] {
    const source = this.#source(node, epoch, nowMs);
    let { ranges } = source;
    const fresh: Row[] = [];
    for (const row of rows) {
      if (has(ranges, row.seq)) continue;
      ranges = add(ranges, [row.seq, row.seq]);
      fresh.push(row);
      const { seq, namespace, device, at, body } = row;
      if (row.kind === "event") this.#sql.insertEvent.run(source.id, seq, namespace, device, at, body);
      if (row.kind === "gap")
        this.ledger.add(source.id, { ...gapOf(row), namespace, device, first: seq, last: seq, toldAt: nowMs });
    }
    for (const range of told) ranges = add(ranges, range);
    this.#remember(source.id, node, ranges, nowMs);
    return fresh;
  }

  #tell({ namespace, device, take }: Follower, { node, epoch, takenAt }: Batch, fresh: readonly Row[]): void {
    for (const { seq, at, body, layout = null, ...of } of fresh) {
      if (of.kind !== "telemetry" || of.namespace !== namespace || of.device !== device) continue;
      const { names = null } = layout === null ? {} : (this.#sql.layout.get(layout) ?? {});
      take({ node, epoch, seq, at, takenAt, body: parseBody({ at, body, layout, names }) });
    }
  }

  /** Books dropped rows by device; a node that does not say whose they were gets one line without a device. */
  #book(source: number, { ranges, reason, lost = [] }: Missing, nowMs: number): void {
    const [first, last] = [ranges[0]?.[0] ?? 0, ranges.at(-1)?.[1] ?? 0];
    const whole = { namespace: "", device: "", from: nowMs, to: nowMs, count: last - first + 1 };
    for (const each of lost.length > 0 ? lost : [whole])
      this.ledger.add(source, { ...each, reason, first, last, toldAt: nowMs });
  }

  #source(node: string, epoch: string, nowMs: number): { readonly id: number; readonly ranges: readonly Range[] } {
    this.#sql.insertSource.run(node, epoch, nowMs);
    const { id = 0, ranges = "[]" } = this.#sql.source.get(node, epoch) ?? {};
    return { id, ranges: JSON.parse(ranges) as Range[] };
  }

  #remember(source: number, node: string, ranges: readonly Range[], nowMs: number): void {
    checkHoles(node, ranges);
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

function checkHoles(node: string, ranges: readonly Range[]): void {
  if (ranges.length > MOST_RANGES)
    throw new Fault("FRAME_INVALID", `${node} left over ${MOST_RANGES} holes in its rows`, { node });
}

/** A layout is shared by all nodes, so none may give a name of its own to what others mean by it. */
function checkLayouts(node: string, layouts: readonly Layout[]): void {
  const wrong = layouts.find(({ id, names }) => layoutOf(names).id !== id);
  if (wrong)
    throw new Fault("FRAME_INVALID", `${node} sent a layout ${wrong.id} that does not fit its names`, { node });
}

/** What a gap row says; one that nobody can read is a gap all the same. */
function gapOf({ at, body }: Row): GapBody {
  try {
    return gapBody.parse(JSON.parse(body));
  } catch {
    return { from: at, to: at, reason: "unreadable" };
  }
}

function prepare(db: Database) {
  return {
    countEvents: db.prepare<[], { count: number }>("select count(*) as count from event where done = 0"),
    source: db.prepare<[string, string], { id: number; ranges: string }>(
      "select id, ranges from source where node = ? and epoch = ?",
    ),
    insertSource: db.prepare("insert or ignore into source (node, epoch, ranges, at) values (?, ?, '[]', ?)"),
    remember: db.prepare("update source set ranges = ?, at = ? where id = ?"),
    layout: db.prepare<[string], { names: string }>("select names from layout where id = ?"),
    insertLayout: db.prepare("insert or ignore into layout values (?, ?)"),
    insertGap: db.prepare("insert into gap (source, first, last, reason, at) values (?, ?, ?, ?, ?)"),
    gaps: db.prepare<[string], { epoch: string; first: number; last: number; reason: string }>(
      "select epoch, first, last, reason from gap join source on source.id = source where node = ? order by gap.id",
    ),
    insertEvent: db.prepare("insert into event (source, seq, namespace, device, at, body) values (?, ?, ?, ?, ?, ?)"),
    openEvents: db.prepare<[number], OpenEvent>(
      `select event.id as id, node, epoch, seq, namespace, device, 'event' as kind, event.at as at, body
       from event join source on source.id = source where done = 0 order by event.id limit ?`,
    ),
    closeEvent: db.prepare("update event set done = 1 where id = ? and done = 0"),
    dropEvents: db.prepare(
      "update event set done = 1 where id in (select id from event where done = 0 order by id limit ?)",
    ),
    pruneEvents: db.prepare("delete from event where done = 1 and at < ?"),
    pruneGaps: db.prepare("delete from gap where at < ?"),
  };
}
