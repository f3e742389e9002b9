/** A share is told of the last minute, in slices of this length: so much accuracy is enough, and it costs 96 bytes. */
const SLICE_MS = 5_000;
const SLICES = 12;

/** The time that is looked back on, in milliseconds. */
export const WINDOW_MS = SLICE_MS * SLICES;

interface Row {
  readonly busyMs: Float64Array;
  /** Number of the newest slice that is in it. */
  newest: number;
}

/** How much of the last minute a link was busy, and with whom. Holds no clock and no timer. */
export class Occupancy {
  readonly #rows = new Map<string, Row>();
  readonly #sinceMs: number;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** Adds work for somebody; it may span several slices. */
  add(who: string, fromMs: number, toMs: number): void {
    const row = this.#rows.get(who) ?? { busyMs: new Float64Array(SLICES), newest: sliceOf(fromMs) };
    this.#rows.set(who, row);
    for (let at = Math.max(fromMs, toMs - WINDOW_MS); at < toMs; ) {
      const slice = sliceOf(at);
      const end = Math.min(toMs, (slice + 1) * SLICE_MS);
      forget(row, slice);
      row.busyMs[slice % SLICES] = (row.busyMs[slice % SLICES] ?? 0) + end - at;
      at = end;
    }
  }

  /** Shares of the time, from 0 to 1; who did nothing in the last minute is not there. */
  shares(nowMs: number): ReadonlyMap<string, number> {
    // The oldest slice begins within the window: with it, the window is as long as the slices that count.
    const begin = Math.max(this.#sinceMs, (sliceOf(nowMs) - SLICES + 1) * SLICE_MS);
    const lengthMs = Math.max(1, nowMs - begin);
    const shares = new Map<string, number>();
    for (const [who, row] of this.#rows) {
      forget(row, sliceOf(nowMs));
      const busyMs = row.busyMs.reduce((sum, one) => sum + one, 0);
      if (busyMs > 0) shares.set(who, Math.min(1, busyMs / lengthMs));
      else this.#rows.delete(who);
    }
    return shares;
  }
}

/** Empties the slices between the newest that is known and the one that begins. */
function forget(row: Row, slice: number): void {
  const first = Math.max(row.newest + 1, slice - SLICES + 1);
  for (let old = first; old <= slice; old++) row.busyMs[old % SLICES] = 0;
  row.newest = Math.max(row.newest, slice);
}

function sliceOf(ms: number): number {
  return Math.floor(ms / SLICE_MS);
}
