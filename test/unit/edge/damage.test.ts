/** What a node and a cloud do with files that a disk or a person damaged. */
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openAuthorityKeys } from "#cloud/join/authority";
import { openStore as openCloudStore } from "#cloud/store";
import { virtual } from "#drivers/virtual/index";
import { edgeConfig } from "#edge/config";
import { type Identity, loadIdentity, saveIdentity } from "#edge/identity";
import { openEdge } from "#edge/main";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { readDamaged } from "#std/sqlite";
import { eventually } from "../../rigs/eventually.ts";
import { folder } from "../../rigs/folder.ts";
import { keptLog } from "../../rigs/log.ts";
import { openTestRegistry } from "../../rigs/registry.ts";
import { virtualBoiler } from "../../rigs/virtual-boiler.ts";

const damaged = (code: string) => expect.objectContaining({ code });
const garble = (path: string) => writeFileSync(path, "no file of ours ".repeat(500));

test("a node whose databases are damaged runs, sets them aside and says so", async () => {
  using dir = folder();
  for (const name of ["edge.db", "broker.db"]) garble(join(dir.path, name));
  const log = keptLog();
  const config = edgeConfig.parse({ dataDir: dir.path, mqtt: { port: 0 }, api: { port: 0 } });
  await using edge = await openEdge(
    { config, identity: undefined, version: "test" },
    { drivers: {}, clock: systemClock, log },
  );
  expect((await fetch(`${edge.api.url}/readyz`)).status).toBe(200);
  expect(log.of("database corrupt, set aside and begun anew").length).toBe(2);
  expect(readdirSync(dir.path).filter((name) => name.includes("corrupt")).length).toBe(2);
});

test("the rows that waited in a damaged file are a gap of their device, once the cloud has declared it again", async () => {
  using dir = folder();
  const config = edgeConfig.parse({ dataDir: dir.path, mqtt: { port: 0 }, api: { port: 0 } });
  const drivers = { virtual: async () => virtual() };
  const open = () =>
    openEdge({ config, identity: undefined, version: "test" }, { drivers, clock: systemClock, log: silent });
  const boiler = virtualBoiler("boiler-1", { telemetry: { keep: "every" } });
  const first = await open();
  await first.supervisor.declare(boiler);
  await eventually(() => first.state().backlog > 5);
  await first[Symbol.asyncDispose]();
  const path = join(dir.path, "edge.db");
  const before = oldest(path);
  writeFileSync(`${path}.damaged`, "");

  const second = await open();
  await second.supervisor.declare(boiler);
  await eventually(() => second.state().backlog > 5);
  await second[Symbol.asyncDispose]();
  const gap = readDamaged<{ body: string }>(
    path,
    "select body from outbox join source on source.id = source where kind = 'gap'",
  );
  const { from, reason } = JSON.parse(gap?.body ?? "{}") as { from: number; reason: string };
  expect(reason).toBe("database lost");
  // A silence is kept by the monotonic clock, which has parts of milliseconds.
  expect(Math.abs(from - (before ?? 0))).toBeLessThanOrEqual(2);
});

const oldest = (path: string) => readDamaged<{ at: number }>(path, "select min(at) as at from outbox")?.at;

test("a damaged database of a cloud or of the registry is left as it is: what it knows is nowhere else", async () => {
  using dir = folder();
  garble(join(dir.path, "cloud.db"));
  expect(() => openCloudStore(dir.path, silent)).toThrow(damaged("DATABASE_CORRUPT"));
  garble(join(dir.path, "registry.db"));
  await expect(openTestRegistry({ database: join(dir.path, "registry.db") })).rejects.toThrow(
    damaged("DATABASE_CORRUPT"),
  );
  expect(readdirSync(dir.path).sort()).toEqual(["cloud.db", "registry.db"]);
});

describe("a file of an authority", () => {
  test.each<[string, (path: string) => void]>([
    ["certificate that is empty", (folder) => truncateSync(join(folder, "ca.crt"))],
    ["key that is empty", (folder) => truncateSync(join(folder, "ca.key"))],
    ["key that is gone", (folder) => rmSync(join(folder, "ca.key"))],
    ["certificate that has no sense", (folder) => garble(join(folder, "ca.crt"))],
  ])("a %s is told; no other authority takes its place", async (_, damage) => {
    using dir = folder();
    await openAuthorityKeys(dir.path, silent);
    damage(join(dir.path, "authority"));
    const left = readdirSync(join(dir.path, "authority"));
    await expect(openAuthorityKeys(dir.path, silent)).rejects.toThrow(damaged("IDENTITY_DAMAGED"));
    expect(readdirSync(join(dir.path, "authority"))).toEqual(left);
  });
});

describe("an identity", () => {
  const make = async (dataDir: string) => {
    const { certificate, key } = await openAuthorityKeys(join(dataDir, "cloud"), silent);
    const it: Identity = { node: "site-a", tunnel: "wss://localhost:1", authority: certificate, certificate, key };
    saveIdentity(dataDir, it);
    return { it, path: join(dataDir, "identity.json") };
  };

  test.each<[string, (path: string, it: Identity) => void]>([
    ["is empty", (path) => truncateSync(path)],
    ["is cut in half", (path) => truncateSync(path, readFileSync(path).length >> 1)],
    ["has no sense", (path) => garble(path)],
    [
      "has a certificate that has no sense",
      (path, it) => writeFileSync(path, JSON.stringify({ ...it, certificate: "x" })),
    ],
    ["lacks its key", (path, { key: _, ...it }) => writeFileSync(path, JSON.stringify(it))],
  ])("that %s is told, with what to do", async (_, damage) => {
    using dir = folder();
    const { it, path } = await make(dir.path);
    expect(loadIdentity(dir.path)).toEqual(it);
    damage(path, it);
    expect(() => loadIdentity(dir.path)).toThrow(damaged("IDENTITY_DAMAGED"));
  });
});
