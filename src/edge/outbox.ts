import { Bell } from "#std/bell";
import { Fault } from "#std/fault";
import type { Database } from "#std/sqlite";
import { FRAME_LIMIT_BYTES } from "#wire/frame";
import type { Lost, Range, Row } from "#wire/messages";
import type { Layout } from "#wire/pack";
import { prepareOutbox, ROW_BYTES } from "./outbox-sql.ts";

/** How much may wait for the cloud. What is over the limit goes, the oldest first, and is told. */
export interface OutboxLimits {
  /** Bytes of bodies. */
  readonly limitBytes: number;
  /** Age of a row, in milliseconds. */
  readonly limitMs: number;
}

/** Rows that were dropped and that the cloud must hear of. */
export interface Dropped {
  readonly range: Range;
  readonly reason: string;
  /** Telemetry among them, by device. */
  readonly lost: readonly Lost[];
}

/**
 * Rows of different devices share a commit when they come this close together: with a hundred devices it saves most of
 * the disk's work, and flash lives longer.
 */
const GATHER_MS = 10;

/** A row as it comes, with its layout when its body is packed. */
export interface NewRow extends Omit<Row, "seq" | "layout"> {
  readonly layout?: Layout;
}

/** Rows up to a number are not too old before a time. */
interface Hold {
  readonly seq: number;
  readonly untilMs: number;
}

interface Totals {
  readonly rows: number;
  readonly bytes: number;
  readonly head: number;
  readonly dropped: number;
}

/** Share of the age limit by which a row may be older: rows go in batches, so that the ledger has few lines. */
const AGE_SLACK = 1 / 1_000;
/** A frame carries it with room to spare, uncompressed and with its names. */
const MOST_ROW_BYTES = FRAME_LIMIT_BYTES / 4;

/**
 * What the cloud must get exactly once: numbered, durable, in order. `append` promises; the uplink reads and, when the
 * cloud has a row on its own disk, takes it away.
 */
export class Outbox {
  /** Rings when there is more to send. */
  readonly bell = new Bell();
  readonly #db: Database;
  readonly #limits: OutboxLimits;
  readonly #sql;
  readonly #sources = new Map<string, number>();
  #totals: Totals;
  /** The totals of the last commit that is on disk. What is beyond may be read, but not told to anybody. */
  #settled: Totals;
  #isUnsure = false;
  /** The head when the file was opened, until the cloud has said what it has. */
  #opened: number | undefined;
  #hold: Hold | undefined;

  constructor(db: Database, limits: OutboxLimits) {
    this.#db = db;
    this.#limits = limits;
    this.#sql = prepareOutbox(db);
    this.#totals = this.#count(0);
    this.#settled = this.#totals;
    this.#opened = this.#totals.head;
    const hold = this.#sql.hold.get()?.value;
    this.#hold = hold === undefined ? undefined : (JSON.parse(hold) as Hold);
  }

  /** Highest sequence number that is on disk. */
  get head(): number {
    return this.#settled.head;
  }
  /** Rows that wait. */
  get rows(): number {
    return this.#totals.rows;
  }
  get bytes(): number {
    return this.#totals.bytes;
  }
  /** Rows that a limit dropped since the start. */
  get dropped(): number {
    return this.#totals.dropped;
  }

