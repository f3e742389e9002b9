import type { Database } from "#std/sqlite";

/** A node as the cloud remembers it. Times are milliseconds since the epoch. */
export interface KnownNode {
  readonly name: string;
  readonly joinedAt: number | null;
  readonly seenAt: number | null;
}

/** Names of nodes are names of Kubernetes objects. **Source:** RFC 1123, section 2.1. */
const NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;

/** Whether this can be the name of a node. */
export function isNodeName(name: string): boolean {
  return NAME.test(name);
}

/** The nodes that ever joined or connected. */
export class Nodes {
  readonly #sql;

  constructor(db: Database) {
    this.#sql = {
      joined: db.prepare(
        "insert into node values (?, ?, null) on conflict do update set joined_at = excluded.joined_at",
      ),
      seen: db.prepare("insert into node values (?, null, ?) on conflict do update set seen_at = excluded.seen_at"),
      get: db.prepare<[string], KnownNode>(`${SELECT} where name = ?`),
      list: db.prepare<[], KnownNode>(`${SELECT} order by name`),
    };
  }

  joined(name: string, nowMs: number): void {
    this.#sql.joined.run(name, nowMs);
  }

  seen(name: string, nowMs: number): void {
    this.#sql.seen.run(name, nowMs);
  }

  get(name: string): KnownNode | undefined {
    return this.#sql.get.get(name);
  }

  list(): readonly KnownNode[] {
    return this.#sql.list.all();
  }
}

const SELECT = "select name, joined_at as joinedAt, seen_at as seenAt from node";
