import type { Pushed } from "#devices/driver";
import { due } from "#devices/twin";
import { Bell } from "#std/bell";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { DeviceTwin } from "../device-twin.ts";
import type { Circuit } from "./circuit.ts";
import { Introductions } from "./introductions.ts";
import { gone, Jobs } from "./jobs.ts";
import type { Outcomes } from "./outcomes.ts";
import type { Requests } from "./requests.ts";
import { isRead, type Schedule } from "./schedule.ts";
import { LONGEST_WAIT_MS } from "./turns.ts";
import type { Visit } from "./visit.ts";
import { writeWish } from "./write.ts";

export interface WorkPorts {
  readonly outcomes: Outcomes;
  readonly circuit: Circuit;
  readonly clock: Clock;
  /** Told when a device did not answer a visit. */
  readonly missed: (twin: DeviceTwin) => void;
}

/** A wish that was not answered is told again after this, when no visit does so sooner. */
const RETRY_MS = 1_000;

/** Nothing is owed to the visits: the next job may go before them. */
const NOTHING = -1;

/**
 * The work on one link, one thing at a time, so drivers need no locks. A job goes before wishes, and wishes before
 * visits; nobody can starve the others, because visits that are due get as much time after a job as it took, and jobs
 * have their turn between two wishes. What waits outlives a connection and is done on the next.
 */
export class Work {
  readonly #ports: WorkPorts;
  #schedule: Schedule;
  readonly #jobs = new Jobs();
  readonly #introductions: Introductions;
  /** Rings when there is a job to do or a wish to write, or the devices changed. */
  readonly #bell = new Bell();
  /** Milliseconds that visits have before the next job; at 0 there is one more. */
  #owedMs = NOTHING;
  /** When wishes that nobody answered are told again. */
  #retryAtMs = Infinity;
  /** Devices that are never visited and did not answer a write: how often in a row, and when the next is tried. */
  readonly #silent = new WeakMap<DeviceTwin, { readonly misses: number; readonly untilMs: number }>();

  constructor(schedule: Schedule, ports: WorkPorts) {
    this.#schedule = schedule;
    this.#ports = ports;
    this.#introductions = new Introductions((twin, identity) => ports.outcomes.introduced(twin, identity));
  }

  /** Goes on with other devices; takes effect between two turns. */
  set(schedule: Schedule): void {
    this.#schedule = schedule;
    this.#jobs.keepOnly(schedule.devices);
    this.#bell.ring();
  }

  /** A device said something by itself. */
  pushed(visit: Visit, batch: readonly Pushed[]): void {
    this.#answered(visit, this.#ports.outcomes.pushed(visit, batch));
  }

  /** Says that there is a wish to write. */
  hasten(): void {
    this.#bell.ring();
  }

