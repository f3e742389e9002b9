import type { Range, Row } from "#wire/messages";
import { add, has, union } from "#wire/ranges";
import type { Batch } from "../sink.ts";
import type { Sql } from "./client.ts";
import { type Column, clean, encodeCopy } from "./copy.ts";
import { rowBytes } from "./retention.ts";
import { writingLock } from "./rollup.ts";
import { isSound } from "./sound.ts";

interface Source {
  readonly id: number;
  readonly node: string;
  readonly epoch: string;
  readonly ranges: readonly Range[];
}

/** A source as it is to be after the batches. */
interface Change {
  readonly source: Source;
  ranges: readonly Range[];
  rows: number;
  bytes: number;
}

/** Writes what is new of some batches, within the caller's transaction. Returns how many rows that were. */
export async function writeBatches(sql: Sql, schema: string, batches: readonly Batch[]): Promise<number> {
  await sql.query(
    `select pg_advisory_xact_lock_shared(hashtextextended($1, 0)), set_config('synchronous_commit',
     replace(current_setting('synchronous_commit'), 'off', 'on'), true)`,
    [writingLock(schema)],
  );
  await writeLayouts(sql, schema, batches);
  const changes = await changesOf(sql, schema, batches);
  const rows: Column[][] = [];
  for (const batch of batches) {
    const change = changes.get(keyOf(batch));
    if (!change) continue;
    for (const row of batch.rows) {
      if (has(change.ranges, row.seq)) continue;
      change.ranges = add(change.ranges, [row.seq, row.seq]);
      change.rows++;
      change.bytes += rowBytes(row);
      rows.push(columnsOf(change.source.id, row, batch.takenAt));
    }
    // Events and what was dropped have numbers too; with them the ranges melt into one here as they do in the cloud.
    change.ranges = union(change.ranges, batch.have);
  }
  if (rows.length > 0)
    await sql.copy(`copy ${schema}.telemetry (${COLUMNS}) from stdin (format binary)`, encodeCopy(rows));
  const told = [...changes.values()];
  await sql.query(
    `update ${schema}.source set ranges = new.ranges, rows = source.rows + new.rows, bytes = source.bytes + new.bytes
     from unnest($1::int[], $2::text[], $3::bigint[], $4::bigint[]) as new (id, ranges, rows, bytes)
     where source.id = new.id`,
    [
      told.map(({ source }) => source.id),
      told.map(({ ranges }) => JSON.stringify(ranges)),
      told.map((change) => change.rows),
      told.map(({ bytes }) => bytes),
    ],
  );
  return rows.length;
}

const COLUMNS = "source, seq, namespace, device, at, taken_at, layout, sound, body";

function columnsOf(source: number, row: Row, takenAt: number): Column[] {
  const { seq, namespace, device, at, body, layout } = row;
  return [
    { int4: source },
    { int8: seq },
    { text: namespace },
    { text: device },
    { timestamptz: at },
    { timestamptz: takenAt },
    layout === undefined ? null : { text: layout },
    { bool: isSound(body, layout !== undefined) },
    { text: body },
  ];
}

async function writeLayouts(sql: Sql, schema: string, batches: readonly Batch[]): Promise<void> {
  for (const { id, names } of batches.flatMap(({ layouts }) => layouts))
    await sql.query(`insert into ${schema}.layout values ($1, $2) on conflict do nothing`, [
      clean(id),
      names.map(clean),
    ]);
}

/** What the histories of these batches have, locked until the end of the transaction, in one order for all. */
async function changesOf(sql: Sql, schema: string, batches: readonly Batch[]): Promise<Map<string, Change>> {
  const sources = new Map(batches.map((batch) => [keyOf(batch), batch]));
  const names = [...sources.values()].map(({ node }) => clean(node));
  const epochs = [...sources.values()].map(({ epoch }) => clean(epoch));
  const find = `select id, node, epoch, ranges from ${schema}.source
    where (node, epoch) in (select * from unnest($1::text[], $2::text[])) order by id for update`;
  type Found = Omit<Source, "ranges"> & { readonly ranges: string };
  let found = await sql.query<Found>(find, [names, epochs]);
  if (found.length < sources.size) {
    await sql.query(
      `insert into ${schema}.source (node, epoch) select * from unnest($1::text[], $2::text[]) on conflict do nothing`,
      [names, epochs],
    );
    found = await sql.query<Found>(find, [names, epochs]);
  }
  return new Map(
    found.map((it) => {
      const ranges = JSON.parse(it.ranges) as Range[];
      return [keyOf(it), { source: { ...it, ranges }, ranges, rows: 0, bytes: 0 }];
    }),
  );
}

function keyOf({ node, epoch }: Pick<Batch, "node" | "epoch">): string {
  return `${clean(node)}\0${clean(epoch)}`;
}
