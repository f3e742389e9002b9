import type { Clock } from "#std/clock";
import { Fault, isFaultCode } from "#std/fault";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";
import type { Carrier } from "#wire/carrier";
import { decodeFrame, encodeFrame } from "#wire/frame";
import {
  type CloudMessage,
  cloudMessage,
  type EdgeMessage,
  type Grant,
  OLDEST_WIRE_VERSION,
  type Range,
  WIRE_VERSION,
} from "#wire/messages";
import type { Layout } from "#wire/pack";
import { packGrants, packMissing, packReport, packRows } from "#wire/packer";
import { gaps, has } from "#wire/ranges";
import { reportOf } from "./device-report.ts";
import type { Supervisor } from "./devices/supervisor.ts";
import type { Grants } from "./grants.ts";
import type { Lineage } from "./lineage.ts";
import type { Dropped, Outbox } from "./outbox.ts";
import type { Renewal } from "./renewal.ts";
import type { Twins } from "./twins.ts";

/** What a session keeps in step with the cloud. */
export interface SessionPorts {
  readonly twins: Twins;
  readonly outbox: Outbox;
  readonly grants: Grants;
  readonly supervisor: Supervisor;
  readonly renewal: Renewal;
  readonly lineage: Lineage;
  /** Version of this program. */
  readonly program: string;
  readonly clock: Clock;
  readonly log: Log;
}

const PING_MS = 8_000;
/** Silence after which the other side is gone, whatever TCP believes. With the ping it is found within 25 s. */
const SILENCE_MS = 20_000;
const HELLO_MS = 10_000;
/** How often somebody looks whether the certificate wants to be renewed. */
const RENEWAL_MS = 3_600_000;
/** Reports of changed devices are gathered this long. */
const REPORT_MS = 500;
/** Above this, reports wait for the network. */
const REPORT_EASY_BYTES = 1024 * 1024;
/** Bytes of rows that may wait for the cloud's acknowledgement: of the live ones, and of the backlog. */
const LIVE_WINDOW_BYTES = 2 * 1024 * 1024;
const BATCH_BYTES = 256 * 1024;

/**
 * Talks to the cloud until the connection or the signal ends. Rows that are written while the connection lives go first,
 * as they come; the backlog from before goes behind them, in order, one batch at a time.
 *
 * @throws {Fault} `UPLINK_LOST`, `FRAME_INVALID`, `VERSION_UNSUPPORTED`.
 */
export async function converse(
  carrier: Carrier,
  ports: SessionPorts,
  signal: AbortSignal,
  up: () => void,
): Promise<void> {
  await using scope = new Scope(signal);
  scope.signal.addEventListener("abort", () => carrier.close("session ends"), { once: true });
  const session = new Session(carrier, ports);
  scope.run("uplink receive", async (signal) => {
    for await (const frame of carrier.frames) {
      if (signal.aborted) return;
      await session.hear(decodeFrame(cloudMessage, frame), scope, up);
    }
    signal.throwIfAborted();
    throw new Fault("UPLINK_LOST", "the cloud closed the connection");
  });
  scope.run("uplink watchdog", (signal) => session.watch(signal));
  session.hello();
  await scope.done();
}

/** Rows on their way: the cloud has not said yet that it has them. */
interface Batch {
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

class Session {
  readonly #carrier: Carrier;
  readonly #ports: SessionPorts;
  readonly #beganMs: number;
  #heardMs: number;
  #welcome = false;
  /** The next row that is live: written after the welcome. Everything before is backlog. */
  #liveNext = 0;
  #live: readonly Batch[] = [];
  #backlogLeft: readonly Range[] = [];
  #backlog: Batch | undefined;
  /** Layouts that this connection has told. */
  readonly #told = new Set<string>();
  /** Devices whose grants this connection has shown. */
  readonly #shown = new Set<string>();
  /** Dropped rows that the cloud was told of and has not confirmed. */
  readonly #telling = new Map<number, Dropped>();

