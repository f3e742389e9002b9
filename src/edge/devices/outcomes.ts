import type { Pushed, Reading } from "#devices/driver";
import type { Identity } from "#devices/status";
import type { Clock } from "#std/clock";
import type { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { DeviceTwin, Health } from "../device-twin.ts";
import type { Twins } from "../twins.ts";
import type { Circuit } from "./circuit.ts";
import { partOf, type Taken, take, type Visit } from "./visit.ts";

/** Whom a bus tells what came of its work. */
export interface Ports {
  readonly twins: Twins;
  /** Gets each visit's readings when they arrive. */
  readonly visited: (visit: Visit, taken: Taken) => void;
  readonly log: Log;
  readonly clock: Clock;
  /** How long a driver may go on when it should give up. @default 3 s */
  readonly giveUpMs?: number;
}

const ANSWERING: Health = { online: true, reason: "Answering", message: "the last visit was answered" };

/** What comes of asking the devices of one link: what they said, whether they answer, what became of their wishes. */
export class Outcomes {
  readonly #ports: Ports;
  readonly #circuit: Circuit;
  readonly #protocol: string;

  constructor(protocol: string, circuit: Circuit, ports: Ports) {
    this.#protocol = protocol;
    this.#circuit = circuit;
    this.#ports = ports;
  }

  /** What a device said by itself; see `took`. */
  pushed(visit: Visit, batch: readonly Pushed[]): boolean {
    const [part, readings] = partOf(visit, batch);
    return this.took(part, readings, { isLossy: batch.some(({ lost }) => lost) });
  }

  /**
   * Takes what a device said. True when a wish of it may have to be told now: it is back, or is not as desired.
   * @param isLossy - whether something that it said before did not get here.
   */
  took(visit: Visit, readings: readonly Reading[], { isLossy } = { isLossy: false }): boolean {
    const { visited, log, clock } = this.#ports;
    const { twin } = visit;
    const isBack = !twin.health.online;
    const taken = take(visit, readings, ++twin.seq);
    visited(visit, isLossy ? { ...taken, lostSince: twin.lastSeen ?? taken.at } : taken);
    twin.lastSeen = clock.now();
    for (const [index, next] of taken.settled) this.settle(twin, index, next);
    const failures = this.#circuit.proven();
    if (failures > 0) log.info("link up again", { protocol: this.#protocol, failures });
    this.#ports.twins.setHealth(twin, ANSWERING);
    return isBack || taken.settled.some(([, { desired }]) => desired?.state === "pending");
  }

  /** A device that is never visited said yes or no to a write. */
  heard(twin: DeviceTwin): void {
    twin.lastSeen = this.#ports.clock.now();
    this.#ports.twins.setHealth(twin, ANSWERING);
  }

  /** A device said who it is. */
  introduced(twin: DeviceTwin, identity: Identity | undefined): void {
    this.#ports.twins.setIdentity(twin, identity);
  }

  /** The link of these devices fares otherwise. */
  linked(twins: readonly DeviceTwin[]): void {
    for (const twin of twins) this.#ports.twins.setLink(twin, this.#circuit.report);
  }

  /** A device did not answer, or its link is lost. */
  silent(twin: DeviceTwin, { code, message }: Fault): void {
    const { twins, log } = this.#ports;
    if (twin.health.online) log.warn("device silent", { device: twin.declared.name, code, message });
    twins.setHealth(twin, { online: false, reason: code, message });
  }

  /** A wish was confirmed, refused, or is pending again. */
  settle(twin: DeviceTwin, index: number, next: Parameters<Twins["settle"]>[2]): void {
    const { twins, log } = this.#ports;
    twins.settle(twin, index, next).catch((error: unknown) => log.error("wish not saved", { error }));
  }
}
