/** How long to wait before the next try. Doubles from `firstMs` to `longestMs`; jitter spreads those who fail together. */
export interface Backoff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/**
 * The wait after this many failures in a row, in milliseconds: between half of the full wait and all of it.
 * @param random - a number from 0 to 1.
 */
export function backoffMs({ firstMs, longestMs }: Backoff, failures: number, random = Math.random()): number {
  const full = Math.min(longestMs, firstMs * 2 ** Math.min(failures, 30));
  return full / 2 + (full / 2) * random;
}
