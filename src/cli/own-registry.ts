/**
 * The embedded registry with keys of its own. Its authority is a sibling of the cloud's and not the same: whoever holds
 * a node's certificate must not be a user of the Kubernetes API.
 */
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Access } from "#cloud/kube/kubeconfig";
import { openRegistry, type Registry } from "#registry/main";
import type { Endpoint } from "#std/listen";
import type { Log } from "#std/log";
import { type Credentials, createAuthority, issue } from "#std/x509";
import { printYaml } from "#std/yaml";
import { makeDataDir } from "./data-dir.ts";

export interface OwnRegistryOptions extends Endpoint {
  readonly dataDir: string;
  /** Names and addresses beside `host` under which it is reached. */
  readonly hosts?: readonly string[];
  /** Where the kubeconfig of the administrator is written. */
  readonly kubeconfig: string;
  /** Common name of the administrator. */
  readonly admin: string;
  readonly log: Log;
}

/** A registry that is listening, and the way to it. */
export interface OwnRegistry extends AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly url: string;
  /** Text of the kubeconfig that was written. */
  readonly kubeconfig: string;
  readonly access: Access;
}

const AUTHORITY_DAYS = 3650;
/** Both are made anew at each start, so this is how long a start may last. */
const CERTIFICATE_DAYS = 730;
/** **Source:** Kubernetes, "Using RBAC Authorization", default cluster role bindings. */
const ADMINS = "system:masters";

/** Opens the registry and writes the kubeconfig of its administrator, mode 0600. */
export async function openOwnRegistry(options: OwnRegistryOptions): Promise<OwnRegistry> {
  const { dataDir, host, port, hosts = [], kubeconfig: path, admin, log } = options;
  makeDataDir(dataDir);
  const authority = await openAuthority(dataDir);
  const names = [...new Set([host, ...hosts, "127.0.0.1", "localhost"])];
  const days = CERTIFICATE_DAYS;
  const serving = await issue(authority, { commonName: "skerry-registry", hosts: names, usage: "server", days });
  const client = await issue(authority, { commonName: admin, organizations: [ADMINS], usage: "client", days });
  const registry: Registry = await openRegistry({
    database: join(dataDir, "registry.db"),
    host,
    port,
    serving,
    clientAuthority: authority.certificate,
    log: log.with({ role: "registry" }),
  });
  const url = `https://127.0.0.1:${registry.port}`;
  const kubeconfig = printKubeconfig(url, authority.certificate, client);
  writePrivate(path, kubeconfig);
  const tls = { authority: authority.certificate, certificate: client.certificate, key: client.key };
  return {
    endpoint: { host, port: registry.port },
    url,
    kubeconfig,
    access: { url, credentials: async () => ({ tls, headers: {} }) },
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

async function openAuthority(dataDir: string): Promise<Credentials> {
  const [certificate, key] = [join(dataDir, "ca.crt"), join(dataDir, "ca.key")];
  if (existsSync(certificate) && existsSync(key))
    return { certificate: readFileSync(certificate, "utf8"), key: readFileSync(key, "utf8") };
  const made = await createAuthority("skerry-registry-ca", AUTHORITY_DAYS);
  // The key first: a kill in between leaves no pair, and the next start makes one.
  writePrivate(key, made.key);
  writePrivate(certificate, made.certificate);
  return made;
}

function printKubeconfig(server: string, authority: string, { certificate, key }: Credentials): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return printYaml({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "skerry", cluster: { server, "certificate-authority-data": base64(authority) } }],
    users: [
      { name: "admin", user: { "client-certificate-data": base64(certificate), "client-key-data": base64(key) } },
    ],
    contexts: [{ name: "skerry", context: { cluster: "skerry", user: "admin", namespace: "default" } }],
    "current-context": "skerry",
  });
}

function writePrivate(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
}
