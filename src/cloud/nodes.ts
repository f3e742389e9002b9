import type { Database } from "#std/sqlite";
import type { LastRun } from "./tunnel/lineage.ts";

/** A node as the cloud remembers it. Times are milliseconds since the epoch. */
export interface KnownNode {
  readonly name: string;
  readonly joinedAt: number | null;
  readonly seenAt: number | null;
  /** Since when it may not connect. */
  readonly refusedAt: number | null;
  /** When a second machine with its identity was refused last. */
  readonly duplicateAt: number | null;
}

/** Names of nodes are names of Kubernetes objects. **Source:** RFC 1123, section 2.1. */
const NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;

/** Whether this can be the name of a node. */
export function isNodeName(name: string): boolean {
  return NAME.test(name);
}

/** The nodes that ever joined or connected. */
export class Nodes {
  readonly #db: Database;
  readonly #sql;

  constructor(db: Database) {
    this.#db = db;
    this.#sql = {
      joined: db.prepare(
        `insert into node (name, joined_at) values (?, ?)
         on conflict do update set joined_at = excluded.joined_at, refused_at = null`,
      ),
      renewed: db.prepare("update node set joined_at = ? where name = ? and refused_at is null"),
      seen: db.prepare(
        "insert into node (name, seen_at) values (?, ?) on conflict do update set seen_at = excluded.seen_at",
      ),
      enter: db.prepare(
        `insert into node (name, epoch, run) values (?, ?, ?)
         on conflict do update set epoch = excluded.epoch, run = excluded.run`,
      ),
      lastRun: db.prepare<[string], LastRun>("select epoch, run from node where name = ? and run is not null"),
      duplicate: db.prepare("update node set duplicate_at = ? where name = ?"),
      refuse: db.prepare("update node set refused_at = ? where name = ?"),
      get: db.prepare<[string], KnownNode>(`${SELECT} where name = ?`),
      list: db.prepare<[], KnownNode>(`${SELECT} order by name`),
    };
  }

  /** The node has a new certificate; it may connect, also when it was refused before. */
  joined(name: string, nowMs: number): void {
    this.#db.commitNow(() => this.#sql.joined.run(name, nowMs));
  }

  /** The node has its next certificate. False when it was refused meanwhile: a renewal lets nobody in again. */
  renewed(name: string, nowMs: number): boolean {
    return this.#db.commitNow(() => this.#sql.renewed.run(nowMs, name).changes > 0);
  }

  async seen(name: string, nowMs: number): Promise<void> {
    await this.#db.commit(() => this.#sql.seen.run(name, nowMs));
  }

  /** The process that spoke for the node last. */
  lastRun(name: string): LastRun | undefined {
    return this.#sql.lastRun.get(name);
  }

  /**
   * From now on this process speaks for the node, if it goes on where the last one ended. Thousands may come at once, so
   * they share a commit; it is on disk when this resolves.
   * @returns false when it does not, and nothing was changed.
   */
  enter(name: string, { epoch, run }: LastRun, goesOn: (last: LastRun | undefined) => boolean): Promise<boolean> {
    return this.#db.commit(() => {
      if (!goesOn(this.lastRun(name))) return false;
      this.#sql.enter.run(name, epoch, run);
      return true;
    });
  }

  /** A second machine with the node's identity was refused. */
  duplicated(name: string, nowMs: number): void {
    this.#db.commitNow(() => this.#sql.duplicate.run(nowMs, name));
  }

  /** Shuts the node out until it joins anew, whatever certificate it has. False when there is no such node. */
  refuse(name: string, nowMs: number): boolean {
    return this.#db.commitNow(() => this.#sql.refuse.run(nowMs, name).changes > 0);
  }

  /** Whether a certificate of this name may connect. */
  admits(name: string): boolean {
    return isNodeName(name) && (this.get(name)?.refusedAt ?? null) === null;
  }

  get(name: string): KnownNode | undefined {
    return this.#sql.get.get(name);
  }

  list(): readonly KnownNode[] {
    return this.#sql.list.all();
  }
}

const SELECT = `select name, joined_at as joinedAt, seen_at as seenAt, refused_at as refusedAt,
  duplicate_at as duplicateAt from node`;
