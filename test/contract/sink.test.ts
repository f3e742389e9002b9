import { afterAll, describe, test } from "@jest/globals";
import { sinkConfig } from "#cloud/telemetry/config";
import { openMemorySink } from "../rigs/memory-sink.ts";
import { noNats, openNatsServer } from "../rigs/nats.ts";
import { noPostgres, openPostgresServer } from "../rigs/postgres.ts";
import { sinkRig } from "../rigs/sinks.ts";
import { keepsSinkContract } from "./sink.ts";

const sqlite = sinkConfig.parse({ kind: "sqlite" });
keepsSinkContract("SQLite", () => sinkRig(sqlite));
keepsSinkContract("an engine outside of the database", () => sinkRig(openMemorySink));

describe("PostgreSQL", () => {
  if (noPostgres) return test.skip(`is not tried here: ${noPostgres}`, () => {});
  const server = openPostgresServer();
  afterAll(async () => (await server)[Symbol.asyncDispose]());
  let schemas = 0;
  keepsSinkContract("PostgreSQL", async () => {
    const url = (await server).url();
    return sinkRig(sinkConfig.parse({ kind: "postgres", url, schema: `s${schemas++}` }));
  });
  return undefined;
});

describe("NATS", () => {
  if (noNats) return test.skip(`is not tried here: ${noNats}`, () => {});
  const server = openNatsServer();
  afterAll(async () => (await server)[Symbol.asyncDispose]());
  let streams = 0;
  keepsSinkContract("NATS JetStream", async () => {
    const name = `s${streams++}`;
    const servers = [(await server).url];
    return sinkRig(sinkConfig.parse({ kind: "nats", servers, stream: name, subject: `telemetry.${name}` }));
  });
  return undefined;
});
