import { createPrivateKey, hkdfSync, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import { type Credentials, createAuthority, fingerprint, issue, sign } from "#std/x509";

/** The cloud's own certificate authority: what it certified is a node of this cloud, and nothing else is. */
export interface Authority {
  /** Its certificate, PEM. */
  readonly certificate: string;
  /** SHA-256 of that, lower-case hex: what join tokens pin. */
  readonly fingerprint: string;
  /** What this cloud shows to its nodes: the present one. */
  readonly server: Credentials;
  /** Makes a new one of those when it is time; true when it did. */
  renewServer(): Promise<boolean>;
  /** 32 bytes for one purpose, the same as long as the authority's key is. */
  secret(purpose: string): Uint8Array;
  /**
   * Certifies the key of a request for a node, for 30 days.
   * @throws {Fault} `IDENTITY_REFUSED` when it is no request, or not made by the holder of the key.
   */
  certify(node: string, request: string): Promise<string>;
}

export interface AuthorityOptions {
  /** A folder, or `:memory:`. */
  readonly dataDir: string;
  /** Names and addresses under which nodes reach this cloud. */
  readonly hosts: readonly string[];
  readonly log: Log;
  readonly clock: Clock;
}

const AUTHORITY_DAYS = 3650;
const SERVER_DAYS = 730;
const NODE_DAYS = 30;
/** A certificate is renewed when less than this part of its life is left. */
const RENEW_PART = 1 / 3;

/** Opens the authority; the first time it is created. Its keys are readable for this user alone. */
export async function openAuthority({ dataDir, hosts, log, clock }: AuthorityOptions): Promise<Authority> {
  const authority = await openAuthorityKeys(dataDir, log);
  const files = folderOf(dataDir);
  const isGood = ({ certificate }: Credentials) => serves(certificate, authority.certificate, hosts, clock.now());
  async function issueServer(): Promise<Credentials> {
    const made = await issue(authority, { commonName: "skerry-cloud", hosts, usage: "server", days: SERVER_DAYS });
    write(files, "server", made);
    log.info("server certificate issued", { hosts });
    return made;
  }
  const kept = read(files, "server");
  let server = kept && isGood(kept) ? kept : await issueServer();
  return {
    certificate: authority.certificate,
    fingerprint: fingerprint(authority.certificate),
    get server() {
      return server;
    },
    async renewServer() {
      if (isGood(server)) return false;
      server = await issueServer();
      return true;
    },
    secret: (purpose) => new Uint8Array(hkdfSync("sha256", authority.key, "", `skerry ${purpose}`, 32)),
    certify: (node, request) =>
      sign(authority, request, { commonName: node, organizations: ["skerry:nodes"], usage: "client", days: NODE_DAYS }),
  };
}

/** The authority's own certificate and key, created when there are none. */
export async function openAuthorityKeys(dataDir: string, log: Log): Promise<Credentials> {
  const present = read(folderOf(dataDir), "ca");
  if (present) return present;
  const created = await createAuthority("skerry", AUTHORITY_DAYS);
  write(folderOf(dataDir), "ca", created);
  log.info("authority created", { fingerprint: fingerprint(created.certificate) });
  return created;
}

function folderOf(dataDir: string): string | undefined {
  return dataDir === ":memory:" ? undefined : join(dataDir, "authority");
}

/** Whether a server certificate is of this authority, names every host, and lasts. */
function serves(certificate: string, authority: string, hosts: readonly string[], nowMs: number): boolean {
  const shown = new X509Certificate(certificate);
  const [from, to] = [Date.parse(shown.validFrom), Date.parse(shown.validTo)];
  return (
    shown.checkIssued(new X509Certificate(authority)) &&
    hosts.every((host) => (isIP(host) ? shown.checkIP(host) : shown.checkHost(host)) !== undefined) &&
    to - nowMs > (to - from) * RENEW_PART
  );
}

/**
 * A certificate with its key; undefined when there is none. A damaged pair is not made anew by itself: every node would
 * have to join again. @throws {Fault} `IDENTITY_DAMAGED`
 */
function read(folder: string | undefined, name: string): Credentials | undefined {
  if (folder === undefined) return undefined;
  const [certificate, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  if (!existsSync(certificate)) return undefined;
  try {
    const pair = { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
    if (new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key))) return pair;
    throw new Error("the key is not the certificate's");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const others = name === "ca" ? "" : " Or remove both: they are issued anew.";
    const hint = `Restore ${certificate} and its key from a backup.${others}`;
    throw new Fault("IDENTITY_DAMAGED", `${certificate} can not be used: ${why}`, { cause, hint });
  }
}

/** The key first: a kill in between leaves a key without a certificate, which `read` does not take for a pair. */
function write(folder: string | undefined, name: string, { certificate, key }: Credentials): void {
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  replace(join(folder, `${name}.key`), key, 0o600);
  replace(join(folder, `${name}.crt`), certificate, 0o644);
}

function replace(path: string, text: string, mode: number): void {
  writeFileSync(`${path}.new`, text, { mode, flush: true });
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}
