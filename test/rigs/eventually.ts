import { setTimeout as delay } from "node:timers/promises";

const LOOK_MS = 5;
/** Far beyond what anything takes; only a broken test gets there. */
const LIMIT_MS = 10_000;

/**
 * Waits until something is as it should be: calls `look` until it returns something else than `undefined` or `false`
 * and does not throw. Fails with what `look` threw last.
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  limitMs = LIMIT_MS,
): Promise<Exclude<T, undefined | false>> {
  const end = performance.now() + limitMs;
  let last: unknown;
  do {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found as Exclude<T, undefined | false>;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await delay(LOOK_MS);
  } while (performance.now() < end);
  throw last ?? new Error(`it did not come true within ${limitMs} ms: ${look}`);
}