  /** See `Jobs.ask`. */
  async ask<T>(
    twin: DeviceTwin,
    work: (requests: Requests, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    if (!this.#schedule.devices.includes(twin)) throw gone(twin);
    const asked = this.#jobs.ask(twin, work, signal);
    this.#bell.ring();
    return await asked;
  }

  /** Works on an open link until the signal aborts. @throws {Fault} `LINK_LOST`. */
  async serve(requests: Requests, signal: AbortSignal): Promise<never> {
    this.#introductions.restart();
    this.#bell.ring();
    for (;;) {
      signal.throwIfAborted();
      this.#repeat();
      const didJob = await this.#doJob(requests, signal);
      // On a bus that is never done there is always a job to do or a visit due.
      if (this.#bell.take()) await this.#writeWishes(requests, signal);
      const visit = this.#due();
      if (visit) await this.#takeTurn(visit, requests, signal);
      else if (!didJob) await this.#rest(signal);
    }
  }

  /** Tells wishes again that nobody answered, when it is time. */
  #repeat(): void {
    const nowMs = this.#ports.clock.monotonic();
    if (this.#retryAtMs > nowMs) return;
    const later = this.#schedule.devices.flatMap((twin) => this.#silent.get(twin)?.untilMs ?? []);
    this.#retryAtMs = later.filter((untilMs) => untilMs > nowMs).reduce((a, b) => Math.min(a, b), Infinity);
    this.#bell.ring();
  }

  /** The next visit, if it is due. */
  #due(): Visit | undefined {
    const turn = this.#schedule.turns.next();
    return turn && turn.dueMs <= this.#ports.clock.monotonic() ? turn.who : undefined;
  }

  /** Does the next job, unless visits are owed the time. False when it did none. */
  async #doJob(requests: Requests, signal: AbortSignal): Promise<boolean> {
    const { circuit, clock } = this.#ports;
    const job = this.#owedMs >= 0 && this.#due() ? undefined : (this.#jobs.shift() ?? this.#introductions.shift());
    if (!job) return false;
    const fromMs = clock.monotonic();
    await job(requests, signal).finally(() => circuit.busy("(commands)", fromMs));
    this.#owedMs = clock.monotonic() - fromMs;
    // What waits is for the next connection.
    signal.throwIfAborted();
    return true;
  }

  /** Waits until there is something to do. */
  async #rest(signal: AbortSignal): Promise<void> {
    const nextMs = Math.min(this.#schedule.turns.next()?.dueMs ?? Infinity, this.#retryAtMs);
    const waitMs = Math.max(0, Math.ceil(nextMs - this.#ports.clock.monotonic()));
    if (await this.#bell.wait(signal, waitMs === Infinity ? undefined : waitMs)) this.#bell.ring();
    // Nobody had to wait.
    this.#owedMs = NOTHING;
  }

  async #takeTurn(visit: Visit, requests: Requests, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    const { turns } = this.#schedule;
    const fromMs = clock.monotonic();
    const answered = await this.#visit(visit, requests, signal);
    turns.end(visit, clock.monotonic(), answered);
    if (this.#owedMs >= 0) this.#owedMs -= clock.monotonic() - fromMs;
  }

  /** Reads one device. False when it did not answer in time. */
  async #visit(visit: Visit, requests: Requests, signal: AbortSignal): Promise<boolean> {
    const { outcomes, circuit, clock } = this.#ports;
    const { twin, device, points } = visit;
    // Who is silent is asked first whether it is back: each wish would cost its neighbours one more wait.
    if (twin.health.online) await this.#writePending(twin, requests, signal);
    const fromMs = clock.monotonic();
    try {
      const readings = await requests.read(device, points, signal);
      // Declared anew meanwhile: these readings belong to properties that may be no more.
      if (twin.device !== device) return true;
      const silence = readings.find((reading) => !reading.ok && reading.fault.code === "DEVICE_TIMEOUT");
      if (silence && !silence.ok && readings.every((reading) => !reading.ok)) {
        this.#ports.missed(twin);
        outcomes.silent(twin, silence.fault);
        return false;
      }
      this.#answered(visit, outcomes.took(visit, readings));
      return true;
    } catch (error) {
      if (!Fault.is(error, "DEVICE_TIMEOUT")) throw error;
      // Removed, or declared anew and perhaps on another link by now.
      if (twin.device !== device) return true;
      this.#ports.missed(twin);
      outcomes.silent(twin, error);
      return false;
    } finally {
      circuit.busy(device.name, fromMs);
    }
  }

  #answered({ twin }: Visit, isWishDue: boolean): void {
    if (this.#introductions.met(twin) || isWishDue) this.#bell.ring();
  }

  /** Wishes go before polls; a device that is silent, or not visited yet, does not hold up the others' wishes. */
  async #writeWishes(requests: Requests, signal: AbortSignal): Promise<void> {
    for (const twin of this.#schedule.devices) {
      const { untilMs = 0 } = this.#silent.get(twin) ?? {};
      const isReady = isRead(this.#schedule, twin) ? twin.health.online : untilMs <= this.#ports.clock.monotonic();
      if (isReady) await this.#writePending(twin, requests, signal);
    }
  }

  async #writePending(twin: DeviceTwin, requests: Requests, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    let wrote = false;
    for (let index = 0; index < twin.properties.length; index++) {
      if (!due(twin.properties[index] ?? {})) continue;
      // Its link may have changed while the last write was under way: then this is no longer its bus.
      if (!this.#schedule.devices.includes(twin)) return;
      wrote = true;
      // Who does not answer one wish would not answer the next either, and the neighbours wait.
      if (!(await this.#write(twin, index, requests, signal))) break;
      await this.#doJob(requests, signal);
    }
    // The next reading shows whether it took.
    if (!wrote) return;
    const { visits, turns } = this.#schedule;
    for (const visit of visits) if (visit.twin === twin) turns.hasten(visit, clock.monotonic());
  }

  /** A device did not answer a write. One that is not visited would not be asked again by itself: later each time. */
  #missed(twin: DeviceTwin, fault: Fault): void {
    const { outcomes, clock } = this.#ports;
    const { misses = 0 } = this.#silent.get(twin) ?? {};
    const waitMs = Math.min(RETRY_MS * 2 ** misses, LONGEST_WAIT_MS);
    const untilMs = clock.monotonic() + waitMs;
    this.#retryAtMs = Math.min(this.#retryAtMs, untilMs);
    if (isRead(this.#schedule, twin)) return;
    this.#silent.set(twin, { misses: misses + 1, untilMs });
    if (fault.code === "DEVICE_TIMEOUT") outcomes.silent(twin, fault);
  }

  /** Writes a wish. False when nobody answered: it is tried again. */
  async #write(twin: DeviceTwin, index: number, requests: Requests, signal: AbortSignal): Promise<boolean> {
    const { outcomes, circuit, clock } = this.#ports;
    const isPushed = this.#schedule.pushed.some((visit) => visit.twin === twin && visit.indexes.includes(index));
    const fromMs = clock.monotonic();
    try {
      const told = await writeWish({ twin, index, isPushed }, requests, signal);
      if (told.is === "silent") this.#missed(twin, told.fault);
      if (told.is !== "answered") return told.is === "done";
      this.#silent.delete(twin);
      if (told.next) outcomes.settle(twin, index, told.next);
      if (told.heard && !isRead(this.#schedule, twin)) outcomes.heard(twin);
      return true;
    } finally {
      circuit.busy(twin.declared.name, fromMs);
    }
  }
}
