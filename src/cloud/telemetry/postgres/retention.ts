import type { Row } from "#wire/messages";
import type { Retention } from "../sink.ts";
import type { Postgres } from "./client.ts";
import { clean } from "./copy.ts";
import { momentOf } from "./moment.ts";

/** What a row costs beside its body, with its part of the indices. Measured by `npm run bench sinks`. */
const ROW_BYTES = 200;
const PRUNE_ROWS = 5_000;

/** What is kept, by the books of the sources; counting would read it all. */
export interface Stock {
  readonly rows: number;
  readonly bytes: number;
}

/** Bytes that a row is reckoned with. */
export function rowBytes({ body }: Pick<Row, "body">): number {
  return ROW_BYTES + Buffer.byteLength(clean(body));
}

/** What is kept now. */
export async function stockOf(postgres: Postgres, schema: string): Promise<Stock> {
  const [stock] = await postgres.query<Stock>(
    `select coalesce(sum(rows), 0)::float8 as rows, coalesce(sum(bytes), 0)::float8 as bytes from ${schema}.source`,
  );
  return stock ?? { rows: 0, bytes: 0 };
}

/**
 * Takes away what is over the limits, a batch at a time, the oldest arrival first. Room that is freed is used again;
 * the server gives it back to the disk only by `vacuum full`, so the bytes are those of the rows, not of the files.
 */
export async function prune(
  postgres: Postgres,
  schema: string,
  { keepMs, keepRows, keepBytes, keepMinutesMs = keepMs }: Retention,
  nowMs: number,
): Promise<number> {
  let gone = 0;
  for (;;) {
    const { rows, bytes } = await stockOf(postgres, schema);
    const excess = Math.max(rows - keepRows, bytes > keepBytes ? PRUNE_ROWS : 0);
    const most = excess > 0 ? Math.min(PRUNE_ROWS, excess) : PRUNE_ROWS;
    const before = excess > 0 ? "infinity" : momentOf(nowMs - keepMs);
    const went = await pruneSome(postgres, schema, most, before);
    gone += went;
    if (went === 0) break;
  }
  await postgres.query(`delete from ${schema}.minute where at < $1`, [momentOf(nowMs - keepMinutesMs)]);
  return gone;
}

function pruneSome(postgres: Postgres, schema: string, most: number, before: string): Promise<number> {
  return postgres.transaction(async (sql) => {
    // In the order in which writers take them, so that none waits for the other forever.
    await sql.query(`select id from ${schema}.source order by id for update`);
    const went = await sql.query<{ rows: number }>(
      `with old as (
         select id from ${schema}.telemetry where id <= (select id from ${schema}.rolled) order by id limit $1
       ), gone as (
         delete from ${schema}.telemetry using old where telemetry.id = old.id and taken_at < $2
         returning source, octet_length(body) + ${ROW_BYTES} as bytes
       ), each as (
         select source, count(*) as rows, sum(bytes) as bytes from gone group by source
       )
       update ${schema}.source set rows = source.rows - each.rows, bytes = source.bytes - each.bytes
       from each where source.id = each.source returning each.rows::float8 as rows`,
      [most, before],
    );
    return went.reduce((sum, { rows }) => sum + rows, 0);
  });
}
