import type { Clock } from "#std/clock";
import type { Log } from "#std/log";
import type { Database } from "#std/sqlite";
import type { SinkConfig } from "./config.ts";
import type { Environment } from "./secret.ts";
import type { Retention, TelemetrySink } from "./sink.ts";
import { SqliteSink } from "./sqlite-sink.ts";

/** What a sink needs of its surroundings. */
export interface SinkPorts {
  /** The cloud's own database: what has come is noted there. */
  readonly db: Database;
  readonly retention: Retention;
  readonly environment: Environment;
  readonly log: Log;
  readonly clock: Clock;
}

/** Opens the sink that is configured; its packages are loaded for that. @throws {Fault} `CONFIG_INVALID` when refused. */
export async function openSink(config: SinkConfig, ports: SinkPorts): Promise<TelemetrySink> {
  switch (config.kind) {
    case "sqlite":
      return new SqliteSink(ports.db);
    case "postgres":
      return (await import("./postgres/sink.ts")).openPostgresSink(config, ports);
    case "nats":
      return (await import("./nats/sink.ts")).openNatsSink(config, ports);
  }
}
