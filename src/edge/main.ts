import { hostname } from "node:os";
import type { DriverTable } from "#devices/driver";
import type { Clock } from "#std/clock";
import { isDiskFault } from "#std/disk-fault";
import type { Fault } from "#std/fault";
import type { Endpoint } from "#std/listen";
import type { Log } from "#std/log";
import { type Metrics, openMetrics } from "#std/metrics";
import { Scope } from "#std/scope";
import { topics } from "#wire/topics";
import { type NodeState, openApiServer } from "./api.ts";
import type { RemoteState } from "./bridge/remote.ts";
import { openBroker } from "./broker/broker.ts";
import { measureBroker } from "./broker/metrics.ts";
import { Commands, serveCommands } from "./commands.ts";
import type { EdgeConfig } from "./config.ts";
import { Supervisor } from "./devices/supervisor.ts";
import { Gaps } from "./gaps.ts";
import { Grants } from "./grants.ts";
import type { Identity } from "./identity.ts";
import { Lineage } from "./lineage.ts";
import { Outbox } from "./outbox.ts";
import { compare, merge, type Reloaded } from "./reload.ts";
import { createRenewal } from "./renewal.ts";
import { createSite } from "./site.ts";
import { openStore } from "./store.ts";
import { Twins } from "./twins.ts";
import { serveUplink, type UplinkState } from "./uplink.ts";
import { serveWishes } from "./wishes.ts";

/** What a node is started with. */
export interface EdgeOptions {
  readonly config: EdgeConfig;
  /** Undefined while the node has not joined: the site runs, alone. */
  readonly identity: Identity | undefined;
  /** Version of this program. */
  readonly version: string;
}

export interface EdgePorts {
  readonly drivers: DriverTable;
  readonly clock: Clock;
  readonly log: Log;
  /** Reads the configuration again, whole and checked. @default what the node was started with */
  readonly reread?: () => EdgeConfig;
}

/** A node that runs. Disposing it stops the buses, saves what is known and closes every door. */
export interface Edge extends AsyncDisposable {
  readonly mqtt: Endpoint;
  readonly api: Endpoint & { readonly url: string };
  state(): NodeState;
  readonly twins: Twins;
  /** Takes declarations; beside the cloud, tests and benchmarks do. */
  readonly supervisor: Supervisor;
  /**
   * Reads the configuration again and takes what a running node can: users, rights and limits of the broker, and the
   * certificates of its listeners. It takes all of that or nothing, and names what needs a restart.
   * @throws {Fault} `CONFIG_INVALID`; then nothing has changed.
   */
  reload(): Promise<Reloaded>;
  /** Resolves when the node ends; rejects when a task of it failed. */
  done(): Promise<void>;
}

/** Reports are written to disk, and old rows looked for, this often. */
const SAVE_MS = 1_000;
const NODE_STATUS_MS = 10_000;

