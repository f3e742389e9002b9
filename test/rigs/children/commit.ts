/** Commits rows one after the other and says of each that it is on disk, until somebody kills it. */
import { silent } from "#std/log";
import { openDatabase } from "#std/sqlite";

const { path } = JSON.parse(process.argv[2] ?? "{}") as { path: string };
const db = openDatabase({ path, migrations: ["create table t (n integer)"], log: silent });
const insert = db.prepare<[number]>("insert into t values (?)");
for (let n = 1; ; n++) {
  await db.commit(() => insert.run(n));
  process.send?.(n);
}
