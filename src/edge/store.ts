import { randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "#std/log";
import { type Database, openDatabase, readDamaged } from "#std/sqlite";

/** What a node knows, in one file: a kill at any moment leaves it whole. */
const migrations = [
  `create table meta (key text primary key, value text not null) without rowid;
   -- What the cloud declared, as it sent it.
   create table declaration (uid text primary key, json text not null) without rowid;
   -- One row per property that somebody wished something of.
   create table wish (uid text, property text, json text not null, primary key (uid, property)) without rowid;
   -- What the properties of a device said last; written at most once a second, because it is read anew anyway.
   create table report (uid text primary key, json text not null) without rowid;
   -- The last sequence number in a device's telemetry.
   create table counter (uid text primary key, seq integer not null) without rowid;
   -- What the cloud has not taken yet. AUTOINCREMENT, because a number must never be used twice.
   create table outbox (
     seq integer primary key autoincrement,
     namespace text not null, device text not null, kind text not null, at integer not null, body text not null
   );
   -- Rows that a limit dropped and the cloud does not know of yet.
   create table dropped (first integer not null, last integer not null, reason text not null, at integer not null);`,
  `-- One row per command that was accepted: accepted, started, or done with its result.
   create table command (
     uid text not null, id text not null, state text not null, json text not null, at integer not null,
     primary key (uid, id)
   ) without rowid;
   create index command_at on command (at);`,
  `-- Who rows are of, and what packed rows mean, once each.
   create table source (
     id integer primary key, namespace text not null, device text not null, kind text not null, layout text not null,
     unique (namespace, device, kind, layout)
   );
   create table layout (id text primary key, names text not null) without rowid;
   insert or ignore into source (namespace, device, kind, layout) select distinct namespace, device, kind, '' from outbox;
   alter table outbox rename to outbox_before;
   create table outbox (
     seq integer primary key autoincrement, source integer not null, at integer not null, body text not null
   );
   insert into outbox select seq, source.id, at, body from outbox_before join source using (namespace, device, kind);
   insert or replace into sqlite_sequence (name, seq)
     select 'outbox', seq from sqlite_sequence where name = 'outbox_before';
   drop table outbox_before;`,
  `-- Devices that should be read and are not: since when, and why.
   create table silence (uid text primary key, since integer not null, reason text not null) without rowid;
   -- Whose telemetry a limit dropped: JSON, a list of device, times and count.
   alter table dropped add column lost text not null default '[]';`,
  `-- The cloud's word that this node may speak of a device.
   create table permit (
     namespace text not null, device text not null, permit text not null, primary key (namespace, device)
   ) without rowid;`,
  `-- The processes that ran here, the oldest first: the first number that the cloud can not have heard before it, whether it
   -- said hello, and whether it was welcome.
   create table run (
     id text not null, first integer not null, said integer not null default 0, welcome integer not null default 0
   );`,
];

/** The node's database and the name of its history. */
export interface Store extends Disposable {
  readonly db: Database;
  /** A new file is a new history: sequence numbers of different epochs are never compared. */
  readonly epoch: string;
}

/** Numbers per millisecond, above what any node writes: then numbers made from the time are never used twice. */
const NUMBERS_PER_MS = 1_024;

/**
 * Makes the outbox of a restored backup safe to send. Its rows keep their numbers, so those that the cloud has got from
 * the lost disk are dropped and the others are sent. New rows continue far above all numbers that the lost disk may
 * have given after the backup, so none of them is taken for one of those.
 */
export function renumber(dataDir: string, nowMs: number, log: Log): void {
  using store = openStore(dataDir, log);
  const next = nowMs * NUMBERS_PER_MS;
  store.db.commitNow(() => {
    store.db
      .prepare(
        `insert into sqlite_sequence (name, seq)
         select 'outbox', 0 where not exists (select 1 from sqlite_sequence where name = 'outbox')`,
      )
      .run();
    store.db.prepare("update sqlite_sequence set seq = max(seq, ?) where name = 'outbox'").run(next);
    // The cloud may know processes that this backup is older than, and rows of it that were sent since.
    store.db.prepare("insert or ignore into meta values ('restored', '1')").run();
    store.db.prepare("update run set welcome = 1").run();
  });
}

/** Opens, or begins, the database of a node. @param dataDir - a folder, or `:memory:`. */
export function openStore(dataDir: string, log: Log): Store {
  const path = dataDir === ":memory:" ? dataDir : join(dataDir, "edge.db");
  const db = openDatabase({ path, migrations, log, syncsBehind: true });
  db.prepare("insert or ignore into meta values ('epoch', ?)").run(randomUUID());
  if (db.setAside !== undefined)
    db.prepare("insert or ignore into meta values ('lost', ?)").run(String(Math.round(lostSince(db.setAside))));
  const { value: epoch } = db.prepare<[], { value: string }>("select value from meta where key = 'epoch'").get() ?? {
    value: "",
  };
  return { db, epoch, [Symbol.dispose]: () => db[Symbol.dispose]() };
}

/** From when on rows may be gone with a damaged file: the first that waited in it, else when it was written last. */
function lostSince(path: string): number {
  const first = readDamaged<{ at: number | null }>(path, "select min(at) as at from outbox")?.at;
  return first ?? statSync(path).mtimeMs;
}
