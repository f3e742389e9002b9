import type { Database } from "#std/sqlite";
import type { Lost, Row } from "#wire/messages";

/** Bytes a row takes beside its body. */
export const ROW_BYTES = 80;

/** The statements of the outbox. Those that write run inside a commit. */
export function prepareOutbox(db: Database) {
  const size = `select count(*) as rows, coalesce(sum(octet_length(body) + ${ROW_BYTES}), 0) as bytes from outbox`;
  return {
    size: db.prepare<[], { rows: number; bytes: number }>(size),
    sizeOf: db.prepare<[number, number], { rows: number; bytes: number }>(`${size} where seq between ? and ?`),
    head: db.prepare<[], { seq: number }>("select seq from sqlite_sequence where name = 'outbox'"),
    insert: db.prepare("insert into outbox (source, at, body) values (?, ?, ?)"),
    addLayout: db.prepare("insert or ignore into layout values (?, ?)"),
    layout: db.prepare<[string], { names: string }>("select names from layout where id = ?"),
    addSource: db.prepare("insert or ignore into source (namespace, device, kind, layout) values (?, ?, ?, ?)"),
    source: db.prepare<[string, string, string, string], { id: number }>(
      "select id from source where namespace = ? and device = ? and kind = ? and layout = ?",
    ),
    read: db.prepare<[number, number], Required<Row>>(
      `select seq, namespace, device, kind, at, body, layout from outbox join source on source.id = source
       where seq between ? and ? order by seq limit 500`,
    ),
    remove: db.prepare("delete from outbox where seq between ? and ?"),
    hold: db.prepare<[], { value: string }>("select value from meta where key = 'hold'"),
    setHold: db.prepare("insert into meta values ('hold', ?) on conflict do update set value = excluded.value"),
    moveAway: db.prepare<[number, number]>("update outbox set seq = -(seq + ?) where seq > ?"),
    moveBack: db.prepare("update outbox set seq = -seq where seq < 0"),
    moveDropped: db.prepare<[by: number, by: number, above: number]>(
      "update dropped set first = first + ?, last = last + ? where first > ?",
    ),
    insertHead: db.prepare(
      `insert into sqlite_sequence (name, seq)
       select 'outbox', 0 where not exists (select 1 from sqlite_sequence where name = 'outbox')`,
    ),
    setHead: db.prepare<[number]>("update sqlite_sequence set seq = ? where name = 'outbox'"),
    oldest: db.prepare<[], { seq: number; at: number; bytes: number }>(
      "select seq, at, octet_length(body) as bytes from outbox order by seq",
    ),
    // A gap that is dropped leaves its time; only telemetry has numbers that are missing.
    lost: db.prepare<[number, number], Lost>(
      `select namespace, device, min(at) as "from", max(at) as "to", sum(kind = 'telemetry') as count
       from outbox join source on source.id = source where seq between ? and ? and kind in ('telemetry', 'gap')
       group by namespace, device limit 10000`,
    ),
    drop: db.prepare("insert into dropped (first, last, reason, at, lost) values (?, ?, ?, ?, ?)"),
    untold: db.prepare<[], { first: number; last: number; reason: string; lost: string }>(
      "select first, last, reason, lost from dropped order by first limit 1000",
    ),
    forget: db.prepare("delete from dropped where first = ? and last = ?"),
  };
}
