/** The exchanges of a link as they happen: what `edgeadm device record` writes down. */
import type { Exchange } from "#devices/driver";
import type { Clock } from "#std/clock";

/** Exchanges that were not told before. */
export interface News {
  readonly fresh: readonly Exchange[];
  /** True when some may have come and gone unseen. */
  readonly missed: boolean;
}

/** What is new in a ring of exchanges since one of them was the last. */
export function newsOf(ring: readonly Exchange[], last: Exchange | undefined): News {
  const index = last ? ring.indexOf(last) : -1;
  return { fresh: ring.slice(index + 1), missed: last !== undefined && index < 0 };
}

/** Links are looked at this often: a ring of 32 then holds 640 exchanges a second. */
const LOOK_MS = 50;

export interface Followed {
  /** Asked again and again. */
  readonly ring: () => readonly Exchange[] | undefined;
  readonly isWanted: (exchange: Exchange) => boolean;
  readonly forMs: number;
  readonly clock: Clock;
}

/** Yields the wanted exchanges that happen from now on, for some time; `undefined` stands for those that were missed. */
export async function* followExchanges(
  { ring, isWanted, forMs, clock }: Followed,
  signal: AbortSignal,
): AsyncGenerator<Exchange | undefined, void, void> {
  let last = ring()?.at(-1);
  const end = clock.monotonic() + forMs;
  while (clock.monotonic() < end) {
    await clock.sleep(Math.min(LOOK_MS, end - clock.monotonic()), signal);
    const { fresh, missed } = newsOf(ring() ?? [], last);
    if (missed) yield undefined;
    for (const exchange of fresh) if (isWanted(exchange)) yield exchange;
    last = fresh.at(-1) ?? last;
  }
}
