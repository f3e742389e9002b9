import { backoffMs } from "#std/backoff";
import type { Clock } from "#std/clock";
import type { Fault } from "#std/fault";
import { Occupancy } from "./occupancy.ts";

/** What is known of a link at this moment. Times are milliseconds since the Unix epoch. */
export interface CircuitView {
  /** `down` until the next attempt, `connecting` during it. */
  readonly state: "connecting" | "up" | "down";
  readonly since: number;
  /** Attempts in a row that brought nothing. */
  readonly failures: number;
  /** When it is tried again; absent unless it is down. */
  readonly nextAttempt?: number;
  /** Why the link was lost last; absent when it never was. */
  readonly lastError?: { readonly at: number; readonly code: string; readonly message: string };
  /** Shares of the last minute in which the link was busy, by device, the greatest first. */
  readonly busy: readonly { readonly who: string; readonly share: number }[];
}

const RECONNECT = { firstMs: 250, longestMs: 15_000 };

type State = Pick<CircuitView, "state" | "since" | "nextAttempt">;

/** Remembers how a link fares, for whoever asks why. */
export class Circuit {
  readonly #clock: Clock;
  readonly #occupancy: Occupancy;
  #state: State;
  #failures = 0;
  #lastError: CircuitView["lastError"];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#occupancy = new Occupancy(clock.monotonic());
    this.#state = { state: "connecting", since: clock.now() };
  }

  connecting(): void {
    this.#state = { state: "connecting", since: this.#clock.now() };
  }

  up(): void {
    this.#state = { state: "up", since: this.#clock.now() };
  }

  /** Connections in a row that brought nothing. One that opens and drops at once is no success. */
  get failures(): number {
    return this.#failures;
  }

  /** A device answered: the link is good. Returns the failures until then. */
  proven(): number {
    const failures = this.#failures;
    this.#failures = 0;
    return failures;
  }

  /** The link is lost, or was not to be had. Returns after how many milliseconds it is tried again. */
  down({ code, message }: Fault): number {
    const at = this.#clock.now();
    const waitMs = backoffMs(RECONNECT, this.#failures++);
    this.#lastError = { at, code, message };
    this.#state = { state: "down", since: at, nextAttempt: at + waitMs };
    return waitMs;
  }

  /** Counts the time from then to now as work for somebody. */
  busy(who: string, fromMs: number): void {
    this.#occupancy.add(who, fromMs, this.#clock.monotonic());
  }

  view(): CircuitView {
    const shares = [...this.#occupancy.shares(this.#clock.monotonic())];
    return {
      ...this.#state,
      failures: this.#failures,
      ...(this.#lastError ? { lastError: this.#lastError } : {}),
      busy: shares.map(([who, share]) => ({ who, share })).sort((a, b) => b.share - a.share),
    };
  }
}
