import type { Connection, Content, Exchange, Point, Pushed, Reading } from "#devices/driver";
import { Fault } from "#std/fault";
import { askedOf, calledOf, errorOf, publishedOf, refusedOf, saidOf, writtenOf } from "./exchange.ts";
import type { OpcuaAddress, OpcuaCommand, OpcuaStation } from "./schema.ts";
import type { Watched } from "./watch.ts";

/** Exchanges that are kept for whoever wants to know why. */
const KEPT_EXCHANGES = 32;
/** Readings that all of them may hold together. */
const MOST_READINGS = 10_000;

type OpcuaConnection = Connection<OpcuaStation, OpcuaAddress, OpcuaCommand>;
type Points = readonly Point<OpcuaAddress>[];

/** A connection that keeps its last exchanges. It notes what the caller asks for, and not in how many requests. */
export function noted(connection: OpcuaConnection, now: () => number): OpcuaConnection {
  const kept: { readonly exchange: Exchange; readonly readings: number }[] = [];
  let readings = 0;

  return {
    async read(station, points, signal) {
      const asked = () => askedOf("read", points);
      return await note(
        { station, asked },
        () => connection.read(station, points, signal),
        (got) => ofReadings(points, got),
      );
    },
    async write(station, point, raw, signal) {
      const asked = () => writtenOf(point, raw);
      await note(
        { station, asked },
        () => connection.write(station, point, raw, signal),
        () => ({
          answer: () => ({ done: true }),
          readings: 1,
        }),
      );
    },
    async call(station, command, args, signal) {
      const asked = () => calledOf(command, args);
      const call = async () => (await connection.call?.(station, command, args, signal)) ?? null;
      return await note({ station, asked }, call, (result) => ({ answer: () => ({ result }), readings: 1 }));
    },
    // Asked once for the status of a device; it explains no value.
    describe: async (station, signal) => (await connection.describe?.(station, signal)) ?? {},
    watch: (station, points, signal) => watch(station, points, signal),
    get exchanges() {
      return kept.map(({ exchange }) => exchange);
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };

  /** Does something and notes what came of it. */
  async function note<T>(
    { station, asked }: { readonly station: OpcuaStation; readonly asked: () => Content },
    act: () => Promise<T>,
    came: (result: T) => Came,
  ): Promise<T> {
    const at = now();
    const start = performance.now();
    const keepIt = (what: Came) => keep({ at, ms: performance.now() - start, station, asked, ...what });
    try {
      const result = await act();
      keepIt(came(result));
      return result;
    } catch (error) {
      // A fault with a status is an answer of the server; anything else is none.
      const isAnswer = Fault.is(error) && error.detail.status !== undefined;
      const message = error instanceof Error ? error.message : String(error);
      keepIt({ answer: isAnswer ? () => refusedOf(error) : undefined, readings: 1, error: message });
      throw error;
    }
  }

  async function* watch(station: OpcuaStation, points: Points, signal: AbortSignal) {
    const batches = connection.watch?.(station, points, signal);
    if (!batches) return;
    const iterator = batches[Symbol.asyncIterator]();
    try {
      const asked = () => askedOf("subscribe", points);
      const first = await note(
        { station, asked },
        () => iterator.next(),
        ({ value = [] }) => ofPushed(points, value),
      );
      for (let next = first; !next.done; next = await iterator.next()) {
        if (next !== first) keep({ at: now(), ms: 0, station, asked: undefined, ...published(points, next.value) });
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  }

  function keep({ at, ms, station, asked, answer, readings: count, error }: Note): void {
    const exchange: Exchange = {
      at,
      ms,
      station,
      get request() {
        return asked?.();
      },
      get answer() {
        return answer?.();
      },
      ...(error === undefined ? {} : { error }),
    };
    kept.push({ exchange, readings: count });
    readings += count;
    while (kept.length > KEPT_EXCHANGES || (kept.length > 1 && readings > MOST_READINGS))
      readings -= kept.shift()?.readings ?? 0;
  }
}

/** What came of something. Contents are made when somebody looks. */
interface Came {
  readonly answer: (() => Content) | undefined;
  readonly readings: number;
  readonly error?: string | undefined;
}
interface Note extends Came {
  readonly at: number;
  readonly ms: number;
  readonly station: OpcuaStation;
  readonly asked: (() => Content) | undefined;
}

function ofReadings(points: Points, readings: readonly Reading[]): Came {
  return { answer: () => saidOf(readings), readings: readings.length, error: errorOf(points, readings) };
}

/** The first batch, which answers every point. */
function ofPushed(points: Points, batch: readonly Pushed[]): Came {
  return ofReadings(pointsOf(points, batch), readingsOf(batch));
}

function published(points: Points, batch: readonly Watched[]): Came {
  const isRead = batch[0]?.isRead === true;
  const answer = () => publishedOf(pointsOf(points, batch), readingsOf(batch), isRead);
  const isBad = batch.some(({ reading }) => !reading.ok);
  const error = isBad ? errorOf(pointsOf(points, batch), readingsOf(batch)) : undefined;
  return { answer, readings: batch.length, error };
}

function pointsOf(points: Points, batch: readonly Pushed[]): Points {
  return batch.flatMap(({ index }) => points[index] ?? []);
}

function readingsOf(batch: readonly Pushed[]): readonly Reading[] {
  return batch.map(({ reading }) => reading);
}
