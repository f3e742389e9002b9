import { closeSync, fdatasync, fdatasyncSync, openSync } from "node:fs";
import { type DiskWatch, diskFault } from "./disk-fault.ts";
import { Fault } from "./fault.ts";

/** The library's part of a database, as far as commits need it. */
export interface Engine {
  /** Runs work in a transaction, or, within one, in a savepoint. */
  transaction<T>(work: () => T): T;
  readonly inTransaction: boolean;
  /** Rows that were changed since the opening. */
  readonly changes: number;
  /** Writes something that changes nothing. */
  touch(): void;
  /** Moves all that is in the log into the file, and begins the log anew. Throws when that did not work. */
  checkpoint(): void;
}

export interface CommitOptions {
  readonly engine: Engine;
  readonly watch: DiskWatch;
  /** The write-ahead log, when its sync is done here, in another thread; undefined when the engine waits for the disk. */
  readonly log: string | undefined;
}

interface Waiting {
  readonly work: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

const MEND_MS = 1_000;
/** A disk that took nothing is tried this often, so that it is known to work again although nobody has anything to say. */
const PROBE_MS = 1_000;
/** Works that may wait for a disk that takes its time. */
const MOST_WAITING = 20_000;

/**
 * Group commit: one transaction, and one wait for the disk, for all work of a turn of the event loop. With a log of its
 * own to sync, the event loop goes on while the disk takes its time, and what comes meanwhile is the next group.
 */
export class Commits {
  readonly #engine: Engine;
  readonly #watch: DiskWatch;
  readonly #log: string | undefined;
  #file: number | undefined;
  #waiting: Waiting[] = [];
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  /** Tells a group that its sync is through. While there is one, the next group gathers. */
  #syncing: ((error: unknown) => void) | undefined;
  /** A sync failed: the system may call pages clean that are on no disk. */
  #isSuspect = false;
  #mendAtMs = 0;
  #probe: NodeJS.Timeout | undefined;
  #isProbed = false;

  constructor({ engine, watch, log }: CommitOptions) {
    this.#engine = engine;
    this.#watch = watch;
    this.#log = log;
  }

  add<T>(work: () => T, gatherMs: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.length >= MOST_WAITING)
        return reject(new Fault("DISK_FAILED", `${MOST_WAITING} changes wait for the disk already`));
      this.#waiting.push({ work, resolve, reject });
      if (this.#isDue || this.#syncing) return;
      if (gatherMs > 0) this.#timer ??= setTimeout(() => this.#flush(), gatherMs);
      else {
        this.#isDue = true;
        setImmediate(() => this.#flush());
      }
    });
  }

  /** A transaction of its own, on disk when it returns. */
  now<T>(work: () => T): T {
    try {
      this.#mend();
      const before = this.#engine.changes;
      const result = this.#engine.transaction(work);
      this.#syncNow();
      this.#took(before);
      return result;
    } catch (error) {
      throw this.#refused(error);
    }
  }

  /** Commits what waits, and returns when all of it is on disk. */
  end(): void {
    for (this.#flush(); this.#syncing; this.#flush()) {
      const settle = this.#syncing;
      try {
        this.#syncNow();
        settle(undefined);
      } catch (error) {
        settle(error);
      }
    }
    clearTimeout(this.#probe);
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #flush(): void {
    if (this.#syncing) return;
    this.#isDue = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    const refuse = (error: unknown) => {
      const fault = this.#refused(error);
      for (const { reject } of batch) reject(fault);
    };
    try {
      this.#mend();
      const before = this.#engine.changes;
      const settled = this.#transact(batch);
      this.#sync((error) => {
        if (error) refuse(error);
        else {
          this.#took(before);
          for (const settle of settled) settle();
        }
      });
    } catch (error) {
      refuse(error);
    }
  }

  /** One transaction for all that waited. Each work is a savepoint, so that one that throws undoes itself alone. */
  #transact(batch: readonly Waiting[]): readonly (() => void)[] {
    const settled: (() => void)[] = [];
    this.#engine.transaction(() => {
      for (const { work, resolve, reject } of batch) {
        try {
          const value = (batch.length === 1 ? work() : this.#engine.transaction(work)) as never;
          settled.push(() => resolve(value));
        } catch (error) {
          // A full disk may have rolled back everybody's work already; what came after would be outside of it.
          if (batch.length === 1 || !this.#engine.inTransaction) throw error;
          settled.push(() => reject(diskFault(error)));
        }
      }
    });
    return settled;
  }

  /** A commit that had nothing to write says nothing about the disk. */
  #took(before: number): void {
    if (this.#engine.changes > before || this.#isProbed) this.#watch.took();
    this.#isProbed = false;
  }

  #refused(error: unknown): unknown {
    const fault = this.#watch.refused(error);
    if (this.#watch.trouble && this.#probe === undefined)
      this.#probe = setTimeout(() => this.#tryDisk(), PROBE_MS).unref();
    return fault;
  }

  #tryDisk(): void {
    this.#probe = undefined;
    if (!this.#watch.trouble) return;
    const touch = () => {
      this.#engine.touch();
      this.#isProbed = true;
    };
    this.add(touch, 0).catch(() => {
      this.#isProbed = false;
    });
  }

  #sync(done: (error: unknown) => void): void {
    if (this.#log === undefined) {
      done(undefined);
      return;
    }
    this.#file ??= openSync(this.#log, "r+");
    const finish = (error: unknown) => {
      if (this.#syncing !== finish) return;
      this.#syncing = undefined;
      if (error) this.#isSuspect = true;
      done(error);
      // Whose work is on disk goes on before the next group's work is seen.
      this.#isDue = true;
      setImmediate(() => this.#flush());
    };
    this.#syncing = finish;
    fdatasync(this.#file, finish);
  }

  #syncNow(): void {
    if (this.#log === undefined) return;
    try {
      this.#file ??= openSync(this.#log, "r+");
      fdatasyncSync(this.#file);
    } catch (error) {
      this.#isSuspect = true;
      throw error;
    }
  }

  /**
   * After a failed sync the log may have a hole that nobody sees before the power goes, and whatever is written behind
   * it would be lost with it. So the log is moved into the file and begun anew before anything else is promised.
   */
  #mend(): void {
    if (!this.#isSuspect) return;
    const { trouble } = this.#watch;
    // It copies the log, which is too much for each commit of a disk that does not work.
    if (trouble && performance.now() < this.#mendAtMs) throw trouble;
    this.#mendAtMs = performance.now() + MEND_MS;
    this.#engine.checkpoint();
    this.#isSuspect = false;
  }
}
