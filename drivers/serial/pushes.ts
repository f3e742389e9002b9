/** Readings of frames that come by themselves. */
import type { Point, Pushed, Reading } from "#devices/driver";
import { Fault } from "#std/fault";
import { Queue } from "#std/queue";
import type { Notes } from "./notes.ts";
import { type Dialect, plan } from "./plan.ts";
import type { SerialAddress } from "./schema/address.ts";
import type { SerialStation } from "./schema/station.ts";
import type { Talk } from "./talk.ts";

/** Chunks of pushed readings that may wait for who reads them; the oldest go first. */
const MOST_WAITING = 1_024;

/** Whether the frames with this point come by themselves. */
export function isPushed({ unsolicited, request }: SerialStation, address: SerialAddress): boolean {
  return unsolicited && request === undefined && address.request === undefined;
}

/** Who listens, to what. */
export interface Listening {
  readonly dialect: Dialect;
  readonly points: readonly Point<SerialAddress>[];
  readonly notes: Pick<Notes, "overhear">;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Greets the device; awaited before the first reading. */
  greet(): Promise<void>;
}

/** Listens at once, so that nothing is missed before the first `next()`. @throws {Fault} `LINK_LOST` while it is read. */
export function listen(talk: Talk, { dialect, points, notes, now, greet }: Listening, signal: AbortSignal) {
  const { station } = dialect;
  const queue = new Queue<readonly Pushed[]>(MOST_WAITING);
  const { groups, refused } = plan(points, dialect);
  const parts = groups.flatMap(({ parts }) => parts).filter(({ index }) => isPushedPoint(index));
  let lost: Fault | undefined;
  let batch: Pushed[] = [];
  // What can not be read is told at once, for no frame will ever do so.
  for (const { part, fault } of refused)
    if (isPushedPoint(part.index)) batch.push({ index: part.index, reading: { ok: false, fault, at: now() } });
  flush();
  const heard = notes.overhear(station);
  const stop = talk.hear(station, {
    came: heard.came,
    take(frame) {
      const at = now();
      let broken: Fault | undefined;
      dialect.open(frame, (body) => {
        if (body instanceof Fault) broken = body;
        // Of a broken frame, what it seems to be decides whose value is missing now; nothing is taken out of it.
        const text = body instanceof Fault ? frame.toString("latin1") : body.text;
        for (const part of parts) {
          if (!part.matches(text)) continue;
          const reading: Reading = body instanceof Fault ? { ok: false, fault: body, at } : part.read(body, at);
          batch.push({ index: part.index, reading });
        }
      });
      heard.frame(broken);
    },
    chunkEnd(held) {
      heard.chunkEnd(held);
      flush();
    },
    lost(fault) {
      lost = fault;
      queue.close();
    },
  });
  const end = () => {
    signal.removeEventListener("abort", end);
    stop();
    queue.close();
  };
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  return readings();

  function flush(): void {
    if (batch.length > 0) queue.push(batch);
    batch = [];
  }

  function isPushedPoint(index: number): boolean {
    const point = points[index];
    return point !== undefined && isPushed(station, point.address);
  }

  async function* readings(): AsyncGenerator<readonly Pushed[], void, void> {
    try {
      if (signal.aborted) return;
      await greet();
      let dropped = 0;
      for await (const pushed of queue) {
        if (signal.aborted) return;
        const isLossy = queue.dropped > dropped;
        dropped = queue.dropped;
        yield isLossy ? pushed.map((each) => ({ ...each, lost: true })) : pushed;
      }
      if (lost && !signal.aborted) throw lost;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      end();
    }
  }
}
