import type { Clock } from "#std/clock";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves on by `ms` and wakes, in order, those whose time has come. */
  pass(ms: number): Promise<void>;
  /** How many sleep. */
  readonly sleepers: number;
}

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

export function manualClock(startMs = 1_700_000_000_000): ManualClock {
  const sleepers = new Set<Sleeper>();
  let elapsedMs = 0;
  return {
    now: () => startMs + elapsedMs,
    monotonic: () => elapsedMs,
    get sleepers() {
      return sleepers.size;
    },
    sleep(ms, signal) {
      signal.throwIfAborted();
      return new Promise((resolve, reject) => {
        const sleeper = { untilMs: elapsedMs + ms, wake: resolve };
        sleepers.add(sleeper);
        signal.addEventListener("abort", () => sleepers.delete(sleeper) && reject(signal.reason), { once: true });
      });
    },
    async pass(ms) {
      const endMs = elapsedMs + ms;
      for (let next = first(); next && next.untilMs <= endMs; next = first()) {
        elapsedMs = Math.max(elapsedMs, next.untilMs);
        sleepers.delete(next);
        next.wake();
        await settled();
      }
      elapsedMs = endMs;
    },
  };

  function first(): Sleeper | undefined {
    return [...sleepers].sort((a, b) => a.untilMs - b.untilMs)[0];
  }
}

/** Lets those who were woken, and what they wrote to the disk, get on until they sleep again. */
async function settled(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}
