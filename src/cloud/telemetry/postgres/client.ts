/** The one door of `pg`, which is loaded when a cloud is told to use it. */
import { once } from "node:events";
import { createSecureContext } from "node:tls";
import type { Pool, PoolClient, PoolConfig } from "pg";
import { Fault } from "#std/fault";
import type { PostgresConfig } from "../config.ts";
import { tlsFor } from "../config.ts";
import type { Connection } from "../reach.ts";
import { type Environment, readPapers, readSecret } from "../secret.ts";

/** What one can ask within a transaction. */
export interface Sql {
  query<R>(text: string, values?: readonly unknown[]): Promise<readonly R[]>;
  /** Sends rows in PostgreSQL's binary format. */
  copy(text: string, rows: Buffer): Promise<void>;
}

/** A few connections to one database. */
export interface Postgres extends Connection, Pick<Sql, "query"> {
  /** Runs work in a transaction: all of it takes effect, or nothing. Whether, is unknown when the connection is lost. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** The same on a connection that nobody else uses, so that those who write never wait for those who read. */
  write<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
}

const CONNECT_MS = 5_000;
/** Less than a node waits for its cloud, so that a hung database does not cost the nodes their connection. */
const ANSWER_MS = 15_000;
/** Beside the one that writes. */
const READERS = 4;

/** Opens a pool and tries it. @throws {Fault} `CONFIG_INVALID` when the server refuses us; others when it is away. */
export async function openPostgres(config: PostgresConfig, environment: Environment): Promise<Postgres> {
  const options = optionsOf(config, environment);
  const { default: pg } = await import("pg");
  const { from } = await import("pg-copy-streams");
  const [readers, writer] = [new pg.Pool({ ...options, max: READERS }), new pg.Pool({ ...options, max: 1 })];
  let end = (_: unknown) => {};
  const ended = new Promise<unknown>((resolve) => {
    end = resolve;
  });
  // A connection that waits in its pool was cut: the server went.
  for (const pool of [readers, writer]) pool.on("error", end);

  function sqlOf(client: PoolClient): Sql {
    return {
      async query<R>(text: string, values: readonly unknown[] = []) {
        const { rows } = await client.query(text, [...values]);
        return rows as R[];
      },
      async copy(text, rows) {
        const stream = client.query(from(text));
        // One error is ours; what breaks after it is nobody's.
        stream.on("error", () => {});
        const sent = once(stream, "finish", { signal: AbortSignal.timeout(ANSWER_MS) });
        stream.end(rows);
        await sent;
      },
    };
  }

  async function transaction<T>(pool: Pool, work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    // While it is ours the pool does not hear its errors; the work that is under way fails of them.
    const ignore = () => {};
    client.on("error", ignore);
    let isBroken = true;
    try {
      await client.query("begin");
      const done = await work(sqlOf(client));
      await client.query("commit");
      isBroken = false;
      return done;
    } finally {
      client.off("error", ignore);
      client.release(isBroken);
    }
  }

  const postgres: Postgres = {
    ended,
    async query<R>(text: string, values: readonly unknown[] = []) {
      const { rows } = await readers.query(text, [...values]);
      return rows as R[];
    },
    transaction: (work) => transaction(readers, work),
    write: (work) => transaction(writer, work),
    async [Symbol.asyncDispose]() {
      await Promise.all([readers.end(), writer.end()]);
    },
  };
  try {
    await postgres.query("select 1");
    return postgres;
  } catch (error) {
    await postgres[Symbol.asyncDispose]();
    throw refusalOf(error) ?? error;
  }
}

function optionsOf({ url, passwordFrom, tls }: PostgresConfig, environment: Environment): PoolConfig {
  const { hostname, port, username, pathname } = new URL(url);
  const host = decodeURIComponent(hostname).replace(/^\[(.*)\]$/, "$1") || "127.0.0.1";
  const files = tlsFor(host, tls);
  const { authority, certificate, key } = files ? readPapers(files) : {};
  const ssl = {
    minVersion: "TLSv1.2" as const,
    ...(authority === undefined ? {} : { ca: authority }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  };
  if (files) checkPapers(ssl);
  return {
    host,
    port: port === "" ? 5432 : Number(port),
    ...(username === "" ? {} : { user: decodeURIComponent(username) }),
    ...(passwordFrom ? { password: readSecret(passwordFrom, environment) } : {}),
    ...(pathname.length > 1 ? { database: decodeURIComponent(pathname.slice(1)) } : {}),
    ssl: files ? ssl : false,
    application_name: "skerry",
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: ANSWER_MS,
    keepAlive: true,
  };
}

function checkPapers(papers: { ca?: string; cert?: string; key?: string }): void {
  try {
    createSecureContext(papers);
  } catch (cause) {
    throw new Fault("CONFIG_INVALID", `telemetry: the files of tls are of no use: ${wordsOf(cause)}`, { cause });
  }
}

/** What a server says that must be mended by a person, by its SQLSTATE. **Source:** PostgreSQL manual, appendix A. */
const REFUSALS: Readonly<Record<string, string>> = {
  "28000": "Correct the user, or pg_hba.conf of the server.",
  "28P01": "Correct the user, or what passwordFrom names.",
  "3D000": "Create the database, or correct its name in the URL.",
  "42501": "Grant the user create on the database, or create the schema and make the user its owner.",
};

/** The fault for what the server or its certificate will say again; undefined when another try may go well. */
export function refusalOf(error: unknown): Fault | undefined {
  const code = codeOf(error);
  const message = `PostgreSQL refuses us: ${wordsOf(error)}`;
  const hint = REFUSALS[code];
  if (hint !== undefined) return new Fault("CONFIG_INVALID", message, { cause: error, hint });
  if (/^(ERR_TLS|ERR_SSL|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)|does not support SSL/.test(`${code}${wordsOf(error)}`))
    return new Fault("CONFIG_INVALID", message, {
      cause: error,
      hint: "Give the authority of the server's certificate in tls, and the host as it stands in the certificate.",
    });
  if (/password must be a string|no password/i.test(wordsOf(error)))
    return new Fault("CONFIG_INVALID", message, {
      cause: error,
      hint: "The server wants a password: give passwordFrom.",
    });
  return undefined;
}

function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
