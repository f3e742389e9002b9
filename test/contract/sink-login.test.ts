/** Who is let in by a telemetry engine, and what a cloud says at its start when it is not. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { nkeys } from "@nats-io/transport-node";
import { openStore } from "#cloud/store";
import { type SinkConfig, sinkConfig } from "#cloud/telemetry/config";
import { openSink } from "#cloud/telemetry/open-sink";
import { systemClock } from "#std/clock";
import { Fault } from "#std/fault";
import { silent } from "#std/log";
import { folder } from "../rigs/folder.ts";
import { noNats, openNatsServer } from "../rigs/nats.ts";
import { noPostgres, openPostgresServer } from "../rigs/postgres.ts";
import { enough } from "../rigs/sinks.ts";
import { papers } from "../rigs/tls.ts";

const environment = { THE_PASSWORD: "secret", WRONG_PASSWORD: "guess" };
const right = { environment: "THE_PASSWORD" };

/** Opens the sink, and says whether its engine answers. */
async function attempt(config: SinkConfig): Promise<boolean> {
  using db = openStore(":memory:", silent);
  await using sink = await openSink(config, { db, retention: enough, environment, log: silent, clock: systemClock });
  return sink.isUp;
}

/** What a cloud would say of it at its start. */
async function refusal(config: SinkConfig): Promise<{ readonly message: string; readonly hint: unknown }> {
  try {
    await attempt(config);
  } catch (error) {
    if (Fault.is(error, "CONFIG_INVALID")) return { message: error.message, hint: error.detail.hint };
    throw error;
  }
  throw new Error("it was let in");
}

test("a secret in a URL, a wrong scheme and ways that contradict each other are refused with the field", () => {
  const problems = (config: object) => sinkConfig.safeParse(config).error?.issues.map(({ message }) => message);
  expect(problems({ kind: "postgres", url: "postgres://skerry:secret@db/skerry" })).toEqual([
    "has a password in it; put that into passwordFrom",
  ]);
  expect(problems({ kind: "postgres", url: "mysql://db/skerry" })?.[0]).toMatch("does not begin with postgres");
  expect(problems({ kind: "postgres", url: "db" })).toEqual(["is no URL"]);
  expect(problems({ kind: "postgres", url: "postgres://db/a?sslmode=disable" })?.[0]).toMatch("has parameters");
  expect(problems({ kind: "postgres", url: "postgres://db/a", schema: "a; drop" })).toHaveLength(1);
  expect(problems({ kind: "nats", servers: ["nats://token@a"] })?.[0]).toMatch("has a user or token in it");
  expect(problems({ kind: "nats", servers: [] })).toHaveLength(1);
  expect(problems({ kind: "nats", servers: ["nats://a"], user: "u" })).toEqual(["user and passwordFrom go together"]);
  expect(problems({ kind: "nats", servers: ["nats://a"], subject: "a.>" })).toHaveLength(1);
  const two = { user: "u", passwordFrom: right, nkeyFrom: right };
  expect(problems({ kind: "nats", servers: ["nats://a"], ...two })).toEqual([
    "give one of user, nkeyFrom and credentialsFrom",
  ]);
});

test("an engine that nobody answers for does not stop a cloud from starting", async () => {
  expect(await attempt(sinkConfig.parse({ kind: "postgres", url: "postgres://127.0.0.1:1/skerry" }))).toBe(false);
  expect(await attempt(sinkConfig.parse({ kind: "nats", servers: ["nats://127.0.0.1:1"] }))).toBe(false);
});

