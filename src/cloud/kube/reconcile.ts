import type { Clock } from "#std/clock";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";

export interface ReconcileOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** Steps that may run at once. @default 8 */
  readonly workers?: number;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 60_000;

/**
 * Calls `step` for every key that may have changed, until the keys end or the signal aborts.
 *
 * A key never runs twice at once; changes during a step cause one more step; a step that fails runs again with
 * back-off, at once when the key changes meanwhile. `step` gets a key and no object: it reads the truth itself, so
 * repeated, lost or reordered changes do no harm.
 */
export async function reconcile(
  keys: AsyncIterable<string>,
  step: (key: string, signal: AbortSignal) => Promise<void>,
  { log, clock, workers = 8 }: ReconcileOptions,
  signal: AbortSignal,
): Promise<void> {
  await using scope = new Scope(signal);
  /** Keys at work, and whether they changed since their step began. */
  const dirty = new Map<string, boolean>();
  let free = workers;
  const queue: (() => void)[] = [];

  async function worker(): Promise<Disposable> {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => queue.push(resolve));
    return {
      [Symbol.dispose]() {
        const next = queue.shift();
        if (next) next();
        else free++;
      },
    };
  }

  async function settle(key: string, signal: AbortSignal): Promise<void> {
    for (let failures = 0; dirty.get(key); ) {
      try {
        using _ = await worker();
        signal.throwIfAborted();
        dirty.set(key, false);
        await step(key, signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        log.warn("reconcile failed", { key, failures, error });
        dirty.set(key, true);
        // Half of it by chance, so that what broke together does not come back together.
        const waitMs = Math.min(FIRST_WAIT_MS * 2 ** failures++, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
        await clock.sleep(waitMs, signal);
      }
    }
    dirty.delete(key);
  }

  for await (const key of keys) {
    if (scope.signal.aborted) break;
    const idle = !dirty.has(key);
    dirty.set(key, true);
    if (idle) scope.run(key, (signal) => settle(key, signal));
  }
  await scope.done();
}
