import type { Database } from "#std/sqlite";
import type { Range } from "#wire/messages";
import type { RowName } from "./names.ts";

/** Up to which message all of a stream is noted. */
export interface Mark {
  /** When the stream was created; another one of its name begins anew. */
  readonly created: string;
  readonly number: number;
}

/**
 * What the cloud's database knows of the stream: a mark, up to which every message is noted as come, and strays, which
 * are messages behind it that are not. What writes is called within the caller's transaction.
 */
export class Notes {
  readonly #sql;
  readonly #stream: string;

  constructor(db: Database, stream: string) {
    this.#sql = prepare(db);
    this.#stream = stream;
  }

  get mark(): Mark | undefined {
    return this.#sql.mark.get(this.#stream);
  }

  setMark({ created, number }: Mark): void {
    this.#sql.setMark.run(this.#stream, created, number);
  }

  /** Numbers of a history that the cloud counts as come. */
  noted(node: string, epoch: string): readonly Range[] {
    const { ranges } = this.#sql.ranges.get(node, epoch) ?? {};
    return ranges === undefined ? [] : (JSON.parse(ranges) as Range[]);
  }

  addStray({ node, epoch, seq }: RowName, nowMs: number): void {
    this.#sql.addStray.run(this.#stream, node, epoch, seq, nowMs);
  }

  /** Numbers of a history that are in the stream although the cloud did not note them. */
  strays(node: string, epoch: string): ReadonlySet<number> {
    return new Set(this.#sql.strays.all(this.#stream, node, epoch).map(({ seq }) => seq));
  }

  dropStrays(node: string, epoch: string, seqs: Iterable<number>): void {
    for (const seq of seqs) this.#sql.dropStray.run(this.#stream, node, epoch, seq);
  }

  /** Forgets strays of nodes that did not come again as long as anything is kept. */
  prune(beforeMs: number): void {
    this.#sql.prune.run(this.#stream, beforeMs);
  }

  /** Names (JSON) of a layout. */
  names(layout: string): string | undefined {
    return this.#sql.names.get(layout)?.names;
  }
}

function prepare(db: Database) {
  return {
    mark: db.prepare<[string], Mark>("select created, number from stream where name = ?"),
    setMark: db.prepare("insert or replace into stream (name, created, number) values (?, ?, ?)"),
    ranges: db.prepare<[string, string], { ranges: string }>("select ranges from source where node = ? and epoch = ?"),
    addStray: db.prepare("insert or ignore into stray (stream, node, epoch, seq, at) values (?, ?, ?, ?, ?)"),
    strays: db.prepare<[string, string, string], { seq: number }>(
      "select seq from stray where stream = ? and node = ? and epoch = ?",
    ),
    dropStray: db.prepare("delete from stray where stream = ? and node = ? and epoch = ? and seq = ?"),
    prune: db.prepare("delete from stray where stream = ? and at < ?"),
    names: db.prepare<[string], { names: string }>("select names from layout where id = ?"),
  };
}