describe("PostgreSQL", () => {
  if (noPostgres) return test.skip(`is not tried here: ${noPostgres}`, () => {});
  const parse = (rest: object) => sinkConfig.parse({ kind: "postgres", ...rest });

  test("lets in who has the password, and says what is wrong otherwise", async () => {
    await using server = await openPostgresServer({ isGuarded: true });
    const url = server.url();
    using dir = folder();
    const file = join(dir.path, "password");
    writeFileSync(file, "secret\n");
    expect(await attempt(parse({ url, passwordFrom: right }))).toBe(true);
    expect(await attempt(parse({ url, passwordFrom: { file } }))).toBe(true);
    const wrong = { environment: "WRONG_PASSWORD" };
    expect(await refusal(parse({ url, passwordFrom: wrong }))).toMatchObject({
      message: expect.stringMatching(/password authentication failed/),
      hint: "Correct the user, or what passwordFrom names.",
    });
    expect((await refusal(parse({ url }))).hint).toMatch("give passwordFrom");
    expect((await refusal(parse({ url, passwordFrom: { environment: "NO_SUCH" } }))).message).toMatch("NO_SUCH");
    expect((await refusal(parse({ url, passwordFrom: { file: `${file}.not` } }))).message).toMatch("can not be read");
    const nowhere = server.url("nowhere");
    expect((await refusal(parse({ url: nowhere, passwordFrom: right }))).hint).toMatch("Create the database");
    await server.query("create role guest login password 'secret'");
    const guest = url.replace("skerry@", "guest@");
    expect((await refusal(parse({ url: guest, passwordFrom: right, schema: "theirs" }))).hint).toMatch(
      "Grant the user",
    );
    // Two clouds that start at once make one schema, and a schema of the future is left alone.
    const both = { url, passwordFrom: right, schema: "shared" };
    expect(await Promise.all([1, 2, 3].map(() => attempt(parse(both))))).toEqual([true, true, true]);
    await server.query("update shared.version set seen = 99", "skerry");
    await expect(attempt(parse(both))).rejects.toMatchObject({ code: "VERSION_UNSUPPORTED" });
    await server.query("create database old encoding 'LATIN1' template template0 owner skerry");
    const old = { url: server.url("old"), passwordFrom: right };
    expect((await refusal(parse(old))).message).toMatch("must have UTF8");
  }, 60_000);

  test("is reached over TLS, and only when its certificate is right", async () => {
    const [own, other] = [await papers(), await papers("Another")];
    await using server = await openPostgresServer({ isGuarded: true, tls: own.cloud });
    using dir = folder();
    const authority = join(dir.path, "authority.pem");
    const stranger = join(dir.path, "stranger.pem");
    writeFileSync(authority, own.authority);
    writeFileSync(stranger, other.authority);
    const [url, passwordFrom] = [server.url(), right];
    expect(await attempt(parse({ url, passwordFrom, tls: { authority } }))).toBe(true);
    expect((await refusal(parse({ url, passwordFrom, tls: { authority: stranger } }))).hint).toMatch("authority");
    expect((await refusal(parse({ url, passwordFrom, tls: {} }))).hint).toMatch("authority");
    // The server does not talk to those who come without.
    expect((await refusal(parse({ url, passwordFrom, tls: false }))).message).toMatch(/no encryption|pg_hba/);
    expect((await refusal(parse({ url, passwordFrom, tls: { authority: join(dir.path, "not") } }))).message).toMatch(
      "can not be read",
    );
  }, 60_000);

  test("without TLS is told from one that has it", async () => {
    await using server = await openPostgresServer();
    expect((await refusal(parse({ url: server.url(), tls: {} }))).message).toMatch("does not support SSL");
  }, 60_000);

  return undefined;
});

describe("NATS", () => {
  if (noNats) return test.skip(`is not tried here: ${noNats}`, () => {});
  const parse = (url: string, rest: object = {}) => sinkConfig.parse({ kind: "nats", servers: [url], ...rest });

  test("lets in users and nkeys, and says what is wrong otherwise", async () => {
    const key = nkeys.createUser();
    const users = `{ user: skerry, password: secret }, { nkey: ${key.getPublicKey()} }`;
    await using server = await openNatsServer({ configuration: `authorization { users: [ ${users} ] }` });
    using dir = folder();
    const seed = join(dir.path, "seed");
    writeFileSync(seed, key.getSeed());
    const user = "skerry";
    expect(await attempt(parse(server.url, { user, passwordFrom: right }))).toBe(true);
    expect(await attempt(parse(server.url, { nkeyFrom: { file: seed } }))).toBe(true);
    const wrong = { environment: "WRONG_PASSWORD" };
    expect((await refusal(parse(server.url, { user, passwordFrom: wrong }))).hint).toMatch("Correct the user");
    expect((await refusal(parse(server.url))).hint).toMatch("Correct the user");
  }, 60_000);

  test("without JetStream, or too small for the limits, says so", async () => {
    await using plain = await openNatsServer({ hasJetStream: false });
    expect((await refusal(parse(plain.url))).hint).toMatch("-js");
    await using server = await openNatsServer();
    expect((await refusal(parse(server.url, { replicas: 3 }))).hint).toMatch("replicas");
  }, 60_000);

  test("is reached over TLS, and only when its certificate is right", async () => {
    const [own, other] = [await papers(), await papers("Another")];
    using dir = folder();
    const [certificate, key, authority, stranger] = ["cert", "key", "authority", "stranger"].map((name) =>
      join(dir.path, name),
    ) as [string, string, string, string];
    for (const [file, text] of [
      [certificate, own.cloud.certificate],
      [key, own.cloud.key],
      [authority, own.authority],
      [stranger, other.authority],
    ] as const)
      writeFileSync(file, text);
    const configuration = `tls { cert_file: "${certificate}", key_file: "${key}" }`;
    await using server = await openNatsServer({ configuration, owns: dir.path });
    expect(await attempt(parse(server.url, { tls: { authority } }))).toBe(true);
    expect((await refusal(parse(server.url, { tls: { authority: stranger } }))).hint).toMatch("authority");
    expect((await refusal(parse(server.url))).hint).toMatch("authority");
  }, 60_000);

  test("a stream that is something else is left alone", async () => {
    await using server = await openNatsServer();
    expect(await attempt(parse(server.url, { subject: "other" }))).toBe(true);
    expect((await refusal(parse(server.url))).message).toMatch("its subjects are without skerry.telemetry.>");
  }, 60_000);

  return undefined;
});
