/**
 * The cloud role: its parts in the order in which they come up; they go down in reverse. The tunnel takes what nodes
 * have to say even while the cluster is away; the cluster's objects follow when it is back.
 */
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Endpoint } from "#std/listen";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";
import { fingerprint } from "#std/x509";
import { WIRE_VERSION } from "#wire/messages";
import { openApi } from "./api.ts";
import type { CloudOptions } from "./config.ts";
import { Controller } from "./devices/controller.ts";
import type { SchemaTable } from "./devices/declarations.ts";
import { serveEvents } from "./devices/events.ts";
import { Ownership } from "./devices/ownership.ts";
import { type Part, Reports } from "./devices/reports.ts";
import { openAuthority, openAuthorityKeys } from "./join/authority.ts";
import { openJoin } from "./join/server.ts";
import { Tokens } from "./join/tokens.ts";
import { openKube } from "./kube/client.ts";
import { applyCrds, type CrdPorts } from "./kube/crds.ts";
import { type Access, type Kubeconfig, loadKubeconfig } from "./kube/kubeconfig.ts";
import { cloudMetrics } from "./metrics.ts";
import { Nodes } from "./nodes.ts";
import { tellNotice } from "./notices.ts";
import { openStore } from "./store.ts";
import { enter, take } from "./take.ts";
import { openSink } from "./telemetry/open-sink.ts";
import type { Environment } from "./telemetry/secret.ts";
import type { Kept } from "./telemetry/sink.ts";
import { SqliteSink } from "./telemetry/sqlite-sink.ts";
import { Unheard } from "./telemetry/unheard.ts";
import { openTunnel } from "./tunnel/server.ts";

/** What a cloud needs of its surroundings. */
export interface CloudPorts {
  readonly log: Log;
  readonly clock: Clock;
  /** The way to the cluster that has the Devices; an `Access` when it is known without reading a file. */
  readonly kubeconfig: Kubeconfig | Access;
  /** The parts of the drivers that say what may be declared, by protocol. */
  readonly schemas?: SchemaTable;
  /** Variables that the configuration may take secrets from. @default none */
  readonly environment?: Environment;
}

/** A running cloud. Disposing it ends everything in it. */
export interface Cloud extends AsyncDisposable {
  /** Where it really listens. */
  readonly endpoints: { readonly tunnel: Endpoint; readonly join: Endpoint; readonly api: Endpoint };
  /** The same as nodes and people write them: `wss://`, `https://`, `http://`. */
  readonly urls: { readonly tunnel: string; readonly join: string; readonly api: string };
  /** Certificate of its authority, PEM. */
  readonly authority: string;
  readonly tokens: Tokens;
  /** A one-use join token. @throws {Fault} `USAGE_INVALID` when no node can have that name. */
  createToken(node: string, ttlMs?: number): string;
  /** Shuts a node out until it joins anew. False when there is no such node. */
  refuse(node: string): boolean;
  isConnected(node: string): boolean;
  /** The telemetry of a device. */
  history(namespace: string, device: string, part?: Part): Promise<readonly Kept[]>;
  /** Resolves when the cloud has ended; rejects with what ended it. */
  done(): Promise<void>;
}

/** Long enough to walk to the machine, short enough to be forgotten without harm. */
const TOKEN_MS = 3_600_000;
const PRUNE_MS = 60_000;
const LOOK_MS = 1_000;
/** How often somebody looks whether the server's certificate wants to be renewed. */
const CERTIFICATE_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** How long a gap makes a device's history incomplete. */
const GAP_MS = DAY_MS;
/** A second machine with a node's identity is told of this often. */
const DUPLICATE_MS = 3_600_000;
const PROGRAM = `skerry cloud, wire ${WIRE_VERSION}`;

/**
 * Opens a cloud. What is returned listens; the cluster may still be out of reach.
 * @throws {Fault} `CONFIG_INVALID`, `PORT_IN_USE`, `PERMISSION_MISSING`.
 */
