import { setTimeout as sleep } from "node:timers/promises";

/** Waits, if there is anything to wait for; rejects with the signal's reason. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (ms <= 0) return;
  await sleep(Math.ceil(ms), undefined, { signal }).catch(() => signal.throwIfAborted());
}
