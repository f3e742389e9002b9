import type { Pushed, Reading } from "#devices/driver";
import { Bell } from "#std/bell";
import type { Fault } from "#std/fault";
import { isAbort } from "#std/scope";
import type { Line } from "./line.ts";
import type { Item } from "./plan.ts";
import { readItems } from "./read.ts";
import type { OpcuaStation } from "./schema.ts";
import { isOverflow, readingOf } from "./status.ts";
import { openSubscription } from "./subscription.ts";

/** What came of a watch. */
export interface Watched extends Pushed {
  /** True when it was read, because the server has no room to watch it. A batch is all of one kind. */
  readonly isRead?: boolean;
}

/** Values that may wait for the reader. Beyond it they are let go and everything is read anew: the truth, not the past. */
const MOST_WAITING = 100_000;

/**
 * Subscribes, and yields what the server sends. Everything is read once at the beginning, and again whenever something
 * may have been missed: after a healed connection, a gap in the messages' numbers, or a reader that was too slow.
 * What the server has no room to watch is read, as often as it would have been sent.
 * @throws {Fault} `LINK_LOST` when the line is lost.
 */
export async function* watchItems(
  line: Line,
  station: OpcuaStation,
  items: readonly Item[],
  now: () => number,
  signal: AbortSignal,
): AsyncGenerator<readonly Watched[], void, void> {
  const bell = new Bell();
  let waiting: Pushed[] = [];
  let isStale = true;
  /** Whether something that the server sent did not get here. */
  let isLossy = false;
  const readAnew = () => {
    isStale = true;
    bell.ring();
  };
  const ring = () => bell.ring();
  line.lost.addEventListener("abort", ring);
  using _healed = line.onHealed(readAnew);
  try {
    await using subscription = await openSubscription(
      line,
      station,
      items,
      {
        changed(index, value) {
          if (waiting.length >= MOST_WAITING) {
            waiting = [];
            isStale = true;
            isLossy = true;
          }
          const item = items[index];
          if (!item) return;
          const reading = readingOf(value, item.point.address, now());
          waiting.push(isOverflow(value.statusCode) ? { index, reading, lost: true } : { index, reading });
        },
        flush: ring,
        gap() {
          isLossy = true;
          readAnew();
        },
      },
      signal,
    );
    const { refused, unwatched, publishingMs } = subscription;
    const everyMs = Math.max(publishingMs, Math.min(...unwatched.map((i) => items[i]?.point.everyMs ?? 0)));
    let readAtMs = Number.POSITIVE_INFINITY;
    let fresh = new Fresh([], 0);
    for (;;) {
      line.lost.throwIfAborted();
      if (isStale) {
        isStale = false;
        const lost = isLossy ? { lost: true } : {};
        isLossy = false;
        const readings = await readItems(line, items, now, signal);
        const known = readings.map((reading, i) => refusal(refused, i, now()) ?? reading);
        fresh = new Fresh(known, performance.now() + 2 * publishingMs);
        if (unwatched.length > 0) readAtMs = performance.now() + everyMs;
        yield known.map((reading, index) => ({ index, reading, ...lost }));
        continue;
      }
      if (performance.now() >= readAtMs) {
        readAtMs = performance.now() + everyMs;
        const asked = unwatched.flatMap((i) => items[i] ?? []);
        const readings = await readItems(line, asked, now, signal);
        yield readings.map((reading, i) => ({ index: unwatched[i] ?? 0, reading, isRead: true }));
        continue;
      }
      const batch = waiting;
      waiting = [];
      const news = fresh.only(batch);
      if (news.length > 0) yield news;
      const restMs = unwatched.length === 0 ? undefined : readAtMs - performance.now();
      if (waiting.length === 0 && !isStale) await bell.wait(signal, restMs);
    }
  } catch (error) {
    if (!isAbort(error, signal)) throw error;
  } finally {
    line.lost.removeEventListener("abort", ring);
  }
}

function refusal(refused: ReadonlyMap<number, Fault>, index: number, at: number): Reading | undefined {
  const fault = refused.get(index);
  return fault ? { ok: false, fault, at } : undefined;
}

/**
 * Keeps what was sampled before everything was read, and is published after it, from putting the clock back. Only for
 * two publishing intervals: a source whose clock is set back must not fall silent.
 */
class Fresh {
  readonly #known: readonly Reading[];
  readonly #untilMs: number;

  constructor(known: readonly Reading[], untilMs: number) {
    this.#known = known;
    this.#untilMs = untilMs;
  }

  only(batch: readonly Pushed[]): readonly Pushed[] {
    if (performance.now() > this.#untilMs) return batch;
    return batch.filter(({ index, reading }) => {
      const known = this.#known[index];
      if (!known?.ok || !reading.ok) return true;
      return reading.at > known.at || (reading.at === known.at && reading.raw !== known.raw);
    });
  }
}
