import { join } from "node:path";
import type { Log } from "#std/log";
import { type Database, openDatabase } from "#std/sqlite";

/** What a cloud knows beyond the cluster, in one file. */
const migrations = [
  `-- Every node that ever joined or connected.
   create table node (name text primary key, joined_at integer, seen_at integer) without rowid;
   -- A history of a node: its sequence numbers, and which of them are here or will never come (JSON ranges).
   create table source (
     id integer primary key, node text not null, epoch text not null, ranges text not null, at integer not null,
     unique (node, epoch)
   );
   create table telemetry (
     id integer primary key, source integer not null, seq integer not null,
     namespace text not null, device text not null, at integer not null, body text not null, taken_at integer not null
   );
   create index telemetry_device on telemetry (namespace, device, at);
   create index telemetry_taken on telemetry (taken_at);
   -- Rows that a node dropped, so that a hole in a history has a reason.
   create table gap (
     id integer primary key, source integer not null, first integer not null, last integer not null,
     reason text not null, at integer not null
   );
   create table event (
     id integer primary key, source integer not null, seq integer not null,
     namespace text not null, device text not null, at integer not null, body text not null,
     done integer not null default 0
   );
   create index event_open on event (id) where done = 0;
   -- Join tokens. Only the hash of the secret is here.
   create table token (
     id text primary key, hash text not null, node text not null,
     created_at integer not null, expires_at integer not null, used_at integer, revoked_at integer
   ) without rowid;`,
  // A node that was refused may not connect until it joins anew.
  "alter table node add column refused_at integer;",
  `-- What packed telemetry means: the names of its values, once for all who have the same.
   create table layout (id text primary key, names text not null) without rowid;
   alter table telemetry add column layout text;`,
  `-- Minutes of telemetry, kept longer than the rows; and the last row that is in them.
   create table series (
     id integer primary key, namespace text not null, device text not null, property text not null,
     unique (namespace, device, property)
   );
   create table minute (
     series integer not null, at integer not null, count integer not null, numbers integer not null, sum real not null,
     min real, max real, last text not null, last_at integer not null, primary key (series, at)
   ) without rowid;
   create index minute_at on minute (at);
   create table rolled (id integer not null);
   insert into rolled values (0);
   -- All that was ever dropped or missed, by device: when, how many, why; told by which rows of a node.
   create table ledger (
     id integer primary key, source integer not null, namespace text not null, device text not null,
     since integer not null, until integer not null, count integer, reason text not null,
     first integer not null, last integer not null, told_at integer not null
   );
   create index ledger_device on ledger (namespace, device, until);
   create index ledger_until on ledger (until);`,
  `-- A stream of telemetry outside: the message up to which all is noted, and later ones that are not.
   create table stream (name text primary key, created text not null, number integer not null) without rowid;
   create table stray (
     stream text not null, node text not null, epoch text not null, seq integer not null, at integer not null,
     primary key (stream, node, epoch, seq)
   ) without rowid;`,
  `-- The process that spoke for a node last, and when a second machine with its identity was refused.
   alter table node add column epoch text;
   alter table node add column run text;
   alter table node add column duplicate_at integer;`,
];

/**
 * Opens, or begins, the database of a cloud. A damaged one is not begun anew: who was shut out is written nowhere else,
 * and the sites keep what they have to say until a person has looked. @throws {Fault} `DATABASE_CORRUPT`. @param dataDir - a folder, or `:memory:`. */
export function openStore(dataDir: string, log: Log): Database {
  const path = dataDir === ":memory:" ? dataDir : join(dataDir, "cloud.db");
  return openDatabase({ path, migrations, log, whenDamaged: "refuse" });
}

/**
 * Forgets which process spoke last for each node: a restored backup is older than what its nodes have become since, and
 * would take them for copies.
 */
export function forgetRuns(dataDir: string, log: Log): void {
  using db = openStore(dataDir, log);
  db.commitNow(() => db.prepare("update node set run = null").run());
}
