/** Files of a database as a power cut, a bad disk or a person may leave them. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { openDatabase } from "#std/sqlite";
import { folder } from "../../rigs/folder.ts";
import { keptLog } from "../../rigs/log.ts";

const migrations = ["create table t (n integer primary key, text text); create index t_text on t (text)"];
const textOf = (n: number) => `${n} `.repeat(200);
const ROWS = 300;

/** Half of the rows are in the file, the others in its log, as after a kill. */
function leftBehind(dir: string): string {
  const path = join(dir, "live.db");
  using db = openDatabase({ path, migrations, log: keptLog() });
  const insert = db.prepare<[number, string]>("insert into t values (?, ?)");
  const fill = (from: number, to: number) =>
    db.commitNow(() => {
      for (let n = from; n < to; n++) insert.run(n, textOf(n));
    });
  fill(0, ROWS / 2);
  db.prepare("pragma wal_checkpoint(TRUNCATE)").all();
  fill(ROWS / 2, ROWS);
  const left = join(dir, "left.db");
  for (const suffix of ["", "-wal", "-shm"]) copyFileSync(path + suffix, left + suffix);
  return left;
}

const garble = (path: string, from: number, bytes: number) => {
  const all = readFileSync(path);
  all.fill(0xa5, from, from + bytes);
  writeFileSync(path, all);
};
const half = (path: string) => truncateSync(path, Math.floor(statSync(path).size / 2));
const middle = (path: string) => Math.floor(statSync(path).size / 2 / 4096) * 4096;

const aside: Readonly<Record<string, (path: string) => void>> = {
  "is empty": (path) => truncateSync(path, 0),
  "is cut in half, and its log is gone": (path) => {
    half(path);
    truncateSync(`${path}-wal`, 0);
  },
  "has another header": (path) => {
    // In the log there may be a good one, and then nothing is lost.
    truncateSync(`${path}-wal`, 0);
    garble(path, 0, 100);
  },
  "has no sense in the middle": (path) => {
    truncateSync(`${path}-wal`, 0);
    garble(path, middle(path), 4096);
  },
  "is something else": (path) => writeFileSync(path, "a letter ".repeat(1000)),
  "proved damaged when it was used": (path) => writeFileSync(`${path}.damaged`, ""),
};

test.each(Object.entries(aside))("a file that %s is set aside, told, and never read", (_, damage) => {
  using dir = folder();
  const path = leftBehind(dir.path);
  damage(path);
  const log = keptLog();
  {
    using db = openDatabase({ path, migrations, log });
    expect(db.setAside).toBeDefined();
    expect(existsSync(db.setAside ?? "")).toBe(true);
    expect(db.prepare("select * from t").all()).toEqual([]);
    db.prepare("insert into t values (1, 'new')").run();
  }
  expect(log.lines.map(({ level, phrase }) => [level, phrase])).toEqual([
    ["error", "database corrupt, set aside and begun anew"],
  ]);
  using again = openDatabase({ path, migrations, log });
  expect(again.setAside).toBeUndefined();
  expect(again.prepare("select n from t").all()).toEqual([{ n: 1 }]);
});

const prefix: Readonly<Record<string, (path: string) => void>> = {
  "log is cut": (path) => half(`${path}-wal`),
  "log has no sense in the middle": (path) => garble(`${path}-wal`, middle(`${path}-wal`), 4096),
  "log has another header": (path) => garble(`${path}-wal`, 0, 32),
  "index of the log has no sense": (path) => garble(`${path}-shm`, 0, 32_768),
  "index of the log is empty": (path) => truncateSync(`${path}-shm`, 0),
};

test.each(Object.entries(prefix))(
  "a file whose %s opens with what was committed before, and nothing else",
  (what, damage) => {
    using dir = folder();
    const path = leftBehind(dir.path);
    damage(path);
    using db = openDatabase({ path, migrations, log: keptLog() });
    const rows = db.prepare<[], { n: number; text: string }>("select * from t order by n").all();
    expect(rows).toEqual(
      Array.from({ length: what.startsWith("index") ? ROWS : ROWS / 2 }, (_, n) => ({ n, text: textOf(n) })),
    );
  },
);

test("damage that is met in use is told, does not heal, and has the next start begin anew", async () => {
  using dir = folder();
  const path = leftBehind(dir.path);
  const log = keptLog();
  {
    using db = openDatabase({ path, migrations, log });
    db.prepare("pragma wal_checkpoint(TRUNCATE)").all();
    // Behind its back, as a disk does it; the cache must be too small to hide it.
    db.exec("pragma cache_size = 1");
    garble(path, 8192, statSync(path).size - 8192);
    await expect(db.commit(() => db.prepare("select sum(length(text)) from t").all())).rejects.toMatchObject({
      code: "DATABASE_CORRUPT",
    });
    expect(() => db.prepare("select sum(length(text)) from t").all()).toThrow(
      expect.objectContaining({ code: "DATABASE_CORRUPT" }),
    );
    expect(db.trouble).toMatchObject({ code: "DATABASE_CORRUPT" });
    await db.commit(() => undefined);
    expect(db.trouble).toMatchObject({ code: "DATABASE_CORRUPT" });
  }
  expect(log.of("the disk takes nothing").length).toBe(1);
  using again = openDatabase({ path, migrations, log });
  expect(again.setAside).toBeDefined();
});

test("a file that may not be opened, or is of a newer program, is left as it is, with a hint", () => {
  using dir = folder();
  const path = leftBehind(dir.path);
  openDatabase({ path, migrations: [...migrations, "select 1"], log: keptLog() })[Symbol.dispose]();
  const hint = expect.stringContaining("newer version");
  expect(() => openDatabase({ path, migrations, log: keptLog() })).toThrow(
    expect.objectContaining({ code: "VERSION_UNSUPPORTED", detail: { hint } }),
  );
  mkdirSync(join(dir.path, "folder.db"));
  expect(() => openDatabase({ path: join(dir.path, "folder.db"), migrations, log: keptLog() })).toThrow(
    expect.objectContaining({ code: "PERMISSION_MISSING" }),
  );
});
