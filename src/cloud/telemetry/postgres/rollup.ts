import type { Postgres } from "./client.ts";

/** Messages and bytes per transaction: a quarter of a second for a thousand of fifty values. */
const BATCH_ROWS = 1_000;
const BATCH_BYTES = 1024 * 1024;

/**
 * Takes all new messages into the minutes, in the order of arrival, each once: the last one is written in the same
 * transaction. The server does it itself, so nothing travels and whoever reads by SQL has the minutes too. Messages
 * that are being written hold a lock, so that none gets a number below the last one and is passed over.
 */
export async function rollUp(postgres: Postgres, schema: string): Promise<void> {
  const newest = await postgres.transaction(async (sql) => {
    await sql.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [writingLock(schema)]);
    const [row] = await sql.query<{ id: string }>(`select coalesce(max(id), 0) as id from ${schema}.telemetry`);
    return row?.id ?? "0";
  });
  for (;;) {
    const isDone = await postgres.transaction(async (sql) => {
      const [from] = await sql.query<{ id: string }>(`select id from ${schema}.rolled for update`);
      // The first is taken however long it is.
      const [to] = await sql.query<{ id: string | null }>(
        `select max(id) as id from
         (select id, sum(bytes) over (order by id) - bytes as before from
           (select id, octet_length(body) as bytes from ${schema}.telemetry
            where id > $1 and id <= $2 order by id limit ${BATCH_ROWS}) as batch) as sized
         where before < ${BATCH_BYTES}`,
        [from?.id ?? "0", newest],
      );
      if (!to || to.id === null) return true;
      await sql.query(addMinutes(schema), [from?.id ?? "0", to.id]);
      await sql.query(`update ${schema}.rolled set id = $1`, [to.id]);
      return to.id === newest;
    });
    if (isDone) return;
  }
}

/** Name of the lock that those who write share, and that `rollUp` takes for a moment. */
export function writingLock(schema: string): string {
  return `skerry writing ${schema}`;
}

function addMinutes(schema: string): string {
  return `with good as materialized (
      select namespace, device, property, at, message, value, json from ${schema}.readings
      where message > $1 and message <= $2 and quality = 'good' and json <> 'null'
    ), fresh as (
      insert into ${schema}.series (namespace, device, property) select distinct namespace, device, property from good
      on conflict do nothing returning id, namespace, device, property
    ), known as (
      select id, namespace, device, property from ${schema}.series union all select * from fresh
    )
    insert into ${schema}.minute as minute
      select known.id, date_trunc('minute', at, 'UTC'), count(*), count(value), coalesce(sum(value), 0), min(value),
        max(value), (array_agg(json order by at desc, message desc))[1], max(at)
      from good join known using (namespace, device, property) group by 1, 2
    on conflict (series, at) do update set
      count = minute.count + excluded.count, numbers = minute.numbers + excluded.numbers,
      sum = minute.sum + excluded.sum, min = least(minute.min, excluded.min), max = greatest(minute.max, excluded.max),
      last = case when excluded.last_at >= minute.last_at then excluded.last else minute.last end,
      last_at = greatest(minute.last_at, excluded.last_at)`;
}
