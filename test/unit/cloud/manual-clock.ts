import type { Clock } from "#std/clock";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
  /** Moves on by `ms`, waking in order those who sleep that long. */
  pass(ms: number): Promise<void>;
}

export function manualClock(startMs = 1_700_000_000_000): ManualClock {
  let elapsed = 0;
  let sleepers: { readonly until: number; readonly wake: () => void }[] = [];
  /** Lets everything that was woken do its work. */
  const settle = async () => {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    sleep(ms, signal) {
      signal.throwIfAborted();
      return new Promise((resolve, reject) => {
        sleepers.push({ until: elapsed + ms, wake: resolve });
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    },
    async pass(ms) {
      const end = elapsed + ms;
      await settle();
      for (;;) {
        const next = sleepers.toSorted((a, b) => a.until - b.until)[0];
        if (!next || next.until > end) break;
        elapsed = next.until;
        sleepers = sleepers.filter((sleeper) => sleeper !== next);
        next.wake();
        await settle();
      }
      elapsed = end;
      await settle();
    },
  };
}