  constructor(carrier: Carrier, ports: SessionPorts) {
    this.#carrier = carrier;
    this.#ports = ports;
    this.#beganMs = ports.clock.monotonic();
    this.#heardMs = this.#beganMs;
  }

  hello(): void {
    const { lineage, renewal, program, outbox } = this.#ports;
    const said = lineage.hello(renewal.identity.certificate);
    this.#send({ kind: "hello", version: WIRE_VERSION, program, head: outbox.head, ...said });
  }

  async hear(message: CloudMessage, scope: Scope, up: () => void): Promise<void> {
    const { supervisor, twins, grants, renewal, clock } = this.#ports;
    this.#heardMs = clock.monotonic();
    if (!this.#welcome && !["welcome", "refused", "ping"].includes(message.kind))
      throw new Fault("FRAME_INVALID", `${message.kind} came before the welcome`);
    switch (message.kind) {
      case "welcome":
        await this.#begin(message, scope);
        return up();
      case "refused":
        return this.#refused(message);
      case "device": {
        const { namespace, name: device } = message.device;
        // Before the device runs, so that no row of it is ever without.
        await grants.keep({ namespace, device, grant: message.grant });
        await supervisor.declare(message.device);
        return this.#send({ kind: "stored", uid: message.device.uid, generation: message.device.generation });
      }
      case "gone":
        return supervisor.remove(message.uid);
      case "roster":
        await supervisor.keepOnly(new Set(message.uids));
        return twins.tellAll();
      case "taken":
        return this.#taken(message.ranges);
      case "certificate":
        return renewal.accept(message.certificate);
      case "ping":
    }
  }

  /** Sends a ping now and then and ends the session when nothing comes back. */
  async watch(signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    for (;;) {
      await clock.sleep(PING_MS / 2, signal);
      const silentMs = clock.monotonic() - this.#heardMs;
      if (!this.#welcome && clock.monotonic() - this.#beganMs > HELLO_MS)
        throw new Fault("UPLINK_LOST", "the cloud did not say welcome");
      if (silentMs > SILENCE_MS) throw new Fault("UPLINK_LOST", `the cloud was silent for ${Math.round(silentMs)} ms`);
      this.#send({ kind: "ping" });
    }
  }

  async #begin({ version, have }: Extract<CloudMessage, { kind: "welcome" }>, scope: Scope): Promise<void> {
    const { lineage, outbox, twins, log } = this.#ports;
    if (version < OLDEST_WIRE_VERSION || version > WIRE_VERSION)
      throw new Fault("VERSION_UNSUPPORTED", `the cloud speaks version ${version}, this node up to ${WIRE_VERSION}`);
    if (this.#welcome) throw new Fault("FRAME_INVALID", "a second welcome came");
    this.#welcome = true;
    if (await outbox.meet(have, lineage.first))
      log.error("the outbox had lost rows that the cloud has; its numbers go on behind them");
    lineage.welcomed();
    this.#liveNext = outbox.head + 1;
    this.#backlogLeft = gaps(have, 1, outbox.head);
    scope.run("uplink rows", (signal) => this.#sendRows(signal));
    scope.run("uplink reports", (signal) => this.#sendReports(signal));
    scope.run("uplink renewal", (signal) => this.#renew(signal));
    twins.tellAll();
  }

  /** The cloud says why it ends the connection. One of a newer version may have codes that nobody knows here. */
  #refused({ code, message }: Extract<CloudMessage, { kind: "refused" }>): never {
    const { lineage, renewal } = this.#ports;
    if (code === "NODE_DUPLICATE") lineage.refused(renewal.identity.certificate);
    throw new Fault(isFaultCode(code) ? code : "UPLINK_LOST", `the cloud refused: ${message}`);
  }

  async #sendRows(signal: AbortSignal): Promise<void> {
    const { outbox } = this.#ports;
    for (;;) {
      this.#tellDropped();
      if (!this.#sendLive() && !this.#sendBacklog()) await outbox.bell.wait(signal);
    }
  }

  #sendLive(): boolean {
    const { outbox } = this.#ports;
    if (this.#live.reduce((sum, { bytes }) => sum + bytes, 0) >= LIVE_WINDOW_BYTES) return false;
    const batch = this.#sendBatch(this.#liveNext, outbox.head);
    if (!batch) return false;
    this.#liveNext = batch.to + 1;
    this.#live = [...this.#live, batch];
    return true;
  }

  #sendBacklog(): boolean {
    if (this.#backlog) return false;
    for (;;) {
      const [range, ...rest] = this.#backlogLeft;
      if (!range) return false;
      this.#backlog = this.#sendBatch(...range);
      const next = (this.#backlog?.to ?? range[1]) + 1;
      this.#backlogLeft = next <= range[1] ? [[next, range[1]], ...rest] : rest;
      if (this.#backlog) return true;
    }
  }

  #sendBatch(from: number, to: number): Batch | undefined {
    if (from > to) return undefined;
    const rows = this.#ports.outbox.read(from, to, BATCH_BYTES);
    const [first, last] = [rows[0], rows.at(-1)];
    if (!first || !last) return undefined;
    this.#showGrants(rows);
    for (const message of packRows(rows, (id) => this.#newLayout(id))) this.#send(message);
    return { from: first.seq, to: last.seq, bytes: rows.reduce((sum, { body }) => sum + body.length, 0) };
  }

  /** Shows the grants of these devices that this connection has not shown. */
  #showGrants(of: readonly Omit<Grant, "grant">[]): void {
    const found: Grant[] = [];
    for (const { namespace, device } of of) {
      const key = `${namespace}/${device}`;
      const grant = this.#shown.has(key) ? undefined : this.#ports.grants.of({ namespace, device });
      if (!grant) continue;
      this.#shown.add(key);
      found.push(grant);
    }
    for (const message of packGrants(found)) this.#send(message);
  }

  /** A layout that this connection has not told. */
  #newLayout(id: string): Layout | undefined {
    if (this.#told.has(id)) return undefined;
    this.#told.add(id);
    return this.#ports.outbox.layout(id);
  }

  /** Rows that a limit dropped are told like rows, so that the cloud's ledger has no silent hole. */
  #tellDropped(): void {
    for (const dropped of this.#ports.outbox.untold()) {
      if (this.#telling.has(dropped.range[0])) continue;
      this.#telling.set(dropped.range[0], dropped);
      this.#showGrants(dropped.lost);
      this.#send(packMissing(dropped));
    }
  }

  async #taken(ranges: readonly Range[]): Promise<void> {
    const { outbox } = this.#ports;
    await outbox.take(ranges);
    this.#live = this.#live.filter(({ to }) => !has(ranges, to));
    if (this.#backlog && has(ranges, this.#backlog.to)) this.#backlog = undefined;
    for (const [first, dropped] of this.#telling) {
      if (!has(ranges, dropped.range[1])) continue;
      await outbox.told(dropped);
      this.#telling.delete(first);
    }
    outbox.bell.ring();
  }

  /** Tells the state of changed devices, gathered, so that a quick device does not cost a frame per value. */
  async #sendReports(signal: AbortSignal): Promise<void> {
    const { twins, clock } = this.#ports;
    for (;;) {
      await twins.bell.wait(signal);
      // Reports are levels: while the cloud takes nothing, newer ones take their place, and none piles up here.
      while (this.#carrier.bufferedBytes > REPORT_EASY_BYTES) await clock.sleep(REPORT_MS, signal);
      for (const twin of twins.takeChanged()) {
        const report = reportOf(twin);
        this.#showGrants([{ namespace: report.namespace, device: report.name }]);
        this.#send(packReport(report));
      }
      await clock.sleep(REPORT_MS, signal);
    }
  }

  /** Asks for a new certificate in time. */
  async #renew(signal: AbortSignal): Promise<void> {
    const { renewal, clock } = this.#ports;
    for (;;) {
      const request = await renewal.request();
      if (request !== undefined) this.#send({ kind: "renew", request });
      await clock.sleep(RENEWAL_MS, signal);
    }
  }

  #send(message: EdgeMessage): void {
    this.#carrier.send(encodeFrame(message));
  }
}
