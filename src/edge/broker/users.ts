import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import type { MqttUser } from "./config.ts";

/** 2^14 × 8 × 128 bytes = 16 MiB and some 40 ms: costly to guess, cheap enough for a small box. */
const COST = { N: 16_384, r: 8, p: 1 } as const;
const KEY_BYTES = 32;
/** Checks at once; the rest waits. Each takes 16 MiB. */
const MOST_AT_ONCE = 2;

/** The hash of a password as it stands in the configuration: `scrypt$N$r$p$salt$key`. */
export async function hashPassword(password: string, salt = randomBytes(16)): Promise<string> {
  const key = await derive(Buffer.from(password), salt, KEY_BYTES, COST);
  return ["scrypt", COST.N, COST.r, COST.p, salt.toString("base64"), key.toString("base64")].join("$");
}

/** Checks passwords. An unknown name takes as long as a wrong password. */
export interface Users {
  readonly names: readonly string[];
  /** The hash of a user's password; undefined for a name nobody has. */
  hash(name: string): string | undefined;
  /** @param isWanted - is asked when its turn comes: who went away meanwhile costs nothing. */
  verify(name: string, password: Uint8Array, isWanted?: () => boolean): Promise<boolean>;
}

export function createUsers(users: readonly MqttUser[]): Users {
  const hashes = new Map(users.map(({ name, password }) => [name, password]));
  const nobody = ["scrypt", COST.N, COST.r, COST.p, "AAAAAAAAAAAAAAAAAAAAAA==", "A".repeat(43)].join("$");
  let running = 0;
  const waiting: (() => void)[] = [];

  async function turn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= MOST_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await work();
    } finally {
      running--;
      waiting.shift()?.();
    }
  }

  return {
    names: [...hashes.keys()],
    hash: (name) => hashes.get(name),
    async verify(name, password, isWanted = () => true) {
      const hash = hashes.get(name);
      const right = await turn(async () => isWanted() && (await isRight(password, hash ?? nobody)));
      return right && hash !== undefined;
    },
  };
}

async function isRight(password: Uint8Array, hash: string): Promise<boolean> {
  const [, N, r, p, salt = "", key = ""] = hash.split("$");
  const expected = Buffer.from(key, "base64");
  if (expected.length < 16) return false;
  const options = { N: Number(N), r: Number(r), p: Number(p), maxmem: 64 * 1024 * 1024 };
  const found = await derive(password, Buffer.from(salt, "base64"), expected.length, options);
  return timingSafeEqual(found, expected);
}

function derive(password: Uint8Array, salt: Buffer, bytes: number, options: ScryptOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, bytes, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
