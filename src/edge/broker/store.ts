import { join } from "node:path";
import type { Log } from "#std/log";
import { type Database, openDatabase } from "#std/sqlite";

/** What the broker owes its clients, in a file of its own: a kill at any moment leaves it whole. */
const migrations = [
  `create table session (
     id integer primary key autoincrement, client text not null unique, owner text not null, seen integer not null
   );
   create table subscription (
     session integer not null, filter text not null, qos integer not null, primary key (session, filter)
   ) without rowid;
   -- A message is stored once; refs counts the queues that it waits in.
   create table message (
     id integer primary key, topic text not null, payload blob not null, refs integer not null, at integer not null
   );
   create table queue (
     session integer not null, seq integer not null, message integer not null,
     qos integer not null, retain integer not null, released integer not null, primary key (session, seq)
   ) without rowid;
   -- Packet identifiers of QoS 2 that were taken and not yet released.
   create table incoming (session integer not null, id integer not null, primary key (session, id)) without rowid;
   create table retained (topic text primary key, payload blob not null, qos integer not null);
   create table will (
     client text primary key, owner text not null, topic text not null, payload blob not null,
     qos integer not null, retain integer not null
   );`,
];

export interface SessionRow {
  readonly id: number;
  readonly client: string;
  readonly owner: string;
  readonly seen: number;
  readonly messages: number;
  readonly bytes: number;
  readonly last: number;
}

export interface QueueRow {
  readonly seq: number;
  readonly message: number;
  readonly qos: 1 | 2;
  readonly retain: number;
  readonly released: number;
  readonly topic: string;
  readonly payload: Buffer;
}

export interface WillRow {
  readonly client: string;
  readonly owner: string;
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  readonly retain: number;
}

export type BrokerStore = ReturnType<typeof openBrokerStore>;

const SIZE = "length(cast(m.topic as blob)) + length(m.payload) + 64";

/** Opens `broker.db` with its statements. Those that write run inside a commit. @param dataDir - a folder, or `:memory:`. */
export function openBrokerStore(dataDir: string, log: Log) {
  const path = dataDir === ":memory:" ? dataDir : join(dataDir, "broker.db");
  const db: Database = openDatabase({ path, migrations, log });
  return {
    db,
    sessions: db.prepare<[], SessionRow>(
      `select s.id, s.client, s.owner, s.seen, count(q.seq) as messages, coalesce(sum(${SIZE}), 0) as bytes,
         coalesce(max(q.seq), 0) as last
       from session s left join queue q on q.session = s.id left join message m on m.id = q.message group by s.id`,
    ),
    addSession: db.prepare<[string, string, number]>("insert into session (client, owner, seen) values (?, ?, ?)"),
    sawSession: db.prepare<[number, number]>("update session set seen = ? where id = ?"),
    dropSession: db.prepare<[number]>("delete from session where id = ?"),
    subscriptions: db.prepare<[], { session: number; filter: string; qos: 0 | 1 | 2 }>("select * from subscription"),
    subscribe: db.prepare<[number, string, number]>("insert or replace into subscription values (?, ?, ?)"),
    unsubscribe: db.prepare<[number, string]>("delete from subscription where session = ? and filter = ?"),
    unsubscribeAll: db.prepare<[number]>("delete from subscription where session = ?"),
    addMessage: db.prepare<[string, Uint8Array, number, number]>(
      "insert into message (topic, payload, refs, at) values (?, ?, ?, ?)",
    ),
    releaseMessage: db.prepare<[number]>("update message set refs = refs - 1 where id = ?"),
    dropMessage: db.prepare<[number]>("delete from message where id = ? and refs <= 1"),
    enqueue: db.prepare<[number, number, number, number, number]>("insert into queue values (?, ?, ?, ?, ?, 0)"),
    dequeue: db.prepare<[number, number]>("delete from queue where session = ? and seq = ?"),
    markReleased: db.prepare<[number, number]>("update queue set released = 1 where session = ? and seq = ?"),
    queue: db.prepare<[number, number], QueueRow>(
      `select q.seq, q.message, q.qos, q.retain, q.released, m.topic, m.payload
       from queue q join message m on m.id = q.message where q.session = ? and q.seq > ? order by q.seq`,
    ),
    heads: db.prepare<[number, number], { seq: number; message: number; bytes: number; at: number }>(
      `select q.seq, q.message, ${SIZE} as bytes, m.at
       from queue q join message m on m.id = q.message where q.session = ? and q.seq > ? order by q.seq`,
    ),
    incoming: db.prepare<[], { session: number; id: number }>("select * from incoming"),
    addIncoming: db.prepare<[number, number]>("insert or ignore into incoming values (?, ?)"),
    dropIncoming: db.prepare<[number, number]>("delete from incoming where session = ? and id = ?"),
    dropAllIncoming: db.prepare<[number]>("delete from incoming where session = ?"),
    retained: db.prepare<[], { topic: string; payload: Buffer; qos: 0 | 1 | 2 }>("select * from retained"),
    retain: db.prepare<[string, Uint8Array, number]>("insert or replace into retained values (?, ?, ?)"),
    dropRetained: db.prepare<[string]>("delete from retained where topic = ?"),
    wills: db.prepare<[], WillRow>("select * from will"),
    putWill: db.prepare<[string, string, string, Uint8Array, number, number]>(
      "insert or replace into will values (?, ?, ?, ?, ?, ?)",
    ),
    dropWill: db.prepare<[string]>("delete from will where client = ?"),
    [Symbol.dispose]: () => db[Symbol.dispose](),
  };
}
