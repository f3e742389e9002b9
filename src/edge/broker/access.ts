import { type Identity, openOnLoopback, ownerOf, type Rights, rightsOf } from "./acl.ts";
import { type AclRule, isLoopback, type MqttUser } from "./config.ts";
import { createUsers, type Users } from "./users.ts";

/** Where a connection comes from and what its TLS handshake proved. */
export interface Peer {
  readonly address: string;
  /** Common name of a client certificate that the listener's authority signed. */
  readonly certificate: string | undefined;
}

export interface AccessConfig {
  readonly users: readonly MqttUser[];
  readonly acl?: readonly AclRule[] | undefined;
}

/** Owners whose rights are kept at hand. */
const MOST_RIGHTS = 1000;

/** Who may come in, and what he may do then. */
export class Access {
  #users: Users;
  #rules: readonly AclRule[];
  readonly #rights = new Map<string, Rights>();

  constructor({ users, acl }: AccessConfig) {
    this.#users = createUsers(users);
    this.#rules = acl ?? openOnLoopback;
  }

  /** Takes other tables, both at once, and returns the users who are gone or have another password now. */
  reload({ users, acl }: AccessConfig): ReadonlySet<string> {
    const before = this.#users;
    this.#users = createUsers(users);
    this.#rules = acl ?? openOnLoopback;
    this.#rights.clear();
    return new Set(before.names.filter((name) => before.hash(name) !== this.#users.hash(name)));
  }

  /** Who this is; 4 or 5 is the code of the refusal. **Source:** MQTT 3.1.1, table 3.1. */
  async identify(
    { address, certificate }: Peer,
    name: string | undefined,
    password: Uint8Array | undefined,
    isWanted: () => boolean,
  ): Promise<Identity | 4 | 5> {
    if (certificate !== undefined) return { is: "certificate", name: certificate };
    if (name !== undefined && name !== "") {
      const users = this.#users;
      const isRight = await users.verify(name, password ?? new Uint8Array(), isWanted);
      // The check takes its time; what counts is the table of now.
      return isRight && users.hash(name) === this.#users.hash(name) ? { is: "user", name } : 4;
    }
    return isLoopback(address) ? { is: "anonymous" } : 5;
  }

  rights(identity: Identity): Rights {
    const owner = ownerOf(identity);
    const known = this.#rights.get(owner);
    if (known) return known;
    if (this.#rights.size >= MOST_RIGHTS) this.#rights.clear();
    // A row for every user is not for one who is none any more.
    const isGone = identity.is === "user" && this.#users.hash(identity.name) === undefined;
    const rights = rightsOf(identity, isGone ? [] : this.#rules);
    this.#rights.set(owner, rights);
    return rights;
  }
}