/** Starts a node: what it knew runs again before the cloud is asked. */
export async function openEdge(options: EdgeOptions, ports: EdgePorts): Promise<Edge> {
  const { drivers, clock, log } = ports;
  const { config, identity, version } = options;
  const scope = new Scope();
  try {
    const store = scope.use(openStore(config.dataDir, log));
    const { limitMiB, limitAge } = config.outbox;
    const outbox = new Outbox(store.db, { limitBytes: limitMiB * 1024 * 1024, limitMs: limitAge });
    const lineage = new Lineage(store.db, outbox.head);
    const { external, ...mqtt } = config.mqtt;
    // Two nodes that have not joined must not take each other's place at a broker that they share.
    const clientName = identity?.node ?? hostname().replace(/[^\w.-]/g, "-");
    const remotes: { bridge?: RemoteState; external?: RemoteState } = {};
    const brokerLog = log.with({ part: "broker" });
    const broker = scope.use(
      external
        ? await (await import("./bridge/external.ts")).openExternalBroker(external, {
            node: clientName,
            clock,
            log: brokerLog,
            state: (now) => {
              remotes.external = now;
            },
          })
        : await openBroker({ ...mqtt, dataDir: config.dataDir, clock, log: brokerLog }),
    );
    const hasten = (linkKey: string) => supervisor.hasten(linkKey);
    // A disk that takes nothing is told of once, by the database.
    const otherwise = (phrase: string) => (error: unknown) => {
      if (!isDiskFault(error)) log.error(phrase, { error });
    };
    const failed = otherwise("gap not saved");
    const trouble = () => store.db.trouble ?? broker.trouble;
    const gaps = new Gaps({ db: store.db, outbox, clock, failed });
    const site = createSite({ broker, outbox, gaps, twins: () => twins, hasten, clock, log });
    const twins = new Twins(store.db, clock, site);
    const supervisor = scope.use(
      new Supervisor(store.db, drivers, { twins, visited: site.visited, log: log.with({ part: "devices" }), clock }),
    );
    let uplink: UplinkState = { online: false, since: clock.now(), reason: "not joined" };
    const startedAt = clock.now();
    const node = identity?.node ?? "alone";

    const state = (): NodeState => {
      const all = [...twins.all];
      const devicesOnline = all.filter(({ health }) => health.online).length;
      const counts = { devices: all.length, devicesOnline, values: site.values, backlog: outbox.rows };
      return { node, version, dataDir: config.dataDir, startedAt, uplink, ...remotes, ...counts };
    };
    const tellUplink = () => broker.publish(topics.nodeUplink, {}, { ...uplink, backlog: outbox.rows });
    const tellNode = (online: boolean) => {
      const { devices, devicesOnline } = state();
      broker.publish(topics.nodeStatus, {}, { node, version, online, startedAt, devices, devicesOnline });
    };

    let running = config;
    const reload = async () => {
      const next = ports.reread?.() ?? running;
      const reloaded = compare(running, next);
      await broker.reload(next.mqtt);
      running = merge(running, next);
      log.info("configuration reloaded", { ...reloaded });
      if (reloaded.restart.length > 0) log.warn("configuration needs a restart", { fields: reloaded.restart });
      return reloaded;
    };

    const metrics = openMetrics();
    measure(metrics, { state, outbox, trouble });
    measureBroker(metrics, { figures: broker.figures, clients: () => broker.clients });
    const commands = new Commands(store.db, { twins, supervisor, audit: site.audit, clock, log });
    await supervisor.resume();
    gaps.resume(twins.all);
    await commands.resume((request, result) =>
      broker.publish(topics.commandResult, request, { id: request.id, ...result }),
    );
    const apiPorts = {
      twins,
      supervisor,
      commands,
      metrics,
      node: state,
      trouble,
      reload,
      clock,
      log: log.with({ part: "api" }),
      signal: scope.signal,
    };
    const api = scope.use(await openApiServer(config.api, apiPorts));

    const { bridge } = config;
    if (bridge) {
      const bridgePorts = {
        broker,
        dataDir: config.dataDir,
        node: clientName,
        metrics,
        clock,
        log: log.with({ part: "bridge" }),
        state: (now: RemoteState) => {
          remotes.bridge = now;
        },
      };
      // Loaded when it is used: the client library costs a third of a second.
      const { serveBridge } = await import("./bridge/bridge.ts");
      scope.run("bridge", (signal) => serveBridge(bridge, bridgePorts, signal));
    }
    scope.run("wishes", (signal) => serveWishes({ twins, clock, broker }, signal));
    scope.run("commands", (signal) => serveCommands({ broker, commands }, signal));
    scope.run("housekeeping", async (signal) => {
      for (let round = 0; ; round++) {
        if ((round * SAVE_MS) % NODE_STATUS_MS === 0) tellNode(true);
        await clock.sleep(SAVE_MS, signal);
        const fault = trouble();
        // Nothing heals that; the next start sets the file aside.
        if (fault?.code === "DATABASE_CORRUPT") throw fault;
        supervisor.doubtStale();
        await twins.save().catch(otherwise("reports not saved"));
        await gaps.beat(twins.all).catch(failed);
        await twins.expire().catch(otherwise("wishes not expired"));
        await commands.prune().catch(otherwise("commands not pruned"));
        await outbox.expire(clock.now()).catch(otherwise("outbox not expired"));
      }
    });
    tellUplink();
    if (identity) {
      const tell = (next: UplinkState) => {
        uplink = next;
        tellUplink();
      };
      const renewal = createRenewal(identity, { dataDir: config.dataDir, clock, log });
      const grants = new Grants(store.db);
      const ports = {
        twins,
        outbox,
        grants,
        supervisor,
        renewal,
        lineage,
        program: version,
        clock,
        state: tell,
      };
      scope.run("uplink", (signal) => serveUplink({ ...ports, log: log.with({ part: "uplink" }) }, signal));
    }
    return {
      mqtt: { host: broker.host, port: broker.port },
      api,
      state,
      twins,
      supervisor,
      reload,
      done: () => scope.done(),
      async [Symbol.asyncDispose]() {
        await supervisor[Symbol.asyncDispose]();
        await twins.save().catch(otherwise("reports not saved"));
        tellNode(false);
        await scope[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw error;
  }
}

interface Measured {
  readonly state: () => NodeState;
  readonly outbox: Outbox;
  readonly trouble: () => Fault | undefined;
}

/** What an operator asks of a node. */
function measure(metrics: Metrics, { state, outbox, trouble }: Measured): void {
  metrics.gauge("edge_devices", "Devices that are declared for this node.", () => state().devices);
  metrics.gauge("edge_devices_online", "Devices that answered their last visit.", () => state().devicesOnline);
  metrics.total("edge_values_total", "Values read since the start.", () => state().values);
  metrics.gauge("edge_uplink_online", "1 while the cloud is connected.", () => (state().uplink.online ? 1 : 0));
  metrics.gauge("edge_outbox_rows", "Rows that wait for the cloud.", () => outbox.rows);
  metrics.gauge("edge_outbox_bytes", "Bytes that wait for the cloud.", () => outbox.bytes);
  metrics.total("edge_outbox_dropped_total", "Rows that a limit dropped since the start.", () => outbox.dropped);
  metrics.gauge("edge_disk_ok", "0 while the disk takes nothing.", () => (isDiskFault(trouble()) ? 0 : 1));
  metrics.gauge("edge_memory_bytes", "Resident memory of the process.", () => process.memoryUsage.rss());
}
