import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { Postgres } from "./client.ts";
import { refusalOf } from "./client.ts";

/** Oldest server that has all we use. */
const OLDEST = 13;

/** SQL scripts, oldest first, `@` is the schema; the schema remembers how many it has seen. Never change a released one. */
const migrations = [
  `-- A history of a node: which of its numbers are here (JSON ranges), how many rows it has, and their bytes.
   create table @.source (
     id integer generated always as identity primary key, node text not null, epoch text not null,
     ranges text not null default '[]', rows bigint not null default 0, bytes bigint not null default 0,
     unique (node, epoch)
   );
   -- Names of the values of packed messages.
   create table @.layout (id text primary key, names text[] not null);
   -- Messages as they came, in the order in which they did. The views take apart those that are sound.
   create table @.telemetry (
     id bigint generated always as identity primary key, source integer not null, seq bigint not null,
     namespace text not null, device text not null, at timestamptz not null, taken_at timestamptz not null,
     layout text, sound boolean not null, body text not null
   );
   create index telemetry_device on @.telemetry (namespace, device, at);
   create table @.series (
     id integer generated always as identity primary key, namespace text not null, device text not null,
     property text not null, unique (namespace, device, property)
   );
   -- Minutes of telemetry, kept longer than the messages; and the last message that is in them.
   create table @.minute (
     series integer not null, at timestamptz not null, count bigint not null, numbers bigint not null,
     sum double precision not null, min double precision, max double precision, last jsonb not null,
     last_at timestamptz not null, primary key (series, at)
   );
   create index minute_at on @.minute (at);
   create table @.rolled (id bigint not null);
   insert into @.rolled values (0);

   -- A number as SQL has it; null when it is none, or beyond a double.
   create function @.number_of(value jsonb) returns double precision language sql immutable parallel safe as $$
     select case when jsonb_typeof(value) = 'number' and (value::numeric = 0
       or abs(value::numeric) between 1e-300 and 1.797693134862315e308) then value::double precision end
   $$;
   -- Values of messages, a row for each. Not-good ones have their reason as quality.
   create view @.readings as
     select telemetry.at, namespace, device, property, @.number_of(item) as value, item #>> '{}' as text,
       coalesce(reason, 'good') as quality, node, telemetry.id as message, item as json
     from @.telemetry
     join @.source on source.id = telemetry.source
     left join @.layout on layout.id = telemetry.layout
     cross join lateral (select case when sound then body::jsonb end as whole offset 0) as message
     cross join lateral (
       select coalesce(names[place], (place - 1)::text) as property, item, whole -> 2 ->> (place - 1)::text as reason
       from jsonb_array_elements(case when telemetry.layout is not null then whole -> 1 end)
         with ordinality as packed (item, place)
       union all
       select key, value, whole -> 'bad' ->> key
       from jsonb_each(case when telemetry.layout is null then whole -> 'values' end)
       union all
       select key, null, value #>> '{}'
       from jsonb_each(case when telemetry.layout is null then whole -> 'bad' end)
       where not whole -> 'values' ? key
     ) as taken;
   -- Minutes: least, greatest, mean, number and last of the good values.
   create view @.minutes as
     select at, namespace, device, property, min, max, case when numbers > 0 then sum / numbers end as avg, count,
       last #>> '{}' as last
     from @.minute join @.series on series.id = series;`,
];

/**
 * Brings the schema to where this program wants it; two clouds that start at once do not meet.
 * @throws {Fault} `VERSION_UNSUPPORTED`, `CONFIG_INVALID` when the user may not.
 */
export async function prepareTables(postgres: Postgres, schema: string, log: Log): Promise<void> {
  const [server] = await postgres.query<{ version: number; encoding: string; fsync: string }>(
    `select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding,
     current_setting('fsync') as fsync`,
  );
  const { version = 0, encoding = "", fsync = "on" } = server ?? {};
  if (fsync === "off")
    log.warn("PostgreSQL does not sync, a power cut may lose what nodes were told is kept", { schema });
  if (version < OLDEST * 10_000)
    throw new Fault("VERSION_UNSUPPORTED", `PostgreSQL is of version ${version / 10_000}; ${OLDEST} is the oldest`);
  if (encoding !== "UTF8")
    throw new Fault("CONFIG_INVALID", `the database has the encoding ${encoding}, and must have UTF8`);
  try {
    await postgres.transaction(async (sql) => {
      await sql.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [`skerry tables ${schema}`]);
      const [here] = await sql.query("select 1 from pg_namespace where nspname = $1", [schema]);
      if (!here) await sql.query(`create schema ${schema}`);
      await sql.query(`create table if not exists ${schema}.version (seen integer not null)`);
      const [{ seen } = { seen: 0 }] = await sql.query<{ seen: number }>(`select seen from ${schema}.version`);
      if (seen > migrations.length)
        throw new Fault("VERSION_UNSUPPORTED", `schema ${schema} was written by a newer version of Skerry (${seen})`);
      for (const script of migrations.slice(seen)) await sql.query(script.replaceAll("@.", `${schema}.`));
      await sql.query(`delete from ${schema}.version`);
      await sql.query(`insert into ${schema}.version values ($1)`, [migrations.length]);
    });
  } catch (error) {
    throw refusalOf(error) ?? error;
  }
}
