import { deviceKind, modelKind } from "#devices/crd";
import type { Schemas } from "#devices/expand";
import type { DeviceReport } from "#devices/status";
import { Bell } from "#std/bell";
import type { Clock } from "#std/clock";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";
import type { CloudMessage } from "#wire/messages";
import type { Kube } from "../kube/client.ts";
import { Keys } from "../kube/keys.ts";
import { reconcile } from "../kube/reconcile.ts";
import { type Change, Mirror } from "../kube/watch.ts";
import { conditionModel } from "./models.ts";
import { Register } from "./register.ts";
import { type NodeState, readStatus, statusOf } from "./status.ts";
import { StatusWriter, type Wanted } from "./status-writer.ts";
import { declared, judge, type Verdict } from "./verdict.ts";

/** What the controller needs of a node's connection. */
export interface Speaker {
  /** Waits until the node has taken most of what was sent before. */
  room(signal: AbortSignal): Promise<void>;
  /** False when the connection is gone. */
  send(message: CloudMessage): boolean;
}

/** The parts of the drivers that say what may be declared, by protocol. */
export type SchemaTable = Readonly<Record<string, () => Promise<Schemas>>>;

export interface ControllerOptions {
  readonly kube: Kube;
  /** Without them, links, stations and addresses are checked by the node alone. */
  readonly schemas: SchemaTable;
  /** Whether a node of this name ever joined or connected. */
  readonly isKnown: (node: string) => boolean;
  readonly statusPerSecond: number;
  readonly log: Log;
  readonly clock: Clock;
}

