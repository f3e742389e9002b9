/** A reading of some properties of one device, again and again. */
export interface Turn {
  /** Time between two visits, in milliseconds. */
  readonly periodMs: number;
}

interface Entry<T> {
  readonly who: T;
  dueMs: number;
  misses: number;
  /** When it last answered, or was first to be asked. */
  answeredMs: number;
}

/** A silent device on a shared bus waits at most this long for its next turn, in milliseconds. */
export const LONGEST_WAIT_MS = 30_000;

/**
 * Whose turn it is on a bus. Someone who does not answer waits twice as long each time, so that one dead device can
 * not starve its neighbours; alone on its bus it starves nobody and keeps its period. Holds no clock and no timer.
 */
export class Turns<T extends Turn> {
  readonly #entries = new Map<T, Entry<T>>();
  readonly #isShared: boolean;

  /** @param isShared - whether more than one device lives on the bus. */
  constructor(all: readonly T[], nowMs: number, isShared: boolean) {
    this.#isShared = isShared;
    for (const who of all) this.#entries.set(who, { who, dueMs: nowMs, misses: 0, answeredMs: nowMs });
  }

  /** The next in turn and when; undefined when nobody has turns. */
  next(): { readonly who: T; readonly dueMs: number } | undefined {
    let first: Entry<T> | undefined;
    for (const entry of this.#entries.values()) if (!first || entry.dueMs < first.dueMs) first = entry;
    return first;
  }

  /** Ends a turn. Turns missed meanwhile are skipped, not made up for; the rhythm is kept. */
  end(who: T, nowMs: number, answered: boolean): void {
    const entry = this.#entries.get(who);
    if (!entry) return;
    entry.misses = answered ? 0 : entry.misses + 1;
    if (answered) entry.answeredMs = nowMs;
    const { periodMs } = who;
    const waitMs =
      answered || !this.#isShared
        ? periodMs
        : Math.min(periodMs * 2 ** entry.misses, Math.max(LONGEST_WAIT_MS, periodMs));
    entry.dueMs += waitMs;
    if (entry.dueMs <= nowMs) entry.dueMs += Math.ceil((nowMs - entry.dueMs + 1) / periodMs) * periodMs;
  }

  /** When somebody is due, and how often in a row there was no answer; undefined for who has no turns. */
  of(who: T): { readonly dueMs: number; readonly misses: number } | undefined {
    return this.#entries.get(who);
  }

  /** Those whose last answer is older than so many of their periods, and than `leastMs`, with its age. */
  overdue(nowMs: number, periods: number, leastMs: number): readonly (readonly [who: T, ageMs: number])[] {
    const late: [T, number][] = [];
    for (const { who, answeredMs } of this.#entries.values()) {
      const ageMs = nowMs - answeredMs;
      if (ageMs > Math.max(leastMs, periods * who.periodMs)) late.push([who, ageMs]);
    }
    return late;
  }

  /** Brings a turn forward, such as the read-back after a write. */
  hasten(who: T, nowMs: number): void {
    const entry = this.#entries.get(who);
    if (entry && entry.dueMs > nowMs) entry.dueMs = nowMs;
  }
}