export async function openCloud(options: CloudOptions, ports: CloudPorts, signal?: AbortSignal): Promise<Cloud> {
  const scope = new Scope(signal);
  try {
    return await compose(options, ports, scope);
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw error;
  }
}

/** Runs a cloud until the signal aborts. @throws what ended it before. */
export async function runCloud(options: CloudOptions, ports: CloudPorts, signal: AbortSignal): Promise<void> {
  await using cloud = await openCloud(options, ports, signal);
  await cloud.done();
}

/** The tokens and nodes of a cloud's data folder, for commands beside a running cloud. */
export async function openTokens(
  { dataDir }: Pick<CloudOptions, "dataDir">,
  { log, clock }: Pick<CloudPorts, "log" | "clock">,
): Promise<{ readonly tokens: Tokens; readonly nodes: Nodes } & Disposable> {
  const { certificate } = await openAuthorityKeys(dataDir, log);
  const db = openStore(dataDir, log);
  const tokens = new Tokens(db, fingerprint(certificate), clock);
  return { tokens, nodes: new Nodes(db), [Symbol.dispose]: () => db[Symbol.dispose]() };
}

async function compose(options: CloudOptions, ports: CloudPorts, scope: Scope): Promise<Cloud> {
  const { dataDir, hosts, statusPerSecond } = options;
  const { clock, kubeconfig, schemas = {}, environment = {} } = ports;
  const log = ports.log.with({ role: "cloud" });
  const authority = await openAuthority({ dataDir, hosts, log, clock });
  const kube = scope.use(openKube("credentials" in kubeconfig ? kubeconfig : await loadKubeconfig(kubeconfig), clock));
  const db = scope.use(openStore(dataDir, log));
  const { sink: sinkConfig, keepDays, keepMinutesDays, ...most } = options.telemetry;
  const retention = { keepMs: keepDays * DAY_MS, keepMinutesMs: keepMinutesDays * DAY_MS, ...most };
  const sink = scope.use(await openSink(sinkConfig, { db, retention, environment, log, clock }));
  const [reports, nodes, unheard] = [new Reports(db, sink), new Nodes(db), new Unheard()];
  const tokens = new Tokens(db, authority.fingerprint, clock);
  const isKnown = (node: string) => nodes.get(node) !== undefined;
  const lastGap = (namespace: string, name: string) =>
    reports.ledger.last(namespace, name, clock.now() - GAP_MS) ?? null;
  const notices = { kube, log, clock, signal: scope.signal };
  const ownership = new Ownership({
    secret: authority.secret("grants"),
    isOf: (node, namespace, device) => controller.isOf(node, namespace, device),
    told: (node, { namespace, device }) => {
      const message = `it spoke of ${namespace}/${device}, which is not on it; this was dropped`;
      tellNotice({ node, reason: "NotItsDevice", message }, notices);
    },
    log,
    clock,
  });
  const grant = ownership.grant.bind(ownership);
  const controller = new Controller({ kube, schemas, grant, isKnown, statusPerSecond, lastGap, log, clock });

  let duplicates = 0;
  const tunnel = scope.use(
    await openTunnel({
      ...options.tunnel,
      tls: { ...authority.server, authority: authority.certificate },
      program: PROGRAM,
      admits: (node) => nodes.admits(node),
      enter: (node, hello) => enter(node, hello, nodes),
      duplicate: (node, fault) => {
        const before = nodes.get(node)?.duplicateAt ?? 0;
        nodes.duplicated(node, clock.now());
        duplicates++;
        // It tries again and again; its operator needs to hear it now and then.
        if (clock.now() - before < DUPLICATE_MS) return;
        log.warn("a second machine has the identity of a node", { node, error: fault });
        tellNotice({ node, reason: fault.code, message: fault.message }, notices);
      },
      have: (node, epoch) => reports.have(node, epoch),
      handle: (event) => take(event, { authority, controller, ownership, reports, unheard, nodes, log, clock }),
      log,
      clock,
    }),
  );
  const tunnelUrl = options.tunnelUrl ?? `wss://${bracketed(hosts[0] ?? tunnel.host)}:${tunnel.port}`;
  const join = scope.use(await openJoin({ ...options.join, authority, tokens, nodes, tunnelUrl, log, clock }));
  const metrics = cloudMetrics(tunnel, { controller, ownership, reports, duplicates: () => duplicates });
  metrics.gauge("cloud_disk_ok", "0 while the disk takes nothing.", () => (db.trouble ? 0 : 1));
  const isReady = () => controller.isReady && db.trouble === undefined;
  const units = controller.units.bind(controller);
  const apiPorts = { tunnel, nodes, reports, metrics, isReady, units, clock, log };
  const api = scope.use(await openApi({ ...options.api, ...apiPorts }));

  scope.run("controller", async (signal) => {
    await prepareCluster({ kube, log, clock }, signal);
    await controller.serve(signal);
  });
  scope.run("events", (signal) => serveEvents({ kube, reports, log, clock }, signal));
  scope.run("telemetry engine", (signal) => unheard.serve(sink, clock, signal));
  scope.run("damage", async (signal) => {
    // Nothing heals it, and what is read may be wrong.
    while (db.trouble?.code !== "DATABASE_CORRUPT") await clock.sleep(LOOK_MS, signal);
    throw db.trouble;
  });
  // What was kept here before there was an engine goes when it is old, too.
  const leftover = sinkConfig.kind === "sqlite" ? undefined : new SqliteSink(db);
  scope.run("retention", async (signal) => {
    for (;;) {
      try {
        await leftover?.prune(retention, clock.now());
        await reports.prune(retention, clock.now());
        const untilMs = clock.now() - GAP_MS;
        for (const device of reports.ledger.devices(untilMs - 2 * PRUNE_MS, untilMs)) controller.touch(device);
      } catch (error) {
        // Such as a full disk: the sites must go on being heard, and the next round may have room.
        if (!Fault.is(error, "TELEMETRY_UNREACHABLE")) log.error("telemetry not pruned", { error });
      }
      await clock.sleep(PRUNE_MS, signal);
    }
  });
  scope.run("server certificate", async (signal) => {
    for (;;) {
      await clock.sleep(CERTIFICATE_MS, signal);
      try {
        if (!(await authority.renewServer())) continue;
        for (const door of [tunnel, join]) door.present(authority.server);
      } catch (error) {
        // Such as a full disk. There are months left when it is tried first.
        log.error("server certificate not renewed", { error });
      }
    }
  });
  const endpoints = { tunnel: endpointOf(tunnel), join: endpointOf(join), api: endpointOf(api) };
  log.info("cloud up", endpoints);
  return {
    endpoints,
    urls: { tunnel: tunnelUrl, join: `https://${bracketed(hosts[0] ?? join.host)}:${join.port}`, api: api.url },
    authority: authority.certificate,
    tokens,
    createToken: (node, ttlMs = TOKEN_MS) => tokens.create(node, ttlMs),
    refuse: (node) => nodes.refuse(node, clock.now()),
    isConnected: (node) => tunnel.isConnected(node),
    history: (namespace, device, part) => reports.history(namespace, device, part),
    done: () => scope.done(),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

/** Applies the CRDs, as often as it takes to reach the cluster. */
async function prepareCluster(ports: CrdPorts, signal: AbortSignal): Promise<void> {
  for (let failures = 0; ; ) {
    try {
      return await applyCrds(ports, signal);
    } catch (error) {
      if (!Fault.is(error, "CLUSTER_UNREACHABLE")) throw error;
      if (failures === 0) ports.log.warn("cluster unreachable, trying again", { error });
      await ports.clock.sleep(Math.min(FIRST_WAIT_MS * 2 ** failures++, LONGEST_WAIT_MS), signal);
    }
  }
}

function endpointOf({ host, port }: Endpoint): Endpoint {
  return { host, port };
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