/** Connections come and go; until then nothing is said of it. */
const AWAY_MS = 40_000;
const LOOK_MS = 1_000;
/** Reports that may be kept for devices that the cluster has not told us of yet. */
const MOST_REPORTS = 100_000;

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
  readonly #keys = new Keys();
  readonly #modelKeys = new Keys();
  readonly #speakers = new Map<string, Speaker>();
  readonly #greetings = new Map<string, Speaker>();
  readonly #greet = new Bell();
  readonly #listed = new Bell();
  /** What the present connection of a node was told of a device. */
  readonly #told = new Map<string, { readonly node: string; readonly uid: string; readonly text: string }>();
  readonly #verdicts = new Map<string, Verdict>();
  readonly #reports = new Map<string, { readonly node: string; readonly report: DeviceReport }>();
  /** Schemas that were loaded, by protocol. */
  readonly #loaded = new Map<string, Schemas>();
  readonly #leftAt = new Map<string, number>();
  readonly #states = new Map<string, NodeState>();
  readonly #startedAt: number;

  constructor(options: ControllerOptions) {
    const { kube, log, clock, statusPerSecond } = options;
    this.#options = options;
    this.#startedAt = clock.monotonic();
    const ports = { kube, log, clock, listed: () => this.#listed.ring() };
    this.models = new Mirror({ ...ports, kind: modelKind, changed: (change) => this.#modelChanged(change) });
    this.devices = new Mirror({ ...ports, kind: deviceKind, changed: (change) => this.#deviceChanged(change) });
    this.statuses = new StatusWriter({
      kube,
      log,
      clock,
      perSecond: statusPerSecond,
      wanted: (key) => this.#wanted(key),
    });
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
    scope.run("declare", (signal) => reconcile(this.#keys, (key) => this.#settle(key), { log, clock }, signal));
    scope.run("model conditions", (signal) =>
      reconcile(this.#modelKeys, (key, signal) => this.#settleModel(key, signal), { log, clock, workers: 2 }, signal),
    );
    scope.run("greetings", (signal) => this.#serveGreetings(signal));
    scope.run("node states", (signal) => this.#serveStates(signal));
    await scope.done();
  }

  /** A node is here: it is told all its devices, and then which these are. */
  connected(node: string, speaker: Speaker): void {
    this.#speakers.set(node, speaker);
    this.#leftAt.delete(node);
    this.#greetings.set(node, speaker);
    this.#greet.ring();
    this.#look(node);
  }

  /** A node is gone. */
  disconnected(node: string): void {
    this.#speakers.delete(node);
    this.#greetings.delete(node);
    this.#leftAt.set(node, this.#options.clock.monotonic());
    this.#look(node);
  }

  /** A node says how a device is. */
  reported(node: string, report: DeviceReport): void {
    this.#reports.delete(report.uid);
    this.#reports.set(report.uid, { node, report });
    for (const uid of this.#reports.keys()) {
      if (this.#reports.size <= MOST_REPORTS) break;
      this.#reports.delete(uid);
    }
    const key = `${report.namespace}/${report.name}`;
    if (this.#register.get(key)) this.statuses.touch(key);
  }

  #deviceChanged({ key, now, before }: Change): void {
    const entry = now && declared(now);
    const { metadata } = now ?? {};
    // A new status alone, ours as a rule, changes nothing for the node.
    const sameSpec =
      metadata?.uid === before?.metadata.uid &&
      metadata?.generation === before?.metadata.generation &&
      metadata?.deletionTimestamp === before?.metadata.deletionTimestamp;
    if (now && before && sameSpec) {
      this.statuses.observe(key);
      return;
    }
    if (before?.metadata.uid && before.metadata.uid !== metadata?.uid) this.#reports.delete(before.metadata.uid);
    for (const other of this.#register.put(key, entry)) this.#keys.add(other);
    this.#keys.add(key);
  }

  #modelChanged({ key, now, before }: Change): void {
    if (
      now &&
      before &&
      now.metadata.uid === before.metadata.uid &&
      now.metadata.generation === before.metadata.generation
    )
      return;
    if (now) this.#modelKeys.add(key);
    for (const device of this.#register.ofModel(key)) this.#keys.add(device);
  }

  /** Brings one device to its node. */
  async #settle(key: string): Promise<void> {
    // Before the models are known, every device would seem to lack its own.
    if (!this.isReady) return;
    await this.#loadSchemas(this.#register.get(key)?.model);
    this.#tell(key);
    this.statuses.touch(key);
  }

  /** Reads and sends in one go, so that nothing older can overtake it. */
  #tell(key: string): void {
    const device = this.#register.get(key);
    const told = this.#told.get(key);
    const verdict = device && this.#judge(key);
    const leaves = told && (told.node !== device?.node || told.uid !== device.uid || (verdict && !runs(verdict)));
    if (leaves) {
      this.#speakers.get(told.node)?.send({ kind: "gone", uid: told.uid });
      this.#told.delete(key);
    }
    if (!device || !verdict?.ok) return;
    const { node, uid } = device;
    const text = JSON.stringify(verdict.declaration);
    if (!leaves && told?.text === text) return;
    if (this.#speakers.get(node)?.send({ kind: "device", device: verdict.declaration }))
      this.#told.set(key, { node, uid, text });
  }

  #judge(key: string): Verdict | undefined {
    const device = this.#register.get(key);
    if (!device) {
      this.#verdicts.delete(key);
      return undefined;
    }
    const model = this.models.objects.get(device.model);
    const verdict = judge(device, model, this.#register.rivals(device), this.#loaded.get(protocolOf(model?.spec)));
    this.#verdicts.set(key, verdict);
    return verdict;
  }

  async #loadSchemas(modelKey: string | undefined): Promise<void> {
    const protocol = protocolOf(modelKey === undefined ? undefined : this.models.objects.get(modelKey)?.spec);
    const { schemas } = this.#options;
    if (!this.#loaded.has(protocol) && Object.hasOwn(schemas, protocol)) {
      const load = schemas[protocol];
      if (load) this.#loaded.set(protocol, await load());
    }
  }

  async #settleModel(key: string, signal: AbortSignal): Promise<void> {
    await this.#loadSchemas(key);
    const model = this.models.objects.get(key);
    if (!model) return;
    const { kube, clock } = this.#options;
    await conditionModel(kube, model, this.#loaded.get(protocolOf(model.spec)), clock.now(), signal);
  }

  async #serveGreetings(signal: AbortSignal): Promise<void> {
    await using scope = new Scope(signal);
    for (;;) {
      await this.#greet.wait(scope.signal, LOOK_MS);
      // A roster before the devices are known would empty every site.
      if (!this.isReady) continue;
      for (const [node, speaker] of this.#greetings) {
        this.#greetings.delete(node);
        scope.run(`greet ${node}`, (signal) => this.#greetNode(node, speaker, signal));
      }
    }
  }

  async #greetNode(node: string, speaker: Speaker, signal: AbortSignal): Promise<void> {
    const present = () => this.#speakers.get(node) === speaker;
    for (const { key } of this.#register.ofNode(node)) this.#told.delete(key);
    for (const { key, model } of this.#register.ofNode(node)) {
      await speaker.room(signal);
      await this.#loadSchemas(model);
      if (!present()) return;
      if (!this.#told.has(key)) this.#tell(key);
      this.statuses.touch(key);
    }
    await speaker.room(signal);
    if (!present()) return;
    const uids = this.#register
      .ofNode(node)
      .filter(({ key }) => runs(this.#judge(key)))
      .map(({ uid }) => uid);
    speaker.send({ kind: "roster", uids });
    this.#options.log.info("node has its devices", { node, devices: uids.length });
  }

  /** Notices what no message says: that a node stays away. */
  async #serveStates(signal: AbortSignal): Promise<void> {
    let wasReady = false;
    for (;;) {
      if (this.isReady && !wasReady) {
        wasReady = true;
        for (const key of this.#register.keys()) this.#keys.add(key);
        this.#greet.ring();
      }
      for (const node of this.#register.nodes()) this.#look(node);
      await this.#listed.wait(signal, LOOK_MS);
    }
  }

  #look(node: string): void {
    const state = this.#stateOf(node);
    if (this.#states.get(node) === state) return;
    this.#states.set(node, state);
    for (const { key } of this.#register.ofNode(node)) this.statuses.touch(key);
  }

  #stateOf(node: string): NodeState {
    if (this.#speakers.has(node)) return "connected";
    if (!this.#options.isKnown(node)) return "unknown";
    const leftAt = this.#leftAt.get(node) ?? this.#startedAt;
    return this.#options.clock.monotonic() - leftAt < AWAY_MS ? "brief" : "away";
  }

  #wanted(key: string): Wanted | undefined {
    const device = this.#register.get(key);
    const verdict = this.#verdicts.get(key);
    const object = this.devices.objects.get(key);
    if (!device || !verdict || !object) return undefined;
    const { namespace, name, uid, generation, node } = device;
    const known = this.#reports.get(uid);
    const report = known?.node === node && runs(verdict) ? known.report : undefined;
    const nowMs = this.#options.clock.now();
    const facts = { generation, node, nodeState: this.#stateOf(node), verdict, report, nowMs };
    const previous = readStatus(object.status);
    return { name: { namespace, name }, uid, previous, next: (previous) => statusOf({ ...facts, previous }) };
  }
}

/**
 * Whether a node may run the device, in its present or its last valid form. A typing mistake in a spec must not stop
 * what runs; only another device that has the name does.
 */
function runs(verdict: Verdict | undefined): boolean {
  return verdict !== undefined && (verdict.ok || verdict.reason !== "NameTaken");
}

function protocolOf(spec: unknown): string {
  const { protocol } = (spec ?? {}) as { protocol?: unknown };
  return typeof protocol === "string" ? protocol : "";
}
