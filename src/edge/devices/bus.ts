import type { Connection, Driver, Exchange, Experience, Pushed } from "#devices/driver";
import type { Device } from "#devices/expand";
import { deadline } from "#std/deadline";
import { Fault } from "#std/fault";
import { Scope } from "#std/scope";
import type { DeviceTwin } from "../device-twin.ts";
import { Circuit } from "./circuit.ts";
import { endsWithin, GIVE_UP_MS, unlessHung } from "./hang.ts";
import { exchangesWith, type Inspection, inspect, roundTripMs } from "./inspect.ts";
import { Outcomes, type Ports } from "./outcomes.ts";
import { Pushes } from "./pushes.ts";
import { type Requests, requestsOn } from "./requests.ts";
import { type Schedule, scheduleOf } from "./schedule.ts";
import type { Visit } from "./visit.ts";
import { Work } from "./work.ts";

const CONNECT_MS = 5_000;
const MOST_REMEMBERED = 4;
/** A property is stale when it was not read for so many periods, and for so long, although its device answers. */
const MISSED_PERIODS = 3;
const LEAST_STALE_MS = 1_000;

/**
 * One link and the devices on it, kept true until the signal aborts: connect, work (`work.ts`), listen, and again.
 * What comes of it is taken by `outcomes.ts`. Nothing here can stop another bus.
 */
export class Bus {
  readonly #driver: Driver;
  readonly #link: unknown;
  readonly #ports: Ports;
  readonly #circuit: Circuit;
  readonly #outcomes: Outcomes;
  readonly #work: Work;
  readonly #pushes: Pushes;
  #schedule: Schedule;
  /** The last one, also when it is lost: its exchanges may say why. */
  #connection: Connection | undefined;
  /** The last exchanges with devices that did not answer. */
  readonly #unanswered = new WeakMap<Device, readonly Exchange[]>();

  constructor(driver: Driver, link: unknown, ports: Ports) {
    this.#driver = driver;
    this.#link = link;
    this.#ports = ports;
    const { clock } = ports;
    this.#circuit = new Circuit(clock, () => this.#outcomes.linked(this.#schedule.devices));
    this.#outcomes = new Outcomes(driver.protocol, this.#circuit, ports);
    this.#schedule = scheduleOf([], driver, clock.monotonic());
    const missed = (twin: DeviceTwin) => this.#remember(twin);
    this.#work = new Work(this.#schedule, { outcomes: this.#outcomes, circuit: this.#circuit, clock, missed });
    const took = (visit: Visit, batch: readonly Pushed[]) => this.#work.pushed(visit, batch);
    this.#pushes = new Pushes({ took, nowMs: () => clock.monotonic() });
  }

  /** Replaces the devices; the connection stays. Takes effect between two turns. */
  set(devices: readonly DeviceTwin[]): void {
    this.#schedule = scheduleOf(devices, this.#driver, this.#ports.clock.monotonic());
    this.#work.set(this.#schedule);
    this.#pushes.set(this.#schedule.pushed);
    this.#outcomes.linked(devices);
  }

  /** Says that there is a wish to write. */
  hasten(): void {
    this.#work.hasten();
  }

