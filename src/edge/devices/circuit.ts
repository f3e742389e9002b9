import type { LinkReport } from "#devices/status";
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

/** The reason of a link that waits is cut to this length. */
const MOST_REASON = 500;

type State = Pick<CircuitView, "state" | "since" | "nextAttempt">;

/** Remembers how a link fares, for whoever asks why. */
export class Circuit {
  readonly #clock: Clock;
  readonly #occupancy: Occupancy;
  readonly #changed: () => void;
  #state: State;
  #failures = 0;
  #lastError: CircuitView["lastError"];
  /** Since when there is no link; undefined before the first loss, and while it is up. */
  #lostAt: number | undefined;

  /** @param changed - called when `report` is another. */
  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
    this.#occupancy = new Occupancy(clock.monotonic());
    this.#state = { state: "connecting", since: clock.now() };
  }

  connecting(): void {
    this.#state = { state: "connecting", since: this.#clock.now() };
  }

  up(): void {
    this.#state = { state: "up", since: this.#clock.now() };
    this.#lostAt = undefined;
    this.#changed();
  }

  /** Connections in a row that brought nothing. One that opens and drops at once is no success. */
  get failures(): number {
    return this.#failures;
  }

  /** A device answered: the link is good. Returns the failures until then. */
  proven(): number {
    const failures = this.#failures;
    this.#failures = 0;
    if (failures > 0) this.#changed();
    return failures;
  }

  /** The link is lost, or was not to be had. Returns after how many milliseconds it is tried again. */
  down({ code, message }: Fault): number {
    const at = this.#clock.now();
    const waitMs = backoffMs(RECONNECT, this.#failures++);
    this.#lastError = { at, code, message };
    this.#state = { state: "down", since: at, nextAttempt: at + waitMs };
    this.#lostAt ??= at;
    this.#changed();
    return waitMs;
  }

  /** Counts the time from then to now as work for somebody. */
  busy(who: string, fromMs: number): void {
    this.#occupancy.add(who, fromMs, this.#clock.monotonic());
  }

  /** The link for those who are far away: its attempts are counted, and not told one by one. */
  get report(): LinkReport {
    const { state, since } = this.#state;
    const failures = this.#failures;
    if (state === "up" || this.#lostAt === undefined)
      return { state: state === "up" ? state : "connecting", since, failures };
    const { code, message } = this.#lastError ?? {};
    return { state: "waiting", since: this.#lostAt, failures, reason: `${code}: ${message}`.slice(0, MOST_REASON) };
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
