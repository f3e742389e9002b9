import "reflect-metadata";
import { createHash, webcrypto, X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { Fault } from "./fault.ts";

x509.cryptoProvider.set(webcrypto);

/** A certificate with its private key, both PEM (the key PKCS #8). */
export interface Credentials {
  readonly certificate: string;
  readonly key: string;
}

/** Whom a certificate names and what it may be used for. */
export interface Subject {
  /** CN: the identity. */
  readonly commonName: string;
  /** O, repeated: the groups. */
  readonly organizations?: readonly string[];
  /** DNS names and IP addresses of a server. */
  readonly hosts?: readonly string[];
  readonly usage: "server" | "client";
  /** Time from now until it expires, in days. */
  readonly days: number;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** A certificate begins a little before now, because the clocks of two machines differ. */
const SKEW_MS = 5 * 60_000;

/** Creates a self-signed certificate authority with an ECDSA P-256 key. */
export async function createAuthority(commonName: string, days: number): Promise<Credentials> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    notBefore: new Date(Date.now() - SKEW_MS),
    notAfter: new Date(Date.now() + days * DAY_MS),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

/** Creates a key and a certificate for it. */
export async function issue(authority: Credentials, subject: Subject): Promise<Credentials> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  return { certificate: await certify(authority, keys.publicKey, subject), key: await exportKey(keys.privateKey) };
}

/** Creates a key that stays here and a request (PKCS #10, PEM) that may travel. */
export async function createRequest(commonName: string): Promise<{ readonly request: string; readonly key: string }> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm: ALGORITHM,
  });
  return { request: request.toString("pem"), key: await exportKey(keys.privateKey) };
}

/**
 * Certifies the key of a request. The subject comes from the caller alone; whatever name the request carries is ignored.
 * @throws {Fault} `IDENTITY_REFUSED` when the request is no request or its holder does not have the key.
 */
export async function sign(authority: Credentials, request: string, subject: Subject): Promise<string> {
  let parsed: x509.Pkcs10CertificateRequest;
  try {
    parsed = new x509.Pkcs10CertificateRequest(request);
    if (!(await parsed.verify())) throw new Fault("IDENTITY_REFUSED", "the request is not signed by its own key");
  } catch (cause) {
    if (Fault.is(cause)) throw cause;
    throw new Fault("IDENTITY_REFUSED", "the certificate request can not be read", { cause });
  }
  return certify(authority, await parsed.publicKey.export(), subject);
}

/** SHA-256 of the certificate's DER bytes, in lower-case hex: what a join token pins. */
export function fingerprint(certificate: string): string {
  return createHash("sha256").update(new X509Certificate(certificate).raw).digest("hex");
}

async function certify(authority: Credentials, publicKey: webcrypto.CryptoKey, subject: Subject): Promise<string> {
  const { commonName, organizations = [], hosts = [], usage, days } = subject;
  const issuer = new x509.X509Certificate(authority.certificate);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ CN: [commonName] }, ...organizations.map((name) => ({ O: [name] }))],
    issuer: issuer.subject,
    notBefore: new Date(Date.now() - SKEW_MS),
    notAfter: new Date(Math.min(Date.now() + days * DAY_MS, issuer.notAfter.getTime())),
    signingAlgorithm: ALGORITHM,
    publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[usage === "server" ? "serverAuth" : "clientAuth"]]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ...(hosts.length > 0 ? [new x509.SubjectAlternativeNameExtension(hosts.map(alternative))] : []),
    ],
  });
  return certificate.toString("pem");
}

function alternative(host: string): { type: "ip" | "dns"; value: string } {
  return { type: /^[\d.]+$|:/.test(host) ? "ip" : "dns", value: host };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), x509.PemConverter.PrivateKeyTag);
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(pem), ALGORITHM, false, ["sign"]);
}
