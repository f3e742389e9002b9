import type { SinkConfig } from "#cloud/telemetry/config";
import { sinkConfig } from "#cloud/telemetry/config";
import { noNats, openNatsServer } from "./nats.ts";
import { noPostgres, openPostgresServer } from "./postgres.ts";
import type { Server } from "./programs.ts";

/** A telemetry engine that a test starts, kills and reaches as it likes. */
export interface Engine {
  readonly name: string;
  /** Why it can not be tried here; undefined where it can. */
  readonly obstacle: string | undefined;
  open(): Promise<Server>;
  /** What a cloud is told to use it. @param port - of the server, or of a way to it. */
  config(port: number): SinkConfig;
  /** What the client says when it wants something kept for good. */
  readonly keeps: string;
}

/** The engines outside of the cloud's database. */
export const engines: readonly Engine[] = [
  {
    name: "PostgreSQL",
    obstacle: noPostgres,
    open: openPostgresServer,
    config: (port) => sinkConfig.parse({ kind: "postgres", url: `postgres://skerry@127.0.0.1:${port}/skerry` }),
    keeps: "commit\0",
  },
  {
    name: "NATS JetStream",
    obstacle: noNats,
    open: openNatsServer,
    config: (port) => sinkConfig.parse({ kind: "nats", servers: [`nats://127.0.0.1:${port}`] }),
    keeps: "HPUB skerry.telemetry",
  },
];
