import { createHash, X509Certificate } from "node:crypto";
import { Fault } from "#std/fault";

/** Who a certificate says it is: what a person needs to decide whether to trust it. */
export interface Certificate {
  readonly subject: string;
  readonly issuer: string;
  /** SHA-256 of the DER bytes, lower-case hex: what a link pins. */
  readonly fingerprint: string;
  /** SHA-1 of the same, upper-case hex: the "thumbprint" that servers and their tools show. */
  readonly thumbprint: string;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
}

/**
 * Describes the first certificate of a chain.
 * @throws {Fault} `ANSWER_INVALID` when the bytes are none.
 */
export function describe(chain: Uint8Array): Certificate {
  const der = leaf(chain);
  try {
    const { subject, issuer, validFrom, validTo } = new X509Certificate(der);
    return {
      subject: line(subject),
      issuer: line(issuer),
      fingerprint: hash("sha256", der),
      thumbprint: hash("sha1", der).toUpperCase(),
      notBefore: new Date(validFrom).toISOString(),
      notAfter: new Date(validTo).toISOString(),
    };
  } catch (cause) {
    throw new Fault("ANSWER_INVALID", "the server shows a certificate that can not be read", { cause });
  }
}

/**
 * The server's own certificate; those that issued it follow it without a separator.
 * **Source:** OPC 10000-6 v1.05, §6.2.6; X.690 §8.1.3 for the length of a DER sequence.
 */
export function leaf(chain: Uint8Array): Uint8Array {
  const form = chain[1] ?? 0;
  if (chain[0] !== 0x30 || form === 0x80 || form > 0x84) return chain;
  if (form < 0x80) return chain.subarray(0, 2 + form);
  let length = 0;
  for (const byte of chain.subarray(2, 2 + form - 0x80)) length = length * 256 + byte;
  return chain.subarray(0, 2 + form - 0x80 + length);
}

function hash(algorithm: "sha1" | "sha256", der: Uint8Array): string {
  return createHash(algorithm).update(der).digest("hex");
}

function line(name: string | undefined): string {
  return (name ?? "").split("\n").join(", ");
}
