import { chmodSync, existsSync, mkdirSync, renameSync } from "node:fs";
import { dirname } from "node:path";
import Sqlite from "better-sqlite3";
import { Fault } from "./fault.ts";
import type { Log } from "./log.ts";

/** A prepared statement: `P` are its parameters, `R` is a row. */
export interface Statement<P extends unknown[], R> {
  run(...parameters: P): { readonly changes: number; readonly lastInsertRowid: number | bigint };
  get(...parameters: P): R | undefined;
  all(...parameters: P): R[];
  iterate(...parameters: P): IterableIterator<R>;
}

/** An open database. Statements are prepared by its users and kept for its life. */
export interface Database extends Disposable {
  prepare<P extends unknown[] = unknown[], R = unknown>(sql: string): Statement<P, R>;
  exec(sql: string): void;
  /**
   * Runs `work` in the transaction that commits at the end of this turn of the event loop, together with
   * everybody else's work of the same turn. Resolves when the commit is on disk; what `work` throws undoes
   * its own changes only. This is group commit: batches of 10 to 100 make durable rows 8 to 30 times cheaper.
   * @param gatherMs - work that nobody waits for may wait this long for company; whoever is in a hurry takes it along.
   */
  commit<T>(work: () => T, gatherMs?: number): Promise<T>;
  /** Runs `work` in a transaction of its own, on disk when it returns. */
  commitNow<T>(work: () => T): T;
  /** Path of a corrupt file that was set aside at opening, if there was one. */
  readonly setAside: string | undefined;
  /** Why the disk did not take the last commit; undefined while it works. Each change is logged once, here. */
  readonly trouble: Fault | undefined;
}

export interface DatabaseOptions {
  /** File path, or `:memory:`. Its folder is created with mode 0700. */
  readonly path: string;
  /** SQL scripts, oldest first; the file remembers how many it has seen. Never change one that was released. */
  readonly migrations: readonly string[];
  readonly log: Log;
}

/**
 * Opens a database with WAL and `synchronous=FULL`, so that a committed row survives a power cut. (The library's own
 * default, NORMAL, lost acknowledged rows at every simulated power cut.) A corrupt file is set aside and a new one is
 * begun: a node must start without a hand, and says loudly what happened.
 *
 * @throws {Fault} `PERMISSION_MISSING` when the file can not be opened, `VERSION_UNSUPPORTED` when a newer program wrote it.
 */
export function openDatabase({ path, migrations, log }: DatabaseOptions): Database {
  const memory = path === ":memory:";
  let setAside: string | undefined;
  let db: Sqlite.Database;
  try {
    if (!memory) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    db = openChecked(path);
  } catch (error) {
    if (!isCorrupt(error) || memory) throw openFault(error, path);
    setAside = `${path}.corrupt-${new Date().toISOString().replaceAll(":", "")}`;
    for (const suffix of ["", "-wal", "-shm"])
      if (existsSync(path + suffix)) renameSync(path + suffix, setAside + suffix);
    log.error("database corrupt, set aside and begun anew", { path, setAside, error });
    db = openChecked(path);
  }
  if (!memory) chmodSync(path, 0o600);
  migrate(db, migrations, path);
  return wrap(db, setAside, log.with({ path }));
}

/**
 * Copies a database as it is at one moment, also while another process writes into it, and nobody waits for it.
 * @throws {Fault} `PERMISSION_MISSING`
 */
export async function copyDatabase(from: string, to: string): Promise<void> {
  try {
    const db = new Sqlite(from, { readonly: true, fileMustExist: true });
    try {
      // In one step: a copy in several would begin anew at each commit of the other process.
      await db.backup(to, { progress: () => ALL_PAGES });
    } finally {
      db.close();
    }
  } catch (error) {
    throw openFault(error, from);
  }
}

const ALL_PAGES = 2 ** 31 - 1;
const HELD_MS = 100;

/** Whether another process, or another part of this one, has the database open. */
export function isHeld(path: string): boolean {
  const db = new Sqlite(path, { timeout: HELD_MS });
  try {
    db.pragma("locking_mode = EXCLUSIVE");
    db.exec("begin exclusive; commit");
    return false;
  } catch (error) {
    if (/^SQLITE_(BUSY|LOCKED)/.test(codeOf(error))) return true;
    // A file that is damaged is held by nobody.
    return false;
  } finally {
    db.close();
  }
}

