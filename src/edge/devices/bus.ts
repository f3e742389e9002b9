import type { Connection, Driver, Experience, Reading } from "#devices/driver";
import { due } from "#devices/twin";
import { backoffMs } from "#std/backoff";
import { Bell } from "#std/bell";
import type { Clock } from "#std/clock";
import { deadline } from "#std/deadline";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";
import type { DeviceTwin, Health } from "../device-twin.ts";
import type { Twins } from "../twins.ts";
import { Circuit } from "./circuit.ts";
import { exchangesWith, type Inspection, inspect, roundTripMs } from "./inspect.ts";
import { Jobs } from "./jobs.ts";
import { Turns } from "./turns.ts";
import { partOf, take, type Visit, wantedOf } from "./visit.ts";
import { writeWish } from "./write.ts";

/** What a bus talks to. */
export interface Ports {
  readonly twins: Twins;
  /** Gets each visit's readings when they arrive. */
  readonly visited: (visit: Visit, taken: ReturnType<typeof take>) => void;
  readonly log: Log;
  readonly clock: Clock;
}

/** What a device says of itself. */
type Identity = Readonly<Record<string, string>>;
const nobody: Promise<Identity> = Promise.resolve({});

const RECONNECT = { firstMs: 250, longestMs: 15_000 };
const CONNECT_MS = 5_000;
const DEFAULT_TIMEOUT_MS = 1_000;
/** A wish that was not answered is told again after this, when no visit does so sooner. */
const RETRY_MS = 1_000;
/** A property is stale when it was not read for so many periods, and for so long, although its device answers. */
const MISSED_PERIODS = 3;
const LEAST_STALE_MS = 1_000;
const ANSWERING: Health = { online: true, reason: "Answering", message: "the last visit was answered" };

/**
 * One link and the devices on it, kept true until the signal aborts: connect, write what is wished, visit, again.
 * Nothing else touches the connection, so drivers need no locks; nothing here can stop another bus.
 */
export class Bus {
  readonly #driver: Driver;
  readonly #link: unknown;
  readonly #timeoutMs: number;
  readonly #ports: Ports;
  /** Rings when there is a wish to write or the devices changed. */
  readonly #bell = new Bell();
  readonly #changed = new Bell();
  #devices: readonly DeviceTwin[] = [];
  readonly #jobs = new Jobs();
  /** When wishes that nobody answered are told again. */
  #retryAtMs = Infinity;
  /** Connections in a row that brought nothing. One that opens and drops at once is no success. */
  #failures = 0;
  #turns = new Turns<Visit>([], 0, false);
  #visits: readonly Visit[] = [];
  #pushed: readonly Visit[] = [];
  readonly #circuit: Circuit;
  /** The last one, also when it is lost: its exchanges may say why. */
  #connection: Connection | undefined;
  /** What the stations of this connection said of themselves. */
  #identities = new WeakMap<object, Readonly<Record<string, string>>>();

  constructor(driver: Driver, link: unknown, ports: Ports) {
    this.#driver = driver;
    this.#link = link;
    this.#ports = ports;
    this.#circuit = new Circuit(ports.clock);
    this.#timeoutMs = timeoutOf(link);
  }