  /**
   * Adds a row; `also` runs in the same transaction. Resolves when both are on disk.
   * @throws {Fault} `OVERLOADED` when the row is too large to be sent, `DISK_FULL`, `DISK_FAILED`.
   */
  async append({ layout, ...row }: NewRow, also?: () => void): Promise<void> {
    const bytes = Buffer.byteLength(row.body);
    if (bytes > MOST_ROW_BYTES)
      throw new Fault("OVERLOADED", `a row of ${row.device} has ${bytes} bytes, over the limit of ${MOST_ROW_BYTES}`);
    const work = () => {
      also?.();
      const source = this.#source(row, layout);
      const { lastInsertRowid } = this.#insert(source, row);
      const { rows, bytes: before, dropped } = this.#totals;
      this.#totals = { rows: rows + 1, bytes: before + bytes + ROW_BYTES, head: Number(lastInsertRowid), dropped };
      if (this.#totals.bytes > this.#limits.limitBytes) this.#dropOldest(row.at);
    };
    await this.#commit(work, GATHER_MS);
    this.bell.ring();
  }

  /** Rows numbered from..to, as many as fit the bytes and at least one, in order. */
  read(from: number, to: number, limitBytes: number): readonly Row[] {
    const rows: Row[] = [];
    let bytes = 0;
    for (const { layout, ...row } of this.#sql.read.iterate(from, to)) {
      bytes += Buffer.byteLength(row.body) + ROW_BYTES;
      if (rows.length > 0 && bytes > limitBytes) break;
      rows.push(layout === "" ? row : { ...row, layout });
    }
    return rows;
  }

  /** What packed rows mean. */
  layout(id: string): Layout | undefined {
    const { names } = this.#sql.layout.get(id) ?? {};
    return names === undefined ? undefined : { id, names: JSON.parse(names) as string[] };
  }

  /**
   * The cloud says what it has, and that may go. When it has numbers that this file had not given before it was opened,
   * the file has lost its last rows, such as by a damaged log, and what was written since has taken their numbers: it
   * gets new ones, or the cloud would take it for repeats.
   * @param unsaid - the first number that no process on this file can have told the cloud.
   * @returns true when the file had lost rows.
   */
  async meet(have: readonly Range[], unsaid = Number.POSITIVE_INFINITY): Promise<boolean> {
    const opened = this.#opened === undefined ? undefined : Math.min(this.#opened, unsaid - 1);
    const most = have.at(-1)?.[1] ?? 0;
    this.#opened = undefined;
    const isBehind = opened !== undefined && most > opened;
    if (isBehind)
      await this.#commit(() => {
        // By way of negative numbers, so that no row meets another on its way.
        this.#sql.moveAway.run(most - opened, opened);
        this.#sql.moveDropped.run(most - opened, most - opened, opened);
        this.#sql.moveBack.run();
        const head = Math.max(this.#totals.head, opened) + most - opened;
        this.#sql.insertHead.run();
        this.#sql.setHead.run(head);
        this.#totals = { ...this.#totals, head };
      });
    await this.take(have);
    return isBehind;
  }

