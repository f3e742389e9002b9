/** Everything of `edgeadm run dev` in one process, in the order in which it comes up; it goes down in reverse. */
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { cloudConfig } from "#cloud/config";
import { openKube } from "#cloud/kube/client";
import { applyCrds } from "#cloud/kube/crds";
import { type Cloud, openCloud } from "#cloud/main";
import type { DriverTable } from "#devices/driver";
import { plant } from "#drivers/modbus/plant";
import { openSimulator } from "#drivers/modbus/simulator";
import { edgeConfig } from "#edge/config";
import { type Identity, loadIdentity, saveIdentity } from "#edge/identity";
import { joinCloud } from "#edge/join";
import { type Edge, openEdge } from "#edge/main";
import type { Clock } from "#std/clock";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";
import { type OwnRegistry, openOwnRegistry } from "../own-registry.ts";
import type { DevConfig, PortName } from "./config.ts";
import { seed } from "./seed.ts";

export interface DevOptions {
  readonly config: DevConfig;
  readonly dataDir: string;
  readonly drivers: DriverTable;
  /** Folder of the sample devices. */
  readonly examples: string;
  /** Version of this program. */
  readonly version: string;
}

export interface DevPorts {
  readonly clock: Clock;
  readonly log: Log;
}

/** Where everything listens, for people and for tests. */
export type Endpoints = Readonly<Record<PortName, string>> & { readonly kubeconfig: string };

/** A running stack. */
export interface Dev extends AsyncDisposable {
  readonly endpoints: Endpoints;
  readonly edge: Edge;
  readonly cloud: Cloud;
  /** Resolves when it ends; rejects when a part of it failed. */
  done(): Promise<void>;
}

const HOST = "127.0.0.1";
/** A node joins anew while its certificate still has this long to live. */
const RENEW_MS = 10 * 86_400_000;

/** Starts the stack; what it knew from an earlier start runs again. @throws {Fault} `PORT_IN_USE`, and of every part. */
export async function openDev(options: DevOptions, ports: DevPorts, signal: AbortSignal): Promise<Dev> {
  const scope = new Scope(signal);
  try {
    return await compose(options, ports, scope);
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw error;
  }
}

async function compose(options: DevOptions, { clock, log }: DevPorts, scope: Scope): Promise<Dev> {
  const { config, dataDir, drivers, examples, version } = options;
  const { node, ports } = config;
  const { signal } = scope;
  const plc = scope.use(await openSimulator({ host: HOST, port: ports.plc, units: plant(), now: clock.now }));
  const kubeconfig = join(dataDir, "kubeconfig");
  const registry: OwnRegistry = scope.use(
    await openOwnRegistry({
      dataDir: join(dataDir, "registry"),
      host: HOST,
      port: ports.registry,
      kubeconfig,
      admin: "dev-admin",
      log,
    }),
  );
  await using kube = openKube(registry.access, clock);
  await applyCrds({ kube, log, clock }, signal);
  await seed(kube, { examples, dataDir, node, plcPort: plc.port }, signal);

  const door = (name: PortName) => ({ host: HOST, port: ports[name] });
  const cloudOptions = cloudConfig.parse({
    dataDir: join(dataDir, "cloud"),
    tunnel: door("tunnel"),
    join: door("join"),
    api: door("cloud"),
  });
  // Without the signal: the cloud has to outlive the edge, whose last words it takes.
  const cloud = scope.use(
    await openCloud(cloudOptions, { log, clock, kubeconfig: { path: kubeconfig }, schemas: drivers }),
  );
  const identity = await identityOf(cloud, { node, dataDir: join(dataDir, node), clock }, signal);
  const edge = scope.use(
    await openEdge(
      {
        config: edgeConfig.parse({ dataDir: join(dataDir, node), mqtt: door("mqtt"), api: door("edge") }),
        identity,
        version,
      },
      { drivers, clock, log: log.with({ role: "edge", node }) },
    ),
  );
  return {
    endpoints: {
      mqtt: `mqtt://${HOST}:${edge.mqtt.port}`,
      edge: edge.api.url,
      registry: registry.url,
      tunnel: cloud.urls.tunnel,
      join: cloud.urls.join,
      cloud: cloud.urls.api,
      plc: `${HOST}:${plc.port}`,
      kubeconfig,
    },
    edge,
    cloud,
    done: () => Promise.race([edge.done(), cloud.done()]),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

interface NodeOptions {
  readonly node: string;
  readonly dataDir: string;
  readonly clock: Clock;
}

/** The identity of an earlier start as long as it is good, else a new one, by a token as on any other machine. */
async function identityOf(cloud: Cloud, { node, dataDir, clock }: NodeOptions, signal: AbortSignal): Promise<Identity> {
  const known = loadIdentity(dataDir);
  if (known?.node === node && known.authority === cloud.authority && lastsMs(known, clock) > RENEW_MS)
    // The port may be another one than at the last start.
    return { ...known, tunnel: cloud.urls.tunnel };
  const identity = await joinCloud(cloud.urls.join, cloud.createToken(node), signal);
  saveIdentity(dataDir, identity);
  return identity;
}

function lastsMs({ certificate }: Identity, clock: Clock): number {
  return Date.parse(new X509Certificate(certificate).validTo) - clock.now();
}
