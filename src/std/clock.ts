import { setTimeout as delay } from "node:timers/promises";

/** Time as a parameter, so that tests decide what time it is. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump when somebody sets the clock. */
  now(): number;
  /** Milliseconds since an arbitrary start. Never goes back. */
  monotonic(): number;
  /** Resolves after `ms` milliseconds; rejects when the signal aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** The machine's own time. */
export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    signal.throwIfAborted();
    if (ms <= 0) return;
    await delay(ms, undefined, { signal });
  },
};
