import { Fault } from "#std/fault";

/** A driver has this long to give up after its signal aborted. */
export const GIVE_UP_MS = 3_000;

/**
 * Waits for a driver, but not for one that goes on after its signal aborted: a driver that hangs costs its link, not the
 * node. What it still does is left behind.
 * @throws {Fault} `LINK_LOST` when it hangs; whatever it throws.
 */
export async function unlessHung<T>(work: Promise<T>, signal: AbortSignal, giveUpMs: number): Promise<T> {
  const hung = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const lose = () => hung.reject(new Fault("LINK_LOST", `the driver did not give up within ${giveUpMs} ms`));
  const begin = () => {
    timer = setTimeout(lose, giveUpMs);
  };
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin, { once: true });
  try {
    return await Promise.race([work, hung.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", begin);
  }
}

/** Waits for an end, and no longer than so. False when it did not come. */
export async function endsWithin(end: Promise<unknown>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), ms);
  try {
    return await Promise.race([end.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
