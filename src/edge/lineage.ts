import { createHash, randomUUID } from "node:crypto";
import { isDiskFault } from "#std/disk-fault";
import type { Database } from "#std/sqlite";
import type { EdgeMessage } from "#wire/messages";

type Hello = Extract<EdgeMessage, { kind: "hello" }>;

/** Processes that are remembered: a cloud that was restored from a backup may know an old one last. */
const MOST_RUNS = 100;

/**
 * Which processes have spoken from this data directory: by that the cloud tells a restart from a copy of the directory
 * on a second machine. Each process has an id, on disk before it says hello.
 */
export class Lineage {
  /** The first number of a row that the cloud can not have heard from this directory before this process. */
  readonly first: number;
  readonly #db: Database;
  readonly #sql;
  readonly #run = randomUUID();

  /** @param head - the highest number that was given before this process. */
  constructor(db: Database, head: number) {
    this.#db = db;
    this.#sql = prepare(db);
    // What a process wrote that was never welcome counts as written by the next one.
    this.first = this.#sql.unheard.get()?.first ?? head + 1;
    try {
      db.commitNow(() => this.#begin());
    } catch (error) {
      // A full disk must not keep the site from running; before the hello it is tried again.
      if (!isDiskFault(error)) throw error;
    }
  }

  /** What a hello says of it. On disk before it is said. @param certificate - the one that is shown with it. */
  hello(certificate: string): Pick<Hello, "epoch" | "runs" | "restored"> {
    return this.#db.commitNow(() => {
      this.#begin();
      const refused = this.#sql.get.get("refused")?.value;
      // It joined anew after it had been refused: from here on it is another history than that of the other machine.
      if (refused !== undefined && refused !== hashOf(certificate)) {
        this.#sql.set.run("epoch", randomUUID());
        this.#sql.unset.run("refused");
      }
      this.#sql.say.run(this.#run);
      const restored = this.#sql.get.get("restored") !== undefined;
      const epoch = this.#sql.get.get("epoch")?.value ?? "";
      const runs = this.#sql.said.all().map(({ id }) => id);
      return { epoch, runs, ...(restored ? { restored } : {}) };
    });
  }

  /** The cloud took it for the node, and the outbox knows what it has. */
  welcomed(): void {
    this.#db.commitNow(() => {
      this.#sql.welcome.run(this.#run);
      this.#sql.unset.run("restored");
      this.#sql.unset.run("refused");
    });
  }

  /** The cloud took another one for the node, while this certificate was shown. */
  refused(certificate: string): void {
    this.#db.commitNow(() => this.#sql.set.run("refused", hashOf(certificate)));
  }

  #begin(): void {
    if (this.#sql.isKnown.get(this.#run)) return;
    this.#sql.forgetUnsaid.run();
    this.#sql.add.run(this.#run, this.first);
    this.#sql.prune.run(MOST_RUNS);
  }
}

function hashOf(certificate: string): string {
  return createHash("sha256").update(certificate).digest("hex");
}

function prepare(db: Database) {
  return {
    isKnown: db.prepare<[string], unknown>("select 1 from run where id = ?"),
    unheard: db.prepare<[], { first: number }>(
      `select first from run where rowid > (select coalesce(max(rowid), 0) from run where welcome = 1)
       order by rowid limit 1`,
    ),
    forgetUnsaid: db.prepare("delete from run where said = 0"),
    add: db.prepare("insert into run (id, first) values (?, ?)"),
    prune: db.prepare("delete from run where rowid not in (select rowid from run order by rowid desc limit ?)"),
    say: db.prepare("update run set said = 1 where id = ? and said = 0"),
    said: db.prepare<[], { id: string }>("select id from run where said = 1 order by rowid"),
    welcome: db.prepare("update run set welcome = 1 where id = ? and welcome = 0"),
    get: db.prepare<[string], { value: string }>("select value from meta where key = ?"),
    set: db.prepare("insert into meta values (?, ?) on conflict do update set value = excluded.value"),
    unset: db.prepare("delete from meta where key = ?"),
  };
}
