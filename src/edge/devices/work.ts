import type { Connection } from "#devices/driver";
import { due } from "#devices/twin";
import { Bell } from "#std/bell";
import type { Clock } from "#std/clock";
import { deadline } from "#std/deadline";
import { Fault } from "#std/fault";
import type { DeviceTwin } from "../device-twin.ts";
import type { Circuit } from "./circuit.ts";
import { Jobs } from "./jobs.ts";
import type { Outcomes } from "./outcomes.ts";
import { isRead, type Schedule } from "./schedule.ts";
import type { Visit } from "./visit.ts";
import { writeWish } from "./write.ts";

export interface WorkPorts {
  readonly outcomes: Outcomes;
  readonly circuit: Circuit;
  readonly clock: Clock;
  /** Longest time that a device may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** A wish that was not answered is told again after this, when no visit does so sooner. */
const RETRY_MS = 1_000;

/**
 * The work on one link, one thing at a time: jobs, then wishes, then visits. Nothing else asks the connection, so
 * drivers need no locks. What waits outlives a connection and is done on the next.
 */
export class Work {
  readonly #ports: WorkPorts;
  #schedule: Schedule;
  readonly #jobs = new Jobs();
  /** Rings when there is a job to do or a wish to write, or the devices changed. */
  readonly #bell = new Bell();
  /** When wishes that nobody answered are told again. */
  #retryAtMs = Infinity;

  constructor(schedule: Schedule, ports: WorkPorts) {
    this.#schedule = schedule;
    this.#ports = ports;
  }

  /** Goes on with other devices; takes effect between two turns. */
  set(schedule: Schedule): void {
    this.#schedule = schedule;
    this.#bell.ring();
  }

  /** Says that there is a wish to write. */
  hasten(): void {
    this.#bell.ring();
  }

  /** See `Jobs.ask`. */
  ask<T>(work: (connection: Connection, signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const asked = this.#jobs.ask(work, signal);
    this.#bell.ring();
    return asked;
  }

  /** Works on an open connection until the signal aborts. @throws {Fault} `LINK_LOST`. */
  async serve(connection: Connection, signal: AbortSignal): Promise<never> {
    const { clock } = this.#ports;
    this.#bell.ring();
    for (;;) {
      signal.throwIfAborted();
      await this.#doJobs(connection, signal);
      // On a bus that is never done there is always a visit due.
      if (this.#bell.take()) await this.#writeWishes(connection, signal);
      const turn = this.#schedule.turns.next();
      const dueMs = Math.min(turn?.dueMs ?? Infinity, this.#retryAtMs);
      const waitMs = Math.ceil(dueMs - clock.monotonic());
      if (waitMs > 0) {
        if (await this.#bell.wait(signal, waitMs === Infinity ? undefined : waitMs))
          await this.#writeWishes(connection, signal);
        continue;
      }
      if (this.#retryAtMs <= clock.monotonic()) {
        this.#retryAtMs = Infinity;
        this.#bell.ring();
        continue;
      }
      if (!turn) continue;
      signal.throwIfAborted();
      const { turns } = this.#schedule;
      const answered = await this.#visit(turn.who, connection, signal);
      turns.end(turn.who, clock.monotonic(), answered);
    }
  }

  async #doJobs(connection: Connection, signal: AbortSignal): Promise<void> {
    const { circuit, clock } = this.#ports;
    for (let job = this.#jobs.shift(); job; job = this.#jobs.shift()) {
      const fromMs = clock.monotonic();
      await job(connection, signal).finally(() => circuit.busy("(commands)", fromMs));
      // What waits is for the next connection.
      signal.throwIfAborted();
    }
  }

  /** Reads one device. False when it did not answer in time. */
  async #visit(visit: Visit, connection: Connection, signal: AbortSignal): Promise<boolean> {
    const { outcomes, circuit, clock, timeoutMs } = this.#ports;
    const { twin, device, points } = visit;
    // Who is silent is asked first whether it is back: each wish would cost its neighbours one more wait.
    if (twin.health.online) await this.#writePending(twin, connection, signal);
    using limit = deadline(timeoutMs, signal);
    const fromMs = clock.monotonic();
    try {
      const readings = await connection.read(device.station, points, limit.signal);
      // Declared anew meanwhile: these readings belong to properties that may be no more.
      if (twin.device !== device) return true;
      const silence = readings.find((reading) => !reading.ok && reading.fault.code === "DEVICE_TIMEOUT");
      if (silence && !silence.ok && readings.every((reading) => !reading.ok)) {
        outcomes.silent(twin, silence.fault);
        return false;
      }
      if (outcomes.took(visit, readings)) this.#bell.ring();
      return true;
    } catch (error) {
      if (!limit.expired || signal.aborted) throw error;
      // Removed, or declared anew and perhaps on another link by now.
      if (twin.device !== device) return true;
      const message = `${device.name} did not answer within ${timeoutMs} ms`;
      outcomes.silent(twin, new Fault("DEVICE_TIMEOUT", message));
      return false;
    } finally {
      circuit.busy(device.name, fromMs);
    }
  }

  /** Wishes go before polls; a device that is silent, or not visited yet, does not hold up the others' wishes. */
  async #writeWishes(connection: Connection, signal: AbortSignal): Promise<void> {
    for (const twin of this.#schedule.devices) {
      if (twin.health.online || !isRead(this.#schedule, twin)) await this.#writePending(twin, connection, signal);
    }
  }

  async #writePending(twin: DeviceTwin, connection: Connection, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    let wrote = false;
    for (let index = 0; index < twin.properties.length; index++) {
      // Its link may have changed while the last write was under way: then this is no longer its bus.
      if (!this.#schedule.devices.includes(twin)) return;
      if (!due(twin.properties[index] ?? {})) continue;
      wrote = true;
      // Who does not answer one wish would not answer the next either, and the neighbours wait.
      if (!(await this.#write(twin, index, connection, signal))) break;
    }
    // The next reading shows whether it took.
    if (!wrote) return;
    const { visits, turns } = this.#schedule;
    for (const visit of visits) if (visit.twin === twin) turns.hasten(visit, clock.monotonic());
  }

  /** Writes a wish. False when nobody answered: it is tried again. */
  async #write(twin: DeviceTwin, index: number, connection: Connection, signal: AbortSignal): Promise<boolean> {
    const { outcomes, circuit, clock, timeoutMs } = this.#ports;
    const isPushed = this.#schedule.pushed.some((visit) => visit.twin === twin && visit.indexes.includes(index));
    const fromMs = clock.monotonic();
    try {
      const told = await writeWish({ twin, index, isPushed, timeoutMs }, connection, signal);
      // A device that is not visited would not be asked again by itself.
      if (told.is === "silent") this.#retryAtMs = Math.min(this.#retryAtMs, clock.monotonic() + RETRY_MS);
      if (told.is !== "answered") return told.is === "done";
      if (told.next) outcomes.settle(twin, index, told.next);
      if (told.heard && !isRead(this.#schedule, twin)) outcomes.heard(twin);
      return true;
    } finally {
      circuit.busy(twin.declared.name, fromMs);
    }
  }
}
