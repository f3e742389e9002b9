import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { execute } from "#cli/program";
import { loadIdentity, saveIdentity } from "#edge/identity";
import { Outbox } from "#edge/outbox";
import { openStore } from "#edge/store";
import { silent } from "#std/log";
import { createAuthority } from "#std/x509";
import { openChild } from "../../rigs/child.ts";
import { eventually } from "../../rigs/eventually.ts";
import { folder } from "../../rigs/folder.ts";
import { fakeWorld } from "./fake-world.ts";

const { certificate, key } = await createAuthority("site-a", 1);
const identity = { node: "site-a", tunnel: "wss://x:1", authority: certificate, certificate, key };
const LIMITS = { limitBytes: 1e9, limitMs: 1e15 };

async function run(line: string) {
  const world = fakeWorld();
  return { code: await execute(line.split(" "), world), ...world.said };
}

test("a node is backed up while it writes, and restored with its identity, its rows, and numbers that nobody used", async () => {
  using dir = folder();
  const [dataDir, file, copy] = [join(dir.path, "edge"), join(dir.path, "site-a.tar"), join(dir.path, "copy")];
  await using writer = openChild("append", { dataDir });
  await eventually(() => writer.said.length > 50, 20_000);
  saveIdentity(dataDir, identity);
  const before = Number(writer.said.at(-1));
  expect(await run(`backup --data-dir ${dataDir} --file ${file}`)).toMatchObject({ code: 0, err: "" });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const [busy, again] = [
    await run(`restore --file ${file} --data-dir ${dataDir}`),
    await run(`backup --data-dir ${dataDir} --file ${file}`),
  ];
  expect([busy.code, busy.err]).toEqual([1, expect.stringContaining("is open in a process that runs")]);
  expect([again.code, again.err]).toEqual([2, expect.stringContaining("is there already")]);
  await writer.kill();

  expect(await run(`restore --file ${file} --data-dir ${copy}`)).toMatchObject({ code: 0, err: "" });
  expect(loadIdentity(copy)).toEqual(identity);
  using lost = openStore(dataDir, silent);
  using store = openStore(copy, silent);
  expect(store.epoch).toBe(lost.epoch);
  const [old, outbox] = [new Outbox(lost.db, LIMITS), new Outbox(store.db, LIMITS)];
  const rows = outbox.read(1, 1e9, 1e9);
  expect(rows.length).toBeGreaterThan(0);
  expect(old.head).toBeGreaterThanOrEqual(before);
  for (const row of rows) expect(old.read(row.seq, row.seq, 1e9)).toEqual([row]);
  await outbox.append({ device: "d", namespace: "n", kind: "event", at: 0, body: "new" });
  expect(outbox.head).toBeGreaterThan(old.head + 1e12);
  expect(outbox.read(old.head + 1, outbox.head, 1e9).map(({ body }) => body)).toEqual(["new"]);
});

test("a backup that was damaged or cut changes nothing", async () => {
  using dir = folder();
  const [dataDir, file, copy] = [join(dir.path, "edge"), join(dir.path, "a.tar"), join(dir.path, "copy")];
  openStore(dataDir, silent)[Symbol.dispose]();
  await run(`backup --data-dir ${dataDir} --file ${file}`);
  const whole = readFileSync(file);
  const damaged = Buffer.from(whole);
  damaged[whole.length - 5_000] = (damaged[whole.length - 5_000] ?? 0) ^ 1;
  for (const [bytes, message] of [
    [damaged, "was damaged"],
    [whole.subarray(0, whole.length - 5_000), "ends in the middle"],
    [Buffer.alloc(2_000, "x"), "is no archive"],
    [Buffer.alloc(2_048), "is not whole"],
  ] as const) {
    writeFileSync(file, bytes);
    const { code, err } = await run(`restore --file ${file} --data-dir ${copy}`);
    expect([code, err]).toEqual([1, expect.stringContaining(message)]);
    expect([existsSync(copy), existsSync(`${copy}.restoring`)]).toEqual([false, false]);
  }
});

test("a folder is replaced only when that was said, and one that is no data directory is not backed up", async () => {
  using dir = folder();
  const [dataDir, file] = [join(dir.path, "edge"), join(dir.path, "a.tar")];
  openStore(dataDir, silent)[Symbol.dispose]();
  await run(`backup --data-dir ${dataDir} --file ${file}`);
  writeFileSync(join(dataDir, "other"), "x");
  expect((await run(`restore --file ${file} --data-dir ${dataDir}`)).err).toContain("is not empty");
  expect((await run(`restore --file ${file} --data-dir ${dataDir} --replace`)).code).toBe(0);
  expect(existsSync(join(dataDir, "other"))).toBe(false);
  expect((await run(`backup --data-dir ${dir.path}/none --file ${dir.path}/b`)).err).toContain("is no data directory");
});
