import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Database } from "#std/sqlite";
import { formatToken, type JoinToken } from "#wire/join";
import { isNodeName } from "../nodes.ts";

/** A token as lists show it: everything but the secret. Times are milliseconds since the epoch. */
export interface TokenInfo {
  readonly id: string;
  readonly node: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly usedAt: number | null;
  readonly revokedAt: number | null;
}

interface TokenRow extends TokenInfo {
  readonly hash: string;
}

/** How long a token is listed after its end. */
const REMEMBER_MS = 30 * 86_400_000;
const SELECT = `select id, node, hash, created_at as createdAt, expires_at as expiresAt,
  used_at as usedAt, revoked_at as revokedAt from token`;

/** The tokens by which machines become nodes: each for one node, for once, and for a while. */
export class Tokens {
  readonly #db: Database;
  readonly #fingerprint: string;
  readonly #clock: Clock;
  readonly #sql;

  /** @param fingerprint - of the authority that the tokens pin. */
  constructor(db: Database, fingerprint: string, clock: Clock) {
    this.#db = db;
    this.#fingerprint = fingerprint;
    this.#clock = clock;
    this.#sql = {
      insert: db.prepare("insert into token values (?, ?, ?, ?, ?, null, null)"),
      get: db.prepare<[string], TokenRow>(`${SELECT} where id = ?`),
      list: db.prepare<[], TokenRow>(`${SELECT} order by created_at, id`),
      use: db.prepare("update token set used_at = ? where id = ? and used_at is null"),
      revoke: db.prepare("update token set revoked_at = ? where id = ? and used_at is null and revoked_at is null"),
      prune: db.prepare("delete from token where expires_at < ?"),
    };
  }

  /**
   * A new token for a node. This text is the only place where the secret is.
   * @throws {Fault} `USAGE_INVALID` when no node can have that name.
   */
  create(node: string, ttlMs: number): string {
    if (!isNodeName(node))
      throw new Fault("USAGE_INVALID", `"${node}" can not name a node: use lower-case letters, digits, '-' and '.'`);
    const now = this.#clock.now();
    const token = {
      id: randomBytes(6).toString("hex"),
      secret: randomBytes(32).toString("base64url"),
      fingerprint: this.#fingerprint,
    };
    this.#db.commitNow(() => {
      this.#sql.prune.run(now - REMEMBER_MS);
      this.#sql.insert.run(token.id, hashOf(token), node, now, now + ttlMs);
    });
    return formatToken(token);
  }

  /** The node that a token is for, as long as it can be used. @throws {Fault} `TOKEN_INVALID`. */
  check(token: JoinToken): string {
    const row = this.#sql.get.get(token.id);
    const refuse = (why: string) => new Fault("TOKEN_INVALID", `the token ${why}`, { token: token.id });
    if (token.fingerprint !== this.#fingerprint) throw refuse("is of another cloud");
    // One answer for an unknown id and a wrong secret: ids are no secrets, but nobody should learn them here.
    if (!row || !timingSafeEqual(Buffer.from(row.hash), Buffer.from(hashOf(token)))) throw refuse("is not known here");
    if (row.revokedAt !== null) throw refuse("was revoked");
    if (row.usedAt !== null) throw refuse("was used already");
    if (row.expiresAt <= this.#clock.now()) throw refuse("has expired");
    return row.node;
  }

  /** Uses the token up. @returns the node. @throws {Fault} `TOKEN_INVALID`, for all but the first who try. */
  redeem(token: JoinToken): string {
    return this.#db.commitNow(() => {
      const node = this.check(token);
      this.#sql.use.run(this.#clock.now(), token.id);
      return node;
    });
  }

  list(): readonly TokenInfo[] {
    return this.#sql.list.all().map(({ hash: _, ...info }) => info);
  }

  /** True when there was such a token and it had not been used. */
  revoke(id: string): boolean {
    return this.#db.commitNow(() => this.#sql.revoke.run(this.#clock.now(), id).changes > 0);
  }
}

function hashOf({ id, secret }: JoinToken): string {
  return createHash("sha256").update(`${id}.${secret}`).digest("hex");
}
