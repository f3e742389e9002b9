import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#std/fault";
import { parse, z } from "#std/schema";

/** Who a node is and whom it trusts: made by joining, kept in its data directory, readable by its user alone. */
export const identity = z.strictObject({
  node: z.string(),
  /** Such as `wss://cloud.example.com:7443`. */
  tunnel: z.string(),
  authority: z.string(),
  certificate: z.string(),
  key: z.string(),
});
export type Identity = z.infer<typeof identity>;

const FILE = "identity.json";

/**
 * The identity in a data directory; undefined when the node has not joined.
 * @throws {Fault} `IDENTITY_DAMAGED`, `PERMISSION_MISSING`
 */
export function loadIdentity(dataDir: string): Identity | undefined {
  const path = join(dataDir, FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new Fault("PERMISSION_MISSING", `${path} can not be read`, { cause: error });
  }
  try {
    const it = parse(identity, JSON.parse(text), path);
    if (new X509Certificate(it.certificate).checkPrivateKey(createPrivateKey(it.key))) return it;
    throw new Error("the key is not the certificate's");
  } catch (cause) {
    throw new Fault(
      "IDENTITY_DAMAGED",
      `${path} is not an identity: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  }
}

/** Keeps an identity. @throws {Fault} `PERMISSION_MISSING` */
export function saveIdentity(dataDir: string, it: Identity): void {
  const path = join(dataDir, FILE);
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    // Written beside and renamed, so that a kill in the middle leaves the old identity or the new one, never half.
    writeFileSync(`${path}.new`, `${JSON.stringify(it, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(`${path}.new`, path);
  } catch (cause) {
    throw new Fault("PERMISSION_MISSING", `${path} can not be written`, { cause });
  }
}
