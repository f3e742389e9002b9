import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { silent } from "#std/log";
import { type Database, openDatabase } from "#std/sqlite";
import { openChild } from "../../rigs/child.ts";
import { eventually } from "../../rigs/eventually.ts";
import { folder } from "../../rigs/folder.ts";
import { keptLog } from "../../rigs/log.ts";

const migrations = ["create table t (n integer unique, text text)"];
const open = (path = ":memory:", rest: object = {}) => openDatabase({ path, migrations, log: silent, ...rest });
const insert = (db: Database, n: number) => db.prepare<[number]>("insert into t (n) values (?)").run(n);
const numbers = (db: Database) =>
  db
    .prepare<[], { n: number }>("select n from t order by n")
    .all()
    .map(({ n }) => n);

describe("a group commit", () => {
  test("brings each its own result", async () => {
    using db = open();
    expect(await Promise.all([1, 2, 3].map((n) => db.commit(() => insert(db, n).changes + n)))).toEqual([2, 3, 4]);
  });

  test("undoes the work that throws and no other", async () => {
    using db = open();
    const works = [
      db.commit(() => insert(db, 1)),
      db.commit(() => {
        insert(db, 2);
        throw new Error("bug");
      }),
      db.commit(() => insert(db, 3)),
    ];
    const outcomes = await Promise.allSettled(works);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(numbers(db)).toEqual([1, 3]);
  });

  test("undoes a single work that throws", async () => {
    using db = open();
    const work = db.commit(() => {
      insert(db, 1);
      throw new Error("bug");
    });
    await expect(work).rejects.toThrow("bug");
    expect(numbers(db)).toEqual([]);
  });

  test("takes along who has time when somebody is in a hurry", async () => {
    using db = open();
    const patient = db.commit(() => insert(db, 1), 60_000);
    await db.commit(() => insert(db, 2));
    await patient;
    expect(numbers(db)).toEqual([1, 2]);
  });

  test("lets those go on whose work is on disk before the next group begins", async () => {
    using dir = folder();
    using db = open(join(dir.path, "t.db"), { syncsBehind: true });
    let isNextBegun = false;
    let next: Promise<unknown> | undefined;
    await db.commit(() => {
      insert(db, 1);
      // It comes while the first waits for the disk.
      setImmediate(() => {
        next = db.commit(() => {
          isNextBegun = true;
          insert(db, 2);
        });
      });
    });
    expect([next !== undefined, isNextBegun]).toEqual([true, false]);
    await next;
    expect(numbers(db)).toEqual([1, 2]);
  });

  test("is through when the database is closed", async () => {
    using dir = folder();
    const path = join(dir.path, "a.db");
    const db = open(path);
    const patient = db.commit(() => insert(db, 1), 60_000);
    db[Symbol.dispose]();
    await patient;
    using again = open(path);
    expect(numbers(again)).toEqual([1]);
  });

  test("tells a full disk as such, and what resolved is there", async () => {
    using db = open();
    const pages = Number(db.prepare<[], { page_count: number }>("pragma page_count").get()?.page_count);
    db.exec(`pragma max_page_count = ${pages + 2}`);
    const big = db.prepare<[number]>("insert into t values (?, zeroblob(1000000))");
    const outcomes = await Promise.allSettled([
      db.commit(() => insert(db, 1)),
      db.commit(() => big.run(2)),
      db.commit(() => insert(db, 3)),
    ]);
    const kept = outcomes.flatMap(({ status }, i) => (status === "fulfilled" ? [i + 1] : []));
    expect(numbers(db)).toEqual(kept);
    expect(outcomes[1]).toMatchObject({ status: "rejected", reason: { code: "DISK_FULL" } });
    expect(() => db.commitNow(() => big.run(4))).toThrow(expect.objectContaining({ code: "DISK_FULL" }));
  });
});

