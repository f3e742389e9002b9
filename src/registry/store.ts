/**
 * Objects and their history in SQLite. Each write is one row of the log, and the row id is the resourceVersion.
 *
 * Reads and the work of a write are synchronous, so a read-modify-write within `write` is atomic. Writes of one turn
 * of the event loop share a commit; listeners hear of changes after it, in the order of their versions.
 *
 * **Source:** the idea of log and revision is kine's.
 */
import type { Clock } from "#std/clock";
import type { Database } from "#std/sqlite";
import type { KubeObject } from "./resource.ts";

/** An object as it is stored. */
export interface Row {
  readonly id: number;
  readonly key: string;
  readonly ns: string;
  readonly name: string;
  readonly uid: string;
  readonly rv: number;
  readonly doc: string;
}

/** One row of the log. */
export interface Change {
  readonly rv: number;
  readonly key: string;
  readonly ns: string;
  readonly name: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** The object after the change; for `DELETED` the last state with the version of the deletion. */
  readonly doc: string;
  /** The object before, when a selector could tell the two apart. */
  readonly prev: string | null;
}

/** What a write may do. It is valid during the call of `work` only. */
export interface Transaction {
  get(key: string, ns: string, name: string): Row | undefined;
  byUid(uid: string): Row | undefined;
  /** Stores an object under a new version and returns that row. */
  put(key: string, object: KubeObject, before?: { row: Row; prev: string | null }): Row;
  /** Deletes a stored object; `object` is its last state. */
  remove(row: Row, object: KubeObject): void;
}

/** Where a page of a list begins: behind this object. */
export interface Position {
  readonly ns: string;
  readonly name: string;
}

/** The stored objects. */
export interface Store {
  /** The version of the latest write. */
  head(): number;
  /** The version below which the history is no longer complete. */
  compacted(): number;
  /** True when the history from this version on is complete. */
  follows(rv: number): boolean;
  get(key: string, ns: string, name: string): Row | undefined;
  /** Objects of a key in the order of namespace and name. */
  page(key: string, ns: string | undefined, after: Position | undefined, limit: number): readonly Row[];
  count(key: string, ns: string | undefined, after: Position): number;
  /** Changes of a key after a version, the oldest first. */
  since(key: string, rv: number, limit: number): readonly Change[];
  keysIn(ns: string): readonly string[];
  /** Objects whose owner has this uid. */
  dependents(uid: string, limit: number): readonly Row[];
  /** Uids that are named as owners and belong to nobody. */
  missingOwners(): readonly string[];
  /** Objects whose text holds these words; it reads every object, so it is for the start. */
  mentioning(words: string): readonly Row[];
  /** Rows of a key that were last written before this time. */
  idle(key: string, beforeMs: number, limit: number): readonly Row[];
  /**
   * Runs `work` atomically and resolves when its changes are on disk and were told to the listeners.
   * A dry run does the same work and undoes it.
   */
  write<T>(work: (tx: Transaction) => T, dryRun?: boolean): Promise<T>;
  /** Calls `hear` after each commit with its changes. @returns the end of it */
  listen(hear: (changes: readonly Change[]) => void): () => void;
  /** Forgets up to `limit` of the oldest rows of history that are beyond both limits. @returns how many */
  compact(keep: History, limit: number): Promise<number>;
}

/** How much history is kept: the larger of both, but never more than ten times the rows. */
export interface History {
  readonly rows: number;
  readonly ms: number;
}

/** With a younger history, rows stay even beyond `History.rows`, up to this many times it. */
const MOST_TIMES_ROWS = 10;

/** Carries the result of a dry run through the undoing of its transaction. */
class Undo<T> {
  readonly value: T;
  constructor(value: T) {
    this.value = value;
  }
}

