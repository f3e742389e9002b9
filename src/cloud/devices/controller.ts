import { deviceKind, modelKind } from "#devices/crd";
import type { DeviceReport } from "#devices/status";
import { Bell } from "#std/bell";
import type { Clock } from "#std/clock";
import type { Log } from "#std/log";
import { z } from "#std/schema";
import { Scope } from "#std/scope";
import type { Kube } from "../kube/client.ts";
import { Keys } from "../kube/keys.ts";
import { reconcile } from "../kube/reconcile.ts";
import { type Change, Mirror } from "../kube/watch.ts";
import { type DeclarationPorts, Declarations, runs, type SchemaTable } from "./declarations.ts";
import { LatestReports } from "./latest.ts";
import { conditionModel } from "./models.ts";
import { Presence, type Speaker } from "./presence.ts";
import { Register } from "./register.ts";
import { type LastGap, readStatus, statusOf } from "./status.ts";
import { StatusWriter, type Wanted } from "./status-writer.ts";
import { declared } from "./verdict.ts";

export interface ControllerOptions {
  readonly kube: Kube;
  /** Without them, links, stations and addresses are checked by the node alone. */
  readonly schemas: SchemaTable;
  /** The right of a node to speak of a device, told with its declaration. */
  readonly grant: DeclarationPorts["grant"];
  /** Whether a node of this name ever joined or connected. */
  readonly isKnown: (node: string) => boolean;
  readonly statusPerSecond: number;
  /** The last gap in the history of a device within a day, or null. */
  readonly lastGap?: (namespace: string, name: string) => LastGap | null;
  readonly log: Log;
  readonly clock: Clock;
}

const LOOK_MS = 1_000;
/** Nodes that are told all their devices at a time: what is said waits in memory until it is taken. */
const MOST_TOLD_AT_ONCE = 64;

/**
 * Brings the Devices of the cluster to their nodes, and what the nodes report back into the cluster. Both ways the
 * present truth is told, again if needed: a message that is lost or repeated does no harm.
 */
export class Controller {
  readonly devices: Mirror;
  readonly models: Mirror;
  readonly statuses: StatusWriter;
  readonly #options: ControllerOptions;
  readonly #register = new Register();
  readonly #presence: Presence;
  readonly #declarations: Declarations;
  readonly #reports = new LatestReports();
  readonly #keys = new Keys();
  readonly #modelKeys = new Keys();
  /** Rings when a copy of the cluster is complete. */
  readonly #listed = new Bell();
  /** Nodes that have connected and have not been told their devices. */
  readonly #newcomers = new Map<string, Speaker>();
  readonly #arrival = new Bell();