test("a row is on disk when its commit has resolved, even if the process is killed at that moment", async () => {
  using dir = folder();
  const path = join(dir.path, "a.db");
  await using child = openChild("commit", { path });
  await eventually(() => child.said.length >= 20);
  await child.kill();
  const told = Number(child.said.at(-1));
  using db = open(path);
  const kept = numbers(db);
  expect(kept.slice(0, told)).toEqual(Array.from({ length: told }, (_, i) => i + 1));
});

test("the disk is waited for at each commit", () => {
  using dir = folder();
  using db = open(join(dir.path, "a.db"));
  expect(db.prepare("pragma synchronous").get()).toEqual({ synchronous: 2 });
  expect(db.prepare("pragma journal_mode").get()).toEqual({ journal_mode: "wal" });
});

test("a corrupt file is set aside and begun anew, and said", () => {
  using dir = folder();
  const path = join(dir.path, "a.db");
  writeFileSync(path, "this was a database once, before the power went ".repeat(100));
  const log = keptLog();
  using db = open(path, { log });
  expect(numbers(db)).toEqual([]);
  expect(db.setAside).toMatch(/a\.db\.corrupt-/);
  expect(existsSync(db.setAside ?? "")).toBe(true);
  expect(log.lines).toMatchObject([{ level: "error", facts: { path, setAside: db.setAside } }]);
});

test("a file that is damaged in the middle is found at opening", () => {
  using dir = folder();
  const path = join(dir.path, "a.db");
  const db = open(path);
  const row = db.prepare("insert into t values (?, hex(randomblob(500)))");
  db.commitNow(() => {
    for (let n = 0; n < 200; n++) row.run(n);
  });
  db[Symbol.dispose]();
  const bytes = statSync(path).size;
  writeFileSync(path, Buffer.alloc(bytes / 2, 0xff), { flag: "r+" });
  using again = open(path);
  expect(again.setAside).toBeDefined();
});

test("each migration runs once", () => {
  using dir = folder();
  const path = join(dir.path, "a.db");
  const first = open(path);
  insert(first, 1);
  first[Symbol.dispose]();
  const second = open(path, { migrations: [...migrations, "update t set n = n + 10"] });
  second[Symbol.dispose]();
  using third = open(path, { migrations: [...migrations, "update t set n = n + 10"] });
  expect(numbers(third)).toEqual([11]);
});

test("a file of a newer program is left as it is", () => {
  using dir = folder();
  const path = join(dir.path, "a.db");
  open(path, { migrations: [...migrations, "select 1"] })[Symbol.dispose]();
  expect(() => open(path)).toThrow(expect.objectContaining({ code: "VERSION_UNSUPPORTED" }));
  expect(readdirSync(dir.path).filter((name) => name.includes("corrupt"))).toEqual([]);
});

test("only its user may read the file and its folder", () => {
  using dir = folder();
  using _ = open(join(dir.path, "data", "a.db"));
  expect(statSync(join(dir.path, "data")).mode & 0o777).toBe(0o700);
  expect(statSync(join(dir.path, "data", "a.db")).mode & 0o777).toBe(0o600);
});

test("a path that can not be opened is a missing permission and names itself", () => {
  using dir = folder();
  mkdirSync(join(dir.path, "folder.db"));
  writeFileSync(join(dir.path, "file"), "");
  for (const path of [join(dir.path, "folder.db"), join(dir.path, "file", "a.db")])
    expect(() => open(path)).toThrow(
      expect.objectContaining({ code: "PERMISSION_MISSING", message: expect.stringContaining(path) }),
    );
});

test("a disk that took nothing is tried again, although nobody has anything to say", async () => {
  using db = open();
  const pages = Number(db.prepare<[], { page_count: number }>("pragma page_count").get()?.page_count);
  const big = db.prepare<[number]>("insert into t values (?, zeroblob(1000000))");
  db.exec(`pragma max_page_count = ${pages}`);
  expect(() => db.commitNow(() => big.run(1))).toThrow(expect.objectContaining({ code: "DISK_FULL" }));
  await db.commit(() => numbers(db));
  expect(db.trouble).toMatchObject({ code: "DISK_FULL" });
  await eventually(() => db.trouble === undefined);
});