  /** The cloud has these: they may go. */
  async take(ranges: readonly Range[]): Promise<void> {
    await this.#commit(() => {
      for (const [from, to] of ranges) this.#remove(from, to);
    });
  }

  /** Drops what is older than the limit. */
  async expire(nowMs: number): Promise<void> {
    const { limitMs } = this.#limits;
    const oldest = this.#sql.oldest.get();
    if (!oldest || oldest.at >= nowMs - limitMs * (1 + AGE_SLACK)) return;
    if (this.#hold && oldest.seq <= this.#hold.seq && nowMs < this.#hold.untilMs) return;
    await this.#commit(() => {
      let old: Range | undefined;
      // From the front and no further: a clock that was wrong for a while must not take the rows between along.
      for (const { seq, at } of this.#sql.oldest.iterate()) {
        if (at >= nowMs - limitMs) break;
        old = [old?.[0] ?? seq, seq];
      }
      if (old) this.#drop(old, "age limit", nowMs);
    });
  }

  /**
   * The wall clock was set forward, to this: what waits is not older for it, and gets the whole limit once more. A node
   * that begins in 1970 and learns the time later would drop all that it had.
   */
  async clockWasSet(nowMs: number): Promise<void> {
    const hold = { seq: this.#totals.head, untilMs: nowMs + this.#limits.limitMs };
    this.#hold = hold;
    await this.#db.commit(() => this.#sql.setHold.run(JSON.stringify(hold)));
  }

  /** What was dropped and not told yet. `told` forgets it once the cloud has heard. */
  untold(): Dropped[] {
    return this.#sql.untold.all().map(({ first, last, reason, lost }) => ({
      range: [first, last],
      reason,
      lost: JSON.parse(lost) as Lost[],
    }));
  }
  async told({ range }: Dropped): Promise<void> {
    await this.#db.commit(() => this.#sql.forget.run(...range));
  }

  #insert(source: number, { at, body }: Pick<Row, "at" | "body">) {
    try {
      return this.#sql.insert.run(source, at, body);
    } catch (error) {
      // The savepoint takes a new source back, so what is remembered of it must go too.
      this.#sources.clear();
      throw error;
    }
  }

  /** Number of a row's source; a new one is written within the caller's transaction. */
  #source({ namespace, device, kind }: Omit<NewRow, "layout">, layout: Layout | undefined): number {
    const key = `${namespace} ${device} ${kind} ${layout?.id ?? ""}`;
    const known = this.#sources.get(key);
    if (known !== undefined) return known;
    if (layout) this.#sql.addLayout.run(layout.id, JSON.stringify(layout.names));
    this.#sql.addSource.run(namespace, device, kind, layout?.id ?? "");
    const { id = 0 } = this.#sql.source.get(namespace, device, kind, layout?.id ?? "") ?? {};
    this.#sources.set(key, id);
    return id;
  }

  #count(dropped: number): Totals {
    const { rows = 0, bytes = 0 } = this.#sql.size.get() ?? {};
    return { rows, bytes, head: this.#sql.head.get()?.seq ?? 0, dropped };
  }

  /**
   * The totals follow the file, also when the disk said no half-way. They are counted anew once it works again, and not
   * at each failure: with a large backlog, that takes longer than the next commit is away.
   */
  async #commit(work: () => void, gatherMs = 0): Promise<void> {
    let isUndone = false;
    try {
      await this.#db.commit(() => {
        const before = this.#totals;
        try {
          work();
        } catch (error) {
          // Others share the transaction, and may be on disk all the same.
          this.#totals = before;
          isUndone = true;
          throw error;
        }
      }, gatherMs);
      if (this.#isUnsure) this.#totals = this.#count(this.#totals.dropped);
      this.#isUnsure = false;
      this.#settled = this.#totals;
    } catch (error) {
      if (!isUndone) {
        this.#totals = this.#settled;
        this.#isUnsure = true;
      }
      this.#sources.clear();
      throw error;
    }
  }

  /** Frees a tenth of the limit at once, so that a full outbox does not pay for each row. */
  #dropOldest(nowMs: number): void {
    const goal = this.#limits.limitBytes * 0.9;
    let freed = 0;
    let first = 0;
    let last = 0;
    for (const { seq, bytes } of this.#sql.oldest.iterate()) {
      if (this.#totals.bytes - freed <= goal || seq === this.#totals.head) break;
      first ||= seq;
      last = seq;
      freed += bytes + ROW_BYTES;
    }
    if (last > 0) this.#drop([first, last], "size limit", nowMs);
  }

  #drop([first, last]: Range, reason: string, nowMs: number): void {
    const { rows, dropped } = this.#totals;
    const lost = this.#sql.lost.all(first, last);
    this.#remove(first, last);
    this.#totals = { ...this.#totals, dropped: dropped + rows - this.#totals.rows };
    this.#sql.drop.run(first, last, reason, nowMs, JSON.stringify(lost));
  }

  #remove(from: number, to: number): void {
    const { rows = 0, bytes = 0 } = this.#sql.sizeOf.get(from, to) ?? {};
    if (rows === 0) return;
    this.#sql.remove.run(from, to);
    this.#totals = { ...this.#totals, rows: this.#totals.rows - rows, bytes: this.#totals.bytes - bytes };
  }
}
