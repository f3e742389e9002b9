import { afterAll, beforeAll, describe, test } from "@jest/globals";
import { sinkConfig } from "#cloud/telemetry/config";
import { openMemorySink } from "../rigs/memory-sink.ts";
import { type NatsServer, noNats, openNatsServer } from "../rigs/nats.ts";
import { noPostgres, openPostgresServer, type PostgresServer } from "../rigs/postgres.ts";
import { sinkRig } from "../rigs/sinks.ts";
import { keepsSinkContract } from "./sink.ts";

const sqlite = sinkConfig.parse({ kind: "sqlite" });
keepsSinkContract("SQLite", () => sinkRig(sqlite));
keepsSinkContract("an engine outside of the database", () => sinkRig(openMemorySink));

describe("PostgreSQL", () => {
  if (noPostgres) return test.skip(`is not tried here: ${noPostgres}`, () => {});
  let server: PostgresServer;
  beforeAll(async () => {
    server = await openPostgresServer();
  }, 60_000);
  afterAll(async () => server[Symbol.asyncDispose]());
  let schemas = 0;
  keepsSinkContract("PostgreSQL", async () => {
    return sinkRig(sinkConfig.parse({ kind: "postgres", url: server.url(), schema: `s${schemas++}` }));
  });
  return undefined;
});

describe("NATS", () => {
  if (noNats) return test.skip(`is not tried here: ${noNats}`, () => {});
  let server: NatsServer;
  beforeAll(async () => {
    server = await openNatsServer();
  }, 60_000);
  afterAll(async () => server[Symbol.asyncDispose]());
  let streams = 0;
  keepsSinkContract("NATS JetStream", async () => {
    const name = `s${streams++}`;
    const servers = [server.url];
    return sinkRig(sinkConfig.parse({ kind: "nats", servers, stream: name, subject: `telemetry.${name}` }));
  });
  return undefined;
});
