/**
 * The embedded registry: a Kubernetes-compatible API server on one SQLite file, with no more than this edge product
 * needs. kubectl 1.29 to 1.33, informers and controllers work with it as with a cluster.
 */
import { type Clock, systemClock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Endpoint } from "#std/listen";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";
import { openDatabase } from "#std/sqlite";
import type { Credentials } from "#std/x509";
import type { Token } from "./access.ts";
import type { Api } from "./api.ts";
import { namespaces } from "./builtin/core.ts";
import { catalogOf } from "./catalog.ts";
import { serveCollector } from "./collector.ts";
import { DEFINITIONS_KEY } from "./definition.ts";
import { openServer } from "./http/server.ts";
import { serveJanitor } from "./janitor.ts";
import { migrations } from "./migrations.ts";
import { type History, openStore } from "./store.ts";
import { create } from "./verbs/create.ts";
import { allDefinitions } from "./verbs/surroundings.ts";

export type { Token } from "./access.ts";
export { MASTERS, READERS } from "./access.ts";

/** How a registry is opened. */
export interface RegistryOptions extends Endpoint {
  /** Path of the file, or `:memory:`. */
  readonly database: string;
  /** Certificate and key that the server shows. */
  readonly serving: Credentials;
  /** PEM of the authority whose client certificates are believed: CN is the user, each O a group. */
  readonly clientAuthority: string;
  /** Bearer tokens, for clients without a certificate. @default none */
  readonly tokens?: readonly Token[];
  /** How much history watches can resume from. @default an hour or 50,000 changes, whichever is more */
  readonly history?: History;
  readonly log: Log;
  readonly clock?: Clock;
}

/** A registry that is listening. Disposing it ends its watches and closes its connections and its file. */
export interface Registry extends Endpoint, AsyncDisposable {
  /** Such as `https://127.0.0.1:6443`. */
  readonly url: string;
}

const HISTORY: History = { rows: 50_000, ms: 3_600_000 };
const FIRST_NAMESPACES = ["default", "kube-system"];

/**
 * Opens a registry.
 * @throws {Fault} `PORT_IN_USE`, `PERMISSION_MISSING`, `CONFIG_INVALID`, `VERSION_UNSUPPORTED`, `DATABASE_CORRUPT`: without
 * what was declared, the nodes would be told to drop their devices.
 */
export async function openRegistry(options: RegistryOptions): Promise<Registry> {
  const { database, log, clock = systemClock, history = HISTORY, tokens = [] } = options;
  for (const { user, sha256 } of tokens)
    if (!/^[0-9a-f]{64}$/i.test(sha256))
      throw new Fault("CONFIG_INVALID", `the token of ${user} must be given as its SHA-256, 64 hex digits`);
  const scope = new Scope();
  try {
    const store = openStore(scope.use(openDatabase({ path: database, migrations, log, whenDamaged: "refuse" })), clock);
    let catalog = catalogOf(allDefinitions(store));
    // The first listener: whoever hears of a new definition can use it already.
    store.listen((changes) => {
      if (changes.some(({ key }) => key === DEFINITIONS_KEY)) catalog = catalogOf(allDefinitions(store));
    });
    const api: Api = { store, catalog: () => catalog, clock, log, signal: scope.signal };
    for (const name of FIRST_NAMESPACES) await ensureNamespace(api, name);
    scope.run("collector", (signal) => serveCollector(api, signal));
    scope.run("janitor", (signal) => serveJanitor(api, history, signal));
    const server = scope.use(await openServer(api, { ...options, tokens }));
    const { host, port } = server;
    log.info("registry open", { host, port });
    return {
      host,
      port,
      url: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
      [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
    };
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw error;
  }
}

async function ensureNamespace(api: Api, name: string): Promise<void> {
  if (api.store.get(namespaces.key, "", name)) return;
  const body = { value: { metadata: { name } }, duplicates: [] };
  await create(api, namespaces, "", body, { dryRun: false, fieldValidation: "Strict", warnings: [] });
}