function openChecked(path: string): Sqlite.Database {
  const db = new Sqlite(path);
  try {
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    db.pragma("busy_timeout = 2000");
    // The default of 1,000 pages makes the checkpoint run within the hot path: p99 of a batch 1.31 ms instead of 0.23.
    db.pragma("wal_autocheckpoint = 4000");
    const check = db.pragma("quick_check(1)", { simple: true });
    if (check !== "ok") throw new Fault("DATABASE_CORRUPT", `${path}: ${check}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function isCorrupt(error: unknown): boolean {
  if (Fault.is(error, "DATABASE_CORRUPT")) return true;
  return /^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error));
}

function openFault(error: unknown, path: string): unknown {
  if (!(error instanceof Error)) return error;
  const code = "code" in error ? String(error.code) : "";
  if (/^(SQLITE_(CANTOPEN|READONLY|PERM|AUTH)|EACCES|EPERM|EROFS|EEXIST|ENOTDIR)/.test(code))
    return new Fault("PERMISSION_MISSING", `${path} can not be opened: ${error.message}`, { cause: error });
  if (/^SQLITE_(BUSY|LOCKED)/.test(code))
    return new Fault("PERMISSION_MISSING", `${path} is held by another process`, { cause: error });
  return error;
}

function migrate(db: Sqlite.Database, migrations: readonly string[], path: string): void {
  const seen = Number(db.pragma("user_version", { simple: true }));
  if (seen > migrations.length)
    throw new Fault("VERSION_UNSUPPORTED", `${path} was written by a newer version (${seen} > ${migrations.length})`);
  for (const [i, script] of migrations.entries()) {
    if (i < seen) continue;
    db.transaction(() => {
      db.exec(script);
      db.pragma(`user_version = ${i + 1}`);
    })();
  }
}

interface Waiting {
  readonly work: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

function wrap(db: Sqlite.Database, setAside: string | undefined, log: Log): Database {
  let waiting: Waiting[] = [];
  let isDue = false;
  let timer: NodeJS.Timeout | undefined;
  let trouble: Fault | undefined;

  /** The commit went through, or did not; says so when that is new. */
  function heard(error: unknown): void {
    const now = isDiskFault(error) ? error : undefined;
    // Something else that went wrong says nothing about the disk.
    if (error !== undefined && !now) return;
    if (now && now.code !== trouble?.code) log.error("the disk takes nothing", { error: now });
    if (!now && trouble) log.warn("the disk takes commits again");
    trouble = now;
  }

  /** One transaction for all that waited. Each work is a savepoint, so that one that throws undoes itself alone. */
  function flush(): void {
    isDue = false;
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return;
    const settled: (() => void)[] = [];
    try {
      db.transaction(() => {
        for (const { work, resolve, reject } of batch) {
          try {
            const value = (batch.length === 1 ? work() : db.transaction(work)()) as never;
            settled.push(() => resolve(value));
          } catch (error) {
            // A full disk may have rolled back everybody's work already; what came after would be outside of it.
            if (batch.length === 1 || !db.inTransaction) throw error;
            settled.push(() => reject(diskFault(error)));
          }
        }
      })();
    } catch (error) {
      const fault = diskFault(error);
      heard(fault);
      for (const { reject } of batch) reject(fault);
      return;
    }
    heard(undefined);
    for (const settle of settled) settle();
  }

  return {
    setAside,
    get trouble() {
      return trouble;
    },
    prepare: <P extends unknown[], R>(sql: string) => db.prepare<P, R>(sql),
    exec: (sql) => {
      db.exec(sql);
    },
    commit<T>(work: () => T, gatherMs = 0) {
      return new Promise<T>((resolve, reject) => {
        waiting.push({ work, resolve, reject });
        if (isDue) return;
        if (gatherMs > 0) {
          timer ??= setTimeout(flush, gatherMs);
          return;
        }
        isDue = true;
        setImmediate(flush);
      });
    },
    commitNow: (work) => {
      try {
        const result = db.transaction(work)();
        heard(undefined);
        return result;
      } catch (error) {
        const fault = diskFault(error);
        heard(fault);
        throw fault;
      }
    },
    [Symbol.dispose]() {
      if (!db.open) return;
      flush();
      db.close();
    },
  };
}

/** By its form, not its class: the native module makes its errors in the realm that loaded it first. */
function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** Whether the disk is to blame. Who gets one need not log it: the database does, once. */
export function isDiskFault(error: unknown): error is Fault {
  return Fault.is(error, "DISK_FULL", "DISK_FAILED", "DATABASE_CORRUPT");
}

/**
 * A failed sync is no reason to open the file anew: what it was for is rolled back, and the next commit writes the same
 * place of the log again before it syncs. Nothing that was reported rests on a sync that failed.
 */
function diskFault(error: unknown): unknown {
  const code = codeOf(error);
  if (code.startsWith("SQLITE_FULL"))
    return new Fault("DISK_FULL", "the disk that holds the database is full", { cause: error });
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code))
    return new Fault("DATABASE_CORRUPT", "the database is damaged", { cause: error });
  if (/^SQLITE_(IOERR|READONLY|CANTOPEN)/.test(code))
    return new Fault("DISK_FAILED", `the disk that holds the database failed: ${code}`, { cause: error });
  return error;
}
