import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { freePort } from "./free-port.ts";
import {
  findProgram,
  giveAway,
  lesserFolder,
  openServer,
  postgresFolders,
  runProgram,
  type Server,
} from "./programs.ts";

const folders = postgresFolders();
const [initdb, postgres] = ["initdb", "postgres"].map((name) => findProgram(name, folders));

/** Why PostgreSQL can not be tried here; undefined where it can. */
export const noPostgres = initdb && postgres ? undefined : "PostgreSQL (initdb, postgres) is not installed here";

export interface PostgresServer extends Server {
  /** For the user `skerry`, who needs the password `secret` when it is `guarded`. */
  url(database?: string, port?: number): string;
  /** Folder of its socket, where the user `owner` needs no password. */
  readonly socket: string;
  /** Asks as the one who owns everything, who needs no password. */
  query<R extends object>(text: string, database?: string): Promise<R[]>;
}

export interface PostgresRig {
  /** The user `skerry` needs a password. */
  readonly isGuarded?: boolean;
  /** PEM of certificate and key; then TCP without TLS is refused. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** More settings. */
  readonly settings?: readonly string[];
}

/** A PostgreSQL of its own, on this machine alone. Its folder goes with it. */
export async function openPostgresServer({ isGuarded, tls, settings = [] }: PostgresRig = {}): Promise<PostgresServer> {
  const folder = lesserFolder();
  const data = join(folder.path, "data");
  await runProgram(
    initdb ?? "",
    ["-D", data, "-U", "owner", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
    folder.path,
  );
  const host = tls ? "hostssl" : "host";
  const lines = [
    "local all owner trust",
    `host all owner 127.0.0.1/32 trust`,
    `${host} all all 127.0.0.1/32 ${isGuarded ? "scram-sha-256" : "trust"}`,
  ];
  put(join(data, "pg_hba.conf"), `${lines.join("\n")}\n`);
  if (tls) {
    put(join(data, "server.crt"), tls.certificate);
    put(join(data, "server.key"), tls.key);
  }
  const port = await freePort();
  const given = ["listen_addresses=127.0.0.1", `port=${port}`, `unix_socket_directories=${folder.path}`];
  const all = [...given, ...(tls ? ["ssl=on"] : []), "shared_buffers=32MB", ...settings];
  async function query<R extends object>(text: string, database = "postgres"): Promise<R[]> {
    const client = new pg.Client({ host: folder.path, port, user: "owner", database });
    client.on("error", () => {});
    try {
      await client.connect();
      return (await client.query<R>(text)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }
  const server = await openServer({
    program: postgres ?? "",
    args: ["-D", data, ...all.flatMap((setting) => ["-c", setting])],
    cwd: folder.path,
    port,
    serves: () =>
      query("select 1").then(
        () => true,
        () => false,
      ),
  });
  await query("create role skerry login password 'secret'");
  await query("create database skerry owner skerry");
  return {
    ...server,
    socket: folder.path,
    query,
    url: (database = "skerry", at = port) => `postgres://skerry@127.0.0.1:${at}/${database}`,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

function put(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o600);
  giveAway(path);
}
