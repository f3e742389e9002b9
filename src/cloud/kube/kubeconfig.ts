import { Fault } from "#std/fault";
import type { ClientTls } from "#std/undici";

/** Where the way to a cluster is described. */
export type Kubeconfig =
  | { readonly path: string; readonly context?: string }
  | { readonly text: string; readonly context?: string }
  /** The service account of the pod that this runs in. */
  | { readonly inCluster: true };

/** The way to a cluster. */
export interface Access {
  /** Such as `https://127.0.0.1:6443`. */
  readonly url: string;
  /** What to show there. Asked again now and then, because tokens and certificates of plug-ins expire. */
  credentials(): Promise<Credentials>;
}

export interface Credentials {
  readonly tls: ClientTls;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Reads a kubeconfig with everything it may contain: files, inline texts, tokens, exec and OIDC plug-ins. The library
 * that knows all this takes half a second and 40 MB to load, so it is loaded here, once, and used for nothing else.
 *
 * @throws {Fault} `CONFIG_INVALID` when it can not be read, has no such context, or turns off the check of the server.
 */
export async function loadKubeconfig(source: Kubeconfig): Promise<Access> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  const what = "path" in source ? source.path : "the kubeconfig";
  try {
    if ("path" in source) config.loadFromFile(source.path);
    else if ("text" in source) config.loadFromString(source.text);
    else config.loadFromCluster();
  } catch (cause) {
    // The client's messages show the place in lines of their own.
    const [message] = (cause instanceof Error ? cause.message : String(cause)).split("\n");
    throw new Fault("CONFIG_INVALID", `${what}: ${message}`, { cause });
  }
  if (!("inCluster" in source) && source.context !== undefined) {
    if (!config.getContextObject(source.context)) {
      const known = config.contexts.map(({ name }) => name).join(", ");
      throw new Fault("CONFIG_INVALID", `${what}: has no context ${source.context}, but ${known || "none at all"}`);
    }
    config.setCurrentContext(source.context);
  }
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Fault("CONFIG_INVALID", `${what}: its current context names no cluster`);
  if (cluster.skipTLSVerify)
    throw new Fault("CONFIG_INVALID", `${what}: insecure-skip-tls-verify is not accepted; give certificate-authority`);
  const url = new URL(cluster.server);
  if (url.protocol === "http:") {
    if (!/^(127\.|localhost$|\[::1\]$)/.test(url.hostname))
      throw new Fault("CONFIG_INVALID", `${what}: ${cluster.server} has no TLS; only this machine may be reached so`);
    return { url: cluster.server, credentials: async () => ({ tls: {}, headers: {} }) };
  }
  return { url: cluster.server, credentials: () => credentialsOf(config, what, cluster.tlsServerName) };
}

/** The part of Node's request options that the library fills in. */
interface Filled {
  readonly ca?: unknown;
  readonly cert?: unknown;
  readonly key?: unknown;
  readonly auth?: unknown;
  readonly headers?: unknown;
}

async function credentialsOf(
  config: { applyToHTTPSOptions(options: object): Promise<void> },
  what: string,
  servername: string | undefined,
): Promise<Credentials> {
  const options: Filled = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("CLUSTER_REFUSED", `${what}: no credentials: ${message}`, { cause });
  }
  const tls = {
    ...text("authority", options.ca),
    ...text("certificate", options.cert),
    ...text("key", options.key),
    ...(servername ? { servername } : {}),
  };
  const basic = options.auth ? { authorization: `Basic ${Buffer.from(String(options.auth)).toString("base64")}` } : {};
  const headers = Object.entries((options.headers ?? {}) as Record<string, unknown>);
  return { tls, headers: { ...basic, ...Object.fromEntries(headers.map(([name, value]) => [name, String(value)])) } };
}

function text<K extends string>(name: K, pem: unknown): { readonly [name in K]?: string } {
  return (pem === undefined || pem === null ? {} : { [name]: String(pem) }) as { readonly [name in K]?: string };
}
