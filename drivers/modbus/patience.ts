/** How long each unit of a link is waited for, and how often it is asked again. */
export interface Patience {
  /**
   * The next request to a unit: how often, and how long each time; without a time as long as the caller wants.
   * @param own - what is declared of the unit and goes before what the link says.
   */
  of(
    unit: number,
    own: { [K in keyof Waits]?: Waits[K] | undefined },
  ): { readonly tries: number; readonly ms: number | undefined };
  answered(unit: number, ms: number): void;
  missed(unit: number): void;
}

/** What a link, or a unit for itself, says about waiting. */
export interface Waits {
  /** Longest time of a visit, shared by the repetitions. */
  readonly timeoutMs: number;
  readonly retries: number;
}

interface Known {
  misses: number;
  /** What an answer takes, smoothed, so that one hiccup does not count for long. */
  typicalMs: number;
}

/** Weight of a new answer beside all before it. */
const WEIGHT = 1 / 8;
/** Misses in a row after which a unit counts as silent. */
const SILENT_AFTER = 2;
/** A silent unit is waited for at least this long. */
const KNOCK_MS = 100;
/** One in so many requests to a silent unit is given its full time, in case it has become slow. */
const FULL_EVERY = 8;

/**
 * A unit that is known to be silent holds up its neighbours only for a knock: a short time, though at least four times
 * what it or the slowest of the others takes, and no repetition. Alone on its link it holds up
 * nobody and always gets its full time.
 */
export function openPatience(link: Waits): Patience {
  const units = new Map<number, Known>();
  const known = (unit: number) => {
    const found = units.get(unit) ?? { misses: 0, typicalMs: 0 };
    units.set(unit, found);
    return found;
  };
  return {
    of(unit, { timeoutMs, retries = link.retries }) {
      const { misses } = known(unit);
      // The caller limits a visit as a whole, so one try needs no limit of the link's.
      const ms = timeoutMs === undefined && retries === 0 ? undefined : (timeoutMs ?? link.timeoutMs) / (retries + 1);
      if (misses < SILENT_AFTER || units.size < 2) return { tries: retries + 1, ms };
      if (misses % FULL_EVERY === 0) return { tries: 1, ms };
      let slowest = 0;
      for (const { typicalMs } of units.values()) slowest = Math.max(slowest, typicalMs);
      return { tries: 1, ms: Math.min(ms ?? link.timeoutMs, Math.max(KNOCK_MS, 4 * slowest)) };
    },
    answered(unit, ms) {
      const entry = known(unit);
      entry.misses = 0;
      entry.typicalMs += (ms - entry.typicalMs) * (entry.typicalMs === 0 ? 1 : WEIGHT);
    },
    missed(unit) {
      known(unit).misses++;
    },
  };
}
