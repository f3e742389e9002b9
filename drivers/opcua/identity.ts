/** Who we are to a server: the key and certificate of this node. */
import { webcrypto, X509Certificate } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Stack } from "./stack.ts";

/** An application instance certificate with its key, both PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
  /** Stands in the certificate too. **Source:** OPC 10000-6 v1.05, §6.2.2. */
  readonly applicationUri: string;
}

const NAME = "Skerry";
const DAYS = 3650;
const DAY_MS = 86_400_000;
/** A certificate begins a little before now, because the clocks of two machines differ. */
const SKEW_MS = 5 * 60_000;

/**
 * The identity in a folder, made at the first call: servers remember it, so it must last. Without a folder it is made
 * for this process alone. RSA 2048, because that is what every policy and every server takes.
 */
export async function openIdentity(stack: Stack, folder: string | undefined): Promise<Identity> {
  if (folder === undefined) return await create(stack);
  const [certificatePath, keyPath] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
  try {
    const [certificate, key] = await Promise.all([readFile(certificatePath, "utf8"), readFile(keyPath, "utf8")]);
    return { certificate, key, applicationUri: uriOf(certificate) };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  const made = await create(stack);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(keyPath, made.key, { mode: 0o600 });
  await writeFile(certificatePath, made.certificate, { mode: 0o600 });
  return made;
}

async function create({ crypto_utils: utils }: Stack): Promise<Identity> {
  const host = hostname();
  const applicationUri = `urn:${host}:${NAME}`;
  const algorithm = { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, hash: "SHA-256" };
  const publicExponent = new Uint8Array([1, 0, 1]);
  const keys = await webcrypto.subtle.generateKey({ ...algorithm, publicExponent }, true, ["sign", "verify"]);
  const { cert } = await utils.createSelfSignedCertificate({
    privateKey: keys.privateKey,
    subject: `/CN=${NAME}@${host}/O=${NAME}`,
    dns: [host],
    applicationUri,
    notBefore: new Date(Date.now() - SKEW_MS),
    notAfter: new Date(Date.now() + DAYS * DAY_MS),
    purpose: utils.CertificatePurpose.ForApplication,
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return { certificate: cert, key: pem(key), applicationUri };
}

function pem(base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
}

function uriOf(certificate: string): string {
  const names = new X509Certificate(certificate).subjectAltName ?? "";
  return /URI:([^,]+)/.exec(names)?.[1] ?? `urn:${hostname()}:${NAME}`;
}