  /** Replaces the devices; the connection stays. Takes effect between two turns. */
  set(devices: readonly DeviceTwin[]): void {
    this.#devices = devices;
    const wanted = devices.map((twin) => wantedOf(twin, this.#driver));
    this.#visits = wanted.flatMap(({ visits }) => visits);
    this.#pushed = wanted.flatMap(({ pushed }) => pushed ?? []);
    this.#turns = new Turns(this.#visits, this.#ports.clock.monotonic(), devices.length > 1);
    this.#bell.ring();
    this.#changed.ring();
  }

  /** Says that there is a wish to write. */
  hasten(): void {
    this.#bell.ring();
  }

  /**
   * Does something on the connection as soon as nothing else is under way; it goes before wishes and visits.
   * @param signal - ends the waiting, and the work; so does the end of the link.
   * @throws {Fault} `OVERLOADED` when too much waits already; whatever the work throws.
   */
  ask<T>(work: (connection: Connection, signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const asked = this.#jobs.ask(work, signal);
    this.#bell.ring();
    return asked;
  }

  /** What is known of the link and of a device on it, for whoever asks why. */
  inspect(twin: DeviceTwin): Inspection {
    const { clock } = this.#ports;
    return inspect(twin, {
      driver: this.#driver,
      link: this.#link,
      circuit: this.#circuit.view(this.#failures),
      devices: this.#devices,
      visits: this.#visits,
      pushed: this.#pushed,
      turns: this.#turns,
      connection: this.#connection,
      epochMs: clock.now() - clock.monotonic(),
    });
  }

  /** What a device says of itself, asked once for each connection; undefined when it can not be asked now. */
  async identify({ device, health }: DeviceTwin, signal: AbortSignal): Promise<Identity | undefined> {
    const key = device?.station;
    if (!this.#connection?.describe || typeof key !== "object" || key === null) return undefined;
    const known = this.#identities.get(key);
    // Who is silent would cost its neighbours a wait.
    if (known || !health.online) return known;
    using limit = deadline(this.#timeoutMs, signal);
    try {
      const said = await this.ask((connection, signal) => connection.describe?.(key, signal) ?? nobody, limit.signal);
      this.#identities.set(key, said);
      return said;
    } catch (error) {
      if (Fault.is(error) && !error.retry) this.#identities.set(key, {});
      if (signal.aborted) throw error;
      return undefined;
    }
  }

  /** The last exchanges of the whole link; undefined before the first connection, or when the driver keeps none. */
  get exchanges(): Connection["exchanges"] {
    return this.#connection?.exchanges;
  }

  /** What a device and its link have taught, for a better plan. */
  experienceOf({ device }: DeviceTwin): Experience {
    const lessons = (device && this.#connection?.learned?.(device.station)) ?? [];
    const mine = device ? exchangesWith(this.#driver, this.#connection, device) : undefined;
    return { lessons, roundTripMs: roundTripMs(mine ?? []) };
  }

  /** Calls uncertain what was not read for some periods, such as by a link with too much to do. Asked each second. */
  doubtStale(): void {
    const { twins, clock } = this.#ports;
    for (const [{ twin, indexes, periodMs }, ageMs] of this.#turns.overdue(
      clock.monotonic(),
      MISSED_PERIODS,
      LEAST_STALE_MS,
    ))
      twins.doubt(twin, `stale: not read for ${Math.round(ageMs)} ms, wanted every ${periodMs} ms`, indexes);
  }

  async serve(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    const { protocol } = this.#driver;
    while (!signal.aborted) {
      try {
        this.#circuit.connecting();
        await using connection = await this.#connect(signal);
        await using scope = new Scope(signal);
        this.#connection = connection;
        this.#identities = new WeakMap();
        this.#circuit.up();
        if (this.#failures === 0) log.info("link up", { protocol, devices: this.#devices.length });
        scope.run("visits", (signal) => this.#work(connection, signal));
        scope.run("pushes", (signal) => this.#watchAll(connection, signal));
        await scope.done();
      } catch (error) {
        if (signal.aborted) return;
        // A driver that breaks its contract costs its link, not the node.
        const fault = Fault.is(error)
          ? error
          : new Fault("LINK_LOST", `the ${protocol} driver broke`, { cause: error });
        if (!Fault.is(error) || this.#failures === 0) log.warn("link lost", { protocol, error });
        for (const twin of this.#devices) this.#offline(twin, fault);
        const waitMs = backoffMs(RECONNECT, this.#failures++);
        this.#circuit.down(fault, waitMs);
        await clock.sleep(waitMs, signal).catch(() => undefined);
      }
    }
  }

  async #connect(signal: AbortSignal): Promise<Connection> {
    using limit = deadline(CONNECT_MS, signal);
    try {
      return await this.#driver.connect(this.#link, limit.signal);
    } catch (error) {
      if (limit.expired) throw new Fault("LINK_LOST", `nobody answered within ${CONNECT_MS} ms`, { cause: error });
      throw error;
    }
  }

  /** Listens to what devices push, and anew whenever the devices change. */
  async #watchAll(connection: Connection, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await using scope = new Scope(signal);
      for (const visit of this.#pushed)
        scope.run(visit.device.name, (signal) => this.#watch(visit, connection, signal));
      const changed = this.#changed.wait(signal).then(() => scope.abort());
      await Promise.race([changed, scope.done().then(() => changed)]);
    }
  }

  async #watch(visit: Visit, connection: Connection, signal: AbortSignal): Promise<void> {
    const { twin, device, points } = visit;
    for await (const batch of connection.watch?.(device.station, points, signal) ?? []) {
      if (signal.aborted || twin.device !== device) return;
      this.#take(...partOf(visit, batch));
    }
  }

  async #work(connection: Connection, signal: AbortSignal): Promise<never> {
    const { clock } = this.#ports;
    this.#bell.ring();
    for (;;) {
      signal.throwIfAborted();
      for (let job = this.#jobs.shift(); job; job = this.#jobs.shift()) {
        const fromMs = clock.monotonic();
        await job(connection, signal).finally(() => this.#circuit.busy("(commands)", fromMs));
        // What waits is for the next connection.
        signal.throwIfAborted();
      }
      // On a bus that is never done there is always a visit due.
      if (this.#bell.take()) await this.#writeWishes(connection, signal);
      const turn = this.#turns.next();
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
      const turns = this.#turns;
      const answered = await this.#visit(turn.who, connection, signal);
      turns.end(turn.who, clock.monotonic(), answered);
    }
  }

  /** Reads one device. False when it did not answer in time. */
  async #visit(visit: Visit, connection: Connection, signal: AbortSignal): Promise<boolean> {
    const { twin, device, points } = visit;
    // Who is silent is asked first whether it is back: each wish would cost its neighbours one more wait.
    if (twin.health.online) await this.#writePending(twin, connection, signal);
    using limit = deadline(this.#timeoutMs, signal);
    const fromMs = this.#ports.clock.monotonic();
    try {
      const readings = await connection.read(device.station, points, limit.signal);
      // Declared anew meanwhile: these readings belong to properties that may be no more.
      if (twin.device !== device) return true;
      const silence = readings.find((reading) => !reading.ok && reading.fault.code === "DEVICE_TIMEOUT");
      if (silence && !silence.ok && readings.every((reading) => !reading.ok)) {
        this.#offline(twin, silence.fault);
        return false;
      }
      this.#take(visit, readings);
      return true;
    } catch (error) {
      if (!limit.expired || signal.aborted) throw error;
      // Removed, or declared anew and perhaps on another link by now.
      if (twin.device !== device) return true;
      const message = `${device.name} did not answer within ${this.#timeoutMs} ms`;
      this.#offline(twin, new Fault("DEVICE_TIMEOUT", message));
      return false;
    } finally {
      this.#circuit.busy(device.name, fromMs);
    }
  }

  #take(visit: Visit, readings: readonly Reading[]): void {
    const { twins, visited, clock, log } = this.#ports;
    const { twin } = visit;
    const taken = take(visit, readings, ++twin.seq);
    twin.lastSeen = clock.now();
    visited(visit, taken);
    for (const [index, next] of taken.settled) this.#settle(twin, index, next);
    if (this.#failures > 0) log.info("link up again", { protocol: this.#driver.protocol, failures: this.#failures });
    this.#failures = 0;
    const isBack = !twin.health.online;
    if (isBack || taken.settled.some(([, { desired }]) => desired?.state === "pending")) this.#bell.ring();
    twins.setHealth(twin, ANSWERING);
  }

  /** Wishes go before polls; a device that is silent, or not visited yet, does not hold up the others' wishes. */
  async #writeWishes(connection: Connection, signal: AbortSignal): Promise<void> {
    for (const twin of this.#devices) {
      if (twin.health.online || !this.#isRead(twin)) await this.#writePending(twin, connection, signal);
    }
  }

  /** False for a device that can only be written: nothing but a write shows whether it is there. */
  #isRead(twin: DeviceTwin): boolean {
    return [...this.#visits, ...this.#pushed].some((visit) => visit.twin === twin);
  }

  async #writePending(twin: DeviceTwin, connection: Connection, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    let wrote = false;
    for (let index = 0; index < twin.properties.length; index++) {
      // Its link may have changed while the last write was under way: then this is no longer its bus.
      if (!this.#devices.includes(twin)) return;
      if (!due(twin.properties[index] ?? {})) continue;
      wrote = true;
      // Who does not answer one wish would not answer the next either, and the neighbours wait.
      if (!(await this.#write(twin, index, connection, signal))) break;
    }
    // The next reading shows whether it took.
    if (!wrote) return;
    for (const visit of this.#visits) if (visit.twin === twin) this.#turns.hasten(visit, clock.monotonic());
  }

  /** Writes a wish. False when nobody answered: it is tried again. */
  async #write(twin: DeviceTwin, index: number, connection: Connection, signal: AbortSignal): Promise<boolean> {
    const { twins, clock } = this.#ports;
    const isPushed = this.#pushed.some((visit) => visit.twin === twin && visit.indexes.includes(index));
    const fromMs = clock.monotonic();
    try {
      const told = await writeWish({ twin, index, isPushed, timeoutMs: this.#timeoutMs }, connection, signal);
      // A device that is not visited would not be asked again by itself.
      if (told.is === "silent") this.#retryAtMs = Math.min(this.#retryAtMs, clock.monotonic() + RETRY_MS);
      if (told.is !== "answered") return told.is === "done";
      if (told.next) this.#settle(twin, index, told.next);
      if (this.#isRead(twin) || !told.heard) return true;
      twin.lastSeen = clock.now();
      twins.setHealth(twin, ANSWERING);
      return true;
    } finally {
      this.#circuit.busy(twin.declared.name, fromMs);
    }
  }

  #settle(twin: DeviceTwin, index: number, next: Parameters<Twins["settle"]>[2]): void {
    const { twins, log } = this.#ports;
    twins.settle(twin, index, next).catch((error: unknown) => log.error("wish not saved", { error }));
  }

  #offline(twin: DeviceTwin, { code, message }: Fault): void {
    const { twins, log } = this.#ports;
    if (twin.health.online) log.warn("device silent", { device: twin.declared.name, code, message });
    twins.setHealth(twin, { online: false, reason: code, message });
  }
}

/** Links say how long one visit may take. */
function timeoutOf(link: unknown): number {
  const timeoutMs = typeof link === "object" && link !== null && "timeoutMs" in link ? link.timeoutMs : undefined;
  return typeof timeoutMs === "number" ? timeoutMs : DEFAULT_TIMEOUT_MS;
}