  constructor(options: ControllerOptions) {
    const { kube, schemas, grant, isKnown, log, clock, statusPerSecond } = options;
    this.#options = options;
    const ports = { kube, log, clock, listed: () => this.#listed.ring() };
    this.models = new Mirror({ ...ports, kind: modelKind, changed: (change) => this.#modelChanged(change) });
    this.devices = new Mirror({ ...ports, kind: deviceKind, changed: (change) => this.#deviceChanged(change) });
    this.#presence = new Presence(isKnown, clock);
    const [register, presence] = [this.#register, this.#presence];
    this.#declarations = new Declarations({ register, presence, models: this.models.objects, schemas, grant });
    const wanted = (key: string) => this.#wanted(key);
    this.statuses = new StatusWriter({ kube, log, clock, perSecond: statusPerSecond, wanted });
  }

  /** True when the cluster's Devices and models are known here. */
  get isReady(): boolean {
    return this.devices.hasListed && this.models.hasListed;
  }

  /** Works until the signal aborts. */
  async serve(signal: AbortSignal): Promise<void> {
    await using scope = new Scope(signal);
    const { log, clock } = this.#options;
    const close = () => {
      this.#keys.close();
      this.#modelKeys.close();
    };
    scope.signal.addEventListener("abort", close, { once: true });
    scope.run("models", (signal) => this.models.serve(signal));
    scope.run("devices", (signal) => this.devices.serve(signal));
    scope.run("statuses", (signal) => this.statuses.serve(signal));
    scope.run("declarations", (signal) => reconcile(this.#keys, (key) => this.#settle(key), { log, clock }, signal));
    scope.run("model conditions", (signal) =>
      reconcile(this.#modelKeys, (key, signal) => this.#settleModel(key, signal), { log, clock, workers: 2 }, signal),
    );
    scope.run("newcomers", (signal) => this.#serveNewcomers(signal));
    scope.run("nodes", (signal) => this.#serveNodes(signal));
    await scope.done();
  }

  /** A node is here: it is told all its devices, and then which these are. */
  connected(node: string, speaker: Speaker): void {
    this.#presence.connect(node, speaker);
    this.#newcomers.set(node, speaker);
    this.#arrival.ring();
    this.#look(node);
  }

  /** A node is gone. */
  disconnected(node: string): void {
    this.#presence.leave(node);
    this.#newcomers.delete(node);
    this.#look(node);
  }

  /** A node says how a device is. What it says of a device of another node does not count. */
  reported(node: string, report: DeviceReport): void {
    const key = `${report.namespace}/${report.name}`;
    const device = this.#register.get(key);
    if (device && device.node !== node) return;
    this.#reports.put(node, report);
    if (device) this.statuses.touch(key);
  }

  /** Something that the status of a device depends on changed. */
  touch({ namespace, device }: { readonly namespace: string; readonly device: string }): void {
    const key = `${namespace}/${device}`;
    if (this.#register.get(key)) this.statuses.touch(key);
  }

  /** Units of a device's properties, as far as its model names them. */
  units(namespace: string, device: string): Readonly<Record<string, string>> {
    const model = this.#register.get(`${namespace}/${device}`)?.model;
    return unitsOf(this.models.objects.get(model ?? "")?.spec);
  }

  /** Whether the cluster has this device on this node; undefined while the cluster is not known. */
  isOf(node: string, namespace: string, name: string): boolean | undefined {
    if (!this.isReady) return undefined;
    return this.#register.get(`${namespace}/${name}`)?.node === node;
  }

  #deviceChanged({ key, now, before }: Change): void {
    const entry = now && declared(now, this.#options.clock.now());
    const { metadata } = now ?? {};
    // A new status alone, ours as a rule, changes nothing for the node.
    const sameSpec =
      metadata?.uid === before?.metadata.uid &&
      metadata?.generation === before?.metadata.generation &&
      metadata?.deletionTimestamp === before?.metadata.deletionTimestamp;
    if (now && before && sameSpec) {
      this.statuses.observe(key, metadata?.resourceVersion);
      return;
    }
    const was = this.#register.get(key);
    if (was && (was.uid !== entry?.uid || was.node !== entry.node)) this.#reports.delete(was);
    for (const other of this.#register.put(key, entry)) this.#keys.add(other);
    this.#keys.add(key);
  }

  #modelChanged({ key, now, before }: Change): void {
    const [is, was] = [now?.metadata, before?.metadata];
    if (is && was && is.uid === was.uid && is.generation === was.generation) return;
    if (is) this.#modelKeys.add(key);
    for (const device of this.#register.ofModel(key)) this.#keys.add(device);
  }

  async #settle(key: string): Promise<void> {
    // Before the models are known, every device would seem to lack its own.
    if (!this.isReady) return;
    await this.#declarations.load(this.#register.get(key)?.model);
    this.#declarations.tell(key);
    this.statuses.touch(key);
  }

  async #settleModel(key: string, signal: AbortSignal): Promise<void> {
    const schemas = await this.#declarations.load(key);
    const model = this.models.objects.get(key);
    const { kube, clock } = this.#options;
    if (model) await conditionModel(kube, model, schemas, clock.now(), signal);
  }

  async #serveNewcomers(signal: AbortSignal): Promise<void> {
    await using scope = new Scope(signal);
    let telling = 0;
    for (;;) {
      await this.#arrival.wait(scope.signal, LOOK_MS);
      // A roster before the devices are known would empty every site.
      if (!this.isReady) continue;
      for (const [node, speaker] of this.#newcomers) {
        if (telling >= MOST_TOLD_AT_ONCE) break;
        this.#newcomers.delete(node);
        telling++;
        scope.run(`tell ${node}`, async (signal) => {
          try {
            await this.#tellAll(node, speaker, signal);
          } finally {
            telling--;
            this.#arrival.ring();
          }
        });
      }
    }
  }

  async #tellAll(node: string, speaker: Speaker, signal: AbortSignal): Promise<void> {
    const isPresent = () => this.#presence.speaker(node) === speaker;
    this.#declarations.forget(node);
    for (const { key, model } of this.#register.ofNode(node)) {
      await speaker.room(signal);
      await this.#declarations.load(model);
      if (!isPresent()) return;
      this.#declarations.tell(key);
      this.statuses.touch(key);
    }
    await speaker.room(signal);
    if (!isPresent()) return;
    const uids = this.#declarations.roster(node);
    speaker.send({ kind: "roster", uids });
    this.#options.log.info("node has its devices", { node, devices: uids.length });
  }

  /** Begins when the cluster is known, and then notices what no message says: that a node stays away. */
  async #serveNodes(signal: AbortSignal): Promise<void> {
    while (!this.isReady) await this.#listed.wait(signal);
    for (const key of this.#register.keys()) this.#keys.add(key);
    this.#arrival.ring();
    for (;;) {
      for (const node of this.#register.nodes()) this.#look(node);
      await this.#options.clock.sleep(LOOK_MS, signal);
    }
  }

  #look(node: string): void {
    if (!this.#presence.hasTurned(node)) return;
    for (const { key } of this.#register.ofNode(node)) this.statuses.touch(key);
  }

  #wanted(key: string): Wanted | undefined {
    const device = this.#register.get(key);
    const verdict = this.#declarations.verdict(key);
    const object = this.devices.objects.get(key);
    if (!device || !verdict || !object) return undefined;
    const { namespace, name, uid, generation, node } = device;
    const report = runs(verdict) ? this.#reports.get(device, uid) : undefined;
    const nodeState = this.#presence.stateOf(node);
    const gap = this.#options.lastGap?.(namespace, name);
    const facts = { generation, node, nodeState, verdict, report, gap, nowMs: this.#options.clock.now() };
    const next = (previous: Wanted["previous"]) => statusOf({ ...facts, previous });
    return { name: { namespace, name }, uid, previous: readStatus(object.status), next };
  }
}

const withUnits = z.object({ properties: z.array(z.object({ name: z.string(), unit: z.string().optional() })) });

function unitsOf(spec: unknown): Readonly<Record<string, string>> {
  const { data } = withUnits.safeParse(spec);
  return Object.fromEntries(data?.properties.flatMap(({ name, unit }) => (unit ? [[name, unit]] : [])) ?? []);
}