  /**
   * Does something with a device as soon as nothing else is under way; it goes before wishes and visits.
   * @param signal - ends the waiting, and the work; so does the end of the link.
   * @throws {Fault} `OVERLOADED` when too much waits already, `DEVICE_UNKNOWN` when the device is not or no more on this
   * link; whatever the work throws.
   */
  ask<T>(
    twin: DeviceTwin,
    work: (requests: Requests, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return this.#work.ask(twin, work, signal);
  }

  /** What is known of the link and of a device on it, for whoever asks why. */
  inspect(twin: DeviceTwin): Inspection {
    const { clock } = this.#ports;
    return inspect(twin, {
      ...this.#schedule,
      driver: this.#driver,
      link: this.#link,
      circuit: this.#circuit.view(),
      connection: this.#connection,
      unanswered: twin.device && this.#unanswered.get(twin.device),
      epochMs: clock.now() - clock.monotonic(),
    });
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

  /**
   * Calls uncertain what was not read for some periods, such as by a link with too much to do, and what its device did
   * not speak of for longer than was declared. Asked each second.
   */
  doubtStale(): void {
    const { twins, clock } = this.#ports;
    const { visits, pushed } = this.#schedule;
    for (const { twin, indexes, maxSilenceMs, isWhole } of this.#pushes.silences.overdue(pushed, clock.monotonic())) {
      const message = `${twin.declared.name} said nothing for more than ${maxSilenceMs} ms`;
      twins.doubt(twin, `stale: nothing came for more than ${maxSilenceMs} ms`, indexes);
      // One that is asked as well shows by its answers that it is there.
      if (isWhole && !visits.some((visit) => visit.twin === twin))
        this.#outcomes.silent(twin, new Fault("DEVICE_TIMEOUT", message));
    }
    const late = this.#schedule.turns.overdue(clock.monotonic(), MISSED_PERIODS, LEAST_STALE_MS);
    for (const [{ twin, indexes, periodMs }, ageMs] of late)
      twins.doubt(twin, `stale: not read for ${Math.round(ageMs)} ms, wanted every ${periodMs} ms`, indexes);
  }

  #remember({ device }: DeviceTwin): void {
    const mine = device && exchangesWith(this.#driver, this.#connection, device);
    if (device && mine && mine.length > 0) this.#unanswered.set(device, mine.slice(-MOST_REMEMBERED));
  }

  async serve(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    const { protocol } = this.#driver;
    while (!signal.aborted) {
      try {
        this.#circuit.connecting();
        await this.#serveLink(await this.#connect(signal), signal);
      } catch (error) {
        if (signal.aborted) return;
        // A driver that breaks its contract costs its link, not the node.
        const fault = Fault.is(error)
          ? error
          : new Fault("LINK_LOST", `the ${protocol} driver broke`, { cause: error });
        if (!Fault.is(error) || this.#circuit.failures === 0) log.warn("link lost", { protocol, error });
        const waitMs = this.#circuit.down(fault);
        for (const twin of this.#schedule.devices) this.#outcomes.silent(twin, fault);
        await clock.sleep(waitMs, signal).catch(() => undefined);
      }
    }
  }

  /** Works on an open connection, and listens to it, until it is lost or the signal aborts; then closes it. */
  async #serveLink(connection: Connection, signal: AbortSignal): Promise<void> {
    const { log, giveUpMs = GIVE_UP_MS } = this.#ports;
    const { protocol } = this.#driver;
    const scope = new Scope(signal);
    try {
      this.#connection = connection;
      this.#circuit.up();
      if (this.#circuit.failures === 0) log.info("link up", { protocol, devices: this.#schedule.devices.length });
      const requests = requestsOn(connection, this.#driver, this.#link, giveUpMs);
      scope.run("work", (signal) => this.#work.serve(requests, signal));
      scope.run("pushes", (signal) => this.#pushes.serve(connection, signal));
      await unlessHung(scope.done(), scope.signal, 2 * giveUpMs);
    } finally {
      const closing = scope[Symbol.asyncDispose]().finally(() => connection[Symbol.asyncDispose]());
      if (!(await endsWithin(closing, 2 * giveUpMs))) log.warn("link left behind, its driver hangs", { protocol });
    }
  }

  async #connect(signal: AbortSignal): Promise<Connection> {
    const { giveUpMs = GIVE_UP_MS } = this.#ports;
    using limit = deadline(CONNECT_MS, signal);
    const opening = this.#driver.connect(this.#link, limit.signal);
    try {
      return await unlessHung(opening, limit.signal, giveUpMs);
    } catch (error) {
      // Given up while it opened: then nobody would ever close it.
      opening.then((late) => late[Symbol.asyncDispose]()).catch(() => undefined);
      if (limit.expired) throw new Fault("LINK_LOST", `nobody answered within ${CONNECT_MS} ms`, { cause: error });
      throw error;
    }
  }
}
