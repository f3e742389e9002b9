import type { Database } from "#std/sqlite";
import type { Grant } from "#wire/messages";

/**
 * The cloud's word for which devices this node may speak. They are kept when a device is moved or deleted: what was
 * read before has still to be told, and the grant shows that it was read with right.
 */
export class Grants {
  readonly #db: Database;
  readonly #sql;

  constructor(db: Database) {
    this.#db = db;
    this.#sql = {
      keep: db.prepare("insert into permit values (?, ?, ?) on conflict do update set permit = excluded.permit"),
      get: db.prepare<[string, string], { grant: string }>(
        'select permit as "grant" from permit where namespace = ? and device = ?',
      ),
    };
  }

  /** Resolves when it is on disk. */
  async keep({ namespace, device, grant }: Grant): Promise<void> {
    await this.#db.commit(() => this.#sql.keep.run(namespace, device, grant));
  }

  /** Undefined for a device that no cloud has declared here. */
  of({ namespace, device }: Omit<Grant, "grant">): Grant | undefined {
    const found = this.#sql.get.get(namespace, device);
    return found && { namespace, device, ...found };
  }
}