/** Opens the store on a database with the registry's tables. */
export function openStore(db: Database, clock: Clock): Store {
  const listeners = new Set<(changes: readonly Change[]) => void>();
  const row = "id, key, ns, name, uid, rv, doc";
  const q = {
    head: db.prepare<[], { seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'log'"),
    compacted: db.prepare<[], { value: number }>("SELECT value FROM fact WHERE name = 'compacted'"),
    gap: db.prepare<[number, number], { after: number }>("SELECT after FROM gap WHERE after < ? AND ? < until"),
    get: db.prepare<[string, string, string], Row>(`SELECT ${row} FROM obj WHERE key = ? AND ns = ? AND name = ?`),
    byUid: db.prepare<[string], Row>(`SELECT ${row} FROM obj WHERE uid = ?`),
    insert: db.prepare<[string, string, string, string, number, number, string], unknown>(
      "INSERT INTO obj (key, ns, name, uid, rv, at, doc) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    update: db.prepare<[number, number, string, number]>("UPDATE obj SET rv = ?, at = ?, doc = ? WHERE id = ?"),
    remove: db.prepare<[number]>("DELETE FROM obj WHERE id = ?"),
    log: db.prepare<[number, string, string, string, string, number, string, string | null]>(
      "INSERT INTO log (rv, key, ns, name, type, at, doc, prev) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    own: db.prepare<[string, number]>("INSERT OR IGNORE INTO owner (uid, id) VALUES (?, ?)"),
    disown: db.prepare<[number]>("DELETE FROM owner WHERE id = ?"),
    all: db.prepare<[string, string, string, number], Row>(
      `SELECT ${row} FROM obj WHERE key = ? AND (ns, name) > (?, ?) ORDER BY ns, name LIMIT ?`,
    ),
    inside: db.prepare<[string, string, string, number], Row>(
      `SELECT ${row} FROM obj WHERE key = ? AND ns = ? AND name > ? ORDER BY name LIMIT ?`,
    ),
    countAll: db.prepare<[string, string, string], { n: number }>(
      "SELECT count(*) AS n FROM obj WHERE key = ? AND (ns, name) > (?, ?)",
    ),
    countInside: db.prepare<[string, string, string], { n: number }>(
      "SELECT count(*) AS n FROM obj WHERE key = ? AND ns = ? AND name > ?",
    ),
    since: db.prepare<[string, number, number], Change>(
      "SELECT rv, key, ns, name, type, doc, prev FROM log WHERE key = ? AND rv > ? ORDER BY rv LIMIT ?",
    ),
    keysIn: db.prepare<[string], { key: string }>("SELECT DISTINCT key FROM obj WHERE ns = ?"),
    dependents: db.prepare<[string, number], Row>(
      `SELECT ${row} FROM obj WHERE id IN (SELECT id FROM owner WHERE uid = ?) ORDER BY id LIMIT ?`,
    ),
    missing: db.prepare<[], { uid: string }>(
      "SELECT DISTINCT uid FROM owner WHERE NOT EXISTS (SELECT 1 FROM obj WHERE obj.uid = owner.uid)",
    ),
    mentioning: db.prepare<[string], Row>(`SELECT ${row} FROM obj WHERE instr(doc, ?) > 0`),
    idle: db.prepare<[string, number, number], Row>(`SELECT ${row} FROM obj WHERE key = ? AND at < ? LIMIT ?`),
    nth: db.prepare<[number], { rv: number }>("SELECT rv FROM log ORDER BY rv DESC LIMIT 1 OFFSET ?"),
    forget: db.prepare<[number, number, number, number], { rv: number }>(
      `DELETE FROM log WHERE rv IN (SELECT rv FROM log WHERE rv <= ? AND (at < ? OR rv <= ?) ORDER BY rv LIMIT ?)
       RETURNING rv`,
    ),
    compact: db.prepare<[number]>("UPDATE fact SET value = max(value, ?) WHERE name = 'compacted'"),
  };

  const head = () => q.head.get()?.seq ?? 0;
  const compacted = () => q.compacted.get()?.value ?? 0;

  function begin(changes: Change[]): Transaction {
    function record(object: KubeObject, key: string, type: Change["type"], prev: string | null): Change {
      const rv = head() + 1;
      const { name, namespace: ns = "" } = object.metadata;
      const doc = print({ ...object, metadata: { ...object.metadata, resourceVersion: String(rv) } });
      q.log.run(rv, key, ns, name, type, clock.now(), doc, prev);
      const change = { rv, key, ns, name, type, doc, prev };
      changes.push(change);
      return change;
    }
    return {
      get: (key, ns, name) => q.get.get(key, ns, name),
      byUid: (uid) => q.byUid.get(uid),
      put(key, object, before) {
        const { rv, ns, name, doc } = record(object, key, before ? "MODIFIED" : "ADDED", before?.prev ?? null);
        const { uid, ownerReferences = [] } = object.metadata;
        const at = clock.now();
        if (before) q.update.run(rv, at, doc, before.row.id);
        const id = before?.row.id ?? Number(q.insert.run(key, ns, name, uid, rv, at, doc).lastInsertRowid);
        if (before) q.disown.run(id);
        for (const owner of ownerReferences) q.own.run(owner.uid, id);
        return { id, key, ns, name, uid, rv, doc };
      },
      remove(row, object) {
        q.remove.run(row.id);
        record(object, row.key, "DELETED", null);
      },
    };
  }

  jump(db, head(), clock.now());

  return {
    head,
    compacted,
    follows: (rv) => rv >= compacted() && rv <= head() && q.gap.get(rv, rv) === undefined,
    get: (key, ns, name) => q.get.get(key, ns, name),
    page: (key, ns, after, limit) =>
      ns === undefined
        ? q.all.all(key, after?.ns ?? "", after?.name ?? "", limit)
        : q.inside.all(key, ns, after?.name ?? "", limit),
    count: (key, ns, after) =>
      (ns === undefined ? q.countAll.get(key, after.ns, after.name) : q.countInside.get(key, ns, after.name))?.n ?? 0,
    since: (key, rv, limit) => q.since.all(key, rv, limit),
    keysIn: (ns) => q.keysIn.all(ns).map(({ key }) => key),
    dependents: (uid, limit) => q.dependents.all(uid, limit),
    missingOwners: () => q.missing.all().map(({ uid }) => uid),
    mentioning: (words) => q.mentioning.all(words),
    idle: (key, beforeMs, limit) => q.idle.all(key, beforeMs, limit),
    async write(work, dryRun = false) {
      const changes: Change[] = [];
      try {
        const value = await db.commit(() => {
          const value = work(begin(changes));
          if (dryRun) throw new Undo(value);
          return value;
        });
        if (changes.length > 0) for (const hear of listeners) hear(changes);
        return value;
      } catch (error) {
        if (error instanceof Undo) return error.value;
        throw error;
      }
    },
    listen(hear) {
      listeners.add(hear);
      return () => listeners.delete(hear);
    },
    compact: (keep, limit) =>
      db.commit(() => {
        const surplus = q.nth.get(keep.rows)?.rv ?? 0;
        const excess = q.nth.get(keep.rows * MOST_TIMES_ROWS)?.rv ?? 0;
        const gone = q.forget.all(surplus, clock.now() - keep.ms, excess, limit).map(({ rv }) => rv);
        if (gone.length > 0) q.compact.run(gone.reduce((most, rv) => Math.max(most, rv), 0));
        return gone.length;
      }),
  };
}

/** An object as text with its type in front, which lets a list or another version be made of text alone. */
function print({ apiVersion, kind, metadata, ...rest }: KubeObject): string {
  return JSON.stringify({ apiVersion, kind, metadata, ...rest });
}

/** Versions that one second is worth: more than a disk can write. */
const VERSIONS_PER_SECOND = 1000;

/**
 * Jumps ahead at each opening, so that a file restored from a backup, or begun anew, never gives out a version that
 * its clients have seen with another meaning. A client that names a version within the jump has to list again.
 */
function jump(db: Database, head: number, nowMs: number): void {
  const until = Math.floor(nowMs / 1000) * VERSIONS_PER_SECOND;
  if (until <= head + 1) return;
  db.commitNow(() => {
    if (head === 0) db.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('log', 0)").run();
    db.prepare("INSERT OR REPLACE INTO gap VALUES (?, ?)").run(head, until);
    db.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = 'log'").run(until);
    // A gap older than the history says nothing more than the history's end does.
    db.prepare("DELETE FROM gap WHERE until < (SELECT value FROM fact WHERE name = 'compacted')").run();
  });
}
