import type { Connection, Exchange, Point, Pushed, Reading } from "#devices/driver";
import { parseExchanges } from "#devices/recording";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { readTextFile } from "#std/text-file";
import { type Answer, answer, faultOf, nodeOf, rawOf, readingOf, request } from "./exchange.ts";
import type { OpcuaAddress, OpcuaCommand, OpcuaStation } from "./schema.ts";

type OpcuaConnection = Connection<OpcuaStation, OpcuaAddress, OpcuaCommand>;
type Said = Extract<Answer, { readonly values: unknown }>["values"][number];
type Publish = { readonly at: number; readonly said: ReadonlyMap<string, Said> };

/** What is published comes so long after the last, when the recording has it once only. */
const AGAIN_MS = 1_000;

/** Opens a recording as a connection. @throws {Fault} `LINK_LOST` when the file is not there, `CONFIG_INVALID`. */
export async function openReplay(file: string, clock: Clock, signal: AbortSignal): Promise<OpcuaConnection> {
  return replay(parseExchanges(await readTextFile(file, signal)), clock);
}

/**
 * A connection that answers as it was recorded, item by item: the second time as it was the second time, and from the
 * beginning again after the last. What was published is published again, in the same rhythm, over and over.
 */
export function replay(exchanges: readonly Exchange[], clock: Clock): OpcuaConnection {
  const { read, written, called, published } = sorted(exchanges);
  const closed = new AbortController();
  const end = (how: string) => new Fault("LINK_LOST", `the recording ${how}`);

  const reading = ({ address }: Point<OpcuaAddress>): Reading => {
    const node = nodeOf(address);
    const said = read.get(node)?.();
    if (said) return readingOf(said, clock.now());
    return { ok: false, fault: new Fault("DEVICE_REFUSED", `${node} is not in the recording`), at: clock.now() };
  };

  return {
    async read(_station, points, signal) {
      check(signal);
      return points.map(reading);
    },
    async write(_station, { address }, raw, signal) {
      check(signal);
      settle(written.get(`${nodeOf(address)} ${String(raw)}`)?.(), `writing ${String(raw)} to ${nodeOf(address)}`);
    },
    async call(_station, { method, object }, args, signal) {
      check(signal);
      const got = settle(called.get(`${object} ${method} ${JSON.stringify(args)}`)?.(), `this call of ${method}`);
      return "result" in got ? got.result : null;
    },
    async *watch(_station, points, signal) {
      check(signal);
      const stop = AbortSignal.any([signal, closed.signal]);
      yield points.map((point, index): Pushed => ({ index, reading: reading(point) }));
      const [first, last] = [published[0]?.at ?? 0, published.at(-1)?.at ?? 0];
      const pauseMs = published.length > 1 ? (last - first) / (published.length - 1) : AGAIN_MS;
      for (let i = 0; published.length > 0 && !stop.aborted; i = (i + 1) % published.length) {
        const { at = 0, said = new Map() } = published[i] ?? {};
        const waitMs = i === 0 ? pauseMs : at - (published[i - 1]?.at ?? at);
        await clock.sleep(Math.max(1, waitMs), stop).catch(() => undefined);
        if (stop.aborted) break;
        yield points.flatMap(({ address }, index): readonly Pushed[] => {
          const found: Said | undefined = said.get(nodeOf(address));
          return found ? [{ index, reading: readingOf(found, clock.now()) }] : [];
        });
      }
      if (!stop.aborted) await new Promise((resolve) => stop.addEventListener("abort", resolve, { once: true }));
      if (!signal.aborted) throw end("was closed here");
    },
    async [Symbol.asyncDispose]() {
      closed.abort();
    },
  };

  function check(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (closed.signal.aborted) throw end("was closed here");
  }
}

/** Gives one after the other, and the first again after the last. */
type InTurn<T> = () => T;

/** What was recorded, by what is asked. */
function sorted(exchanges: readonly Exchange[]) {
  const read = new Map<string, Said[]>();
  const written = new Map<string, Answer[]>();
  const called = new Map<string, Answer[]>();
  const published: Publish[] = [];
  for (const exchange of exchanges) {
    const asked = request.safeParse(exchange.request).data;
    const got = answer.safeParse(exchange.answer).data;
    if (!got) continue;
    if (asked === undefined) {
      if ("publish" in got) published.push({ at: exchange.at, said: new Map(pairs(got.publish, got.values)) });
    } else if ("write" in asked) put(written, `${asked.write} ${String(rawOf(asked))}`, got);
    else if ("call" in asked) put(called, `${asked.object} ${asked.call} ${JSON.stringify(asked.args)}`, got);
    else if ("values" in got)
      for (const [node, said] of pairs("read" in asked ? asked.read : asked.subscribe, got.values))
        put(read, node, said);
  }
  return { read: inTurn(read), written: inTurn(written), called: inTurn(called), published };
}

function pairs(nodes: readonly string[], values: readonly Said[]): readonly (readonly [string, Said])[] {
  return values.flatMap((said, i) => (nodes[i] === undefined ? [] : [[nodes[i], said] as const]));
}

function put<T>(map: Map<string, T[]>, key: string, item: T): void {
  const all = map.get(key) ?? [];
  map.set(key, all);
  all.push(item);
}

function inTurn<T>(map: ReadonlyMap<string, readonly T[]>): ReadonlyMap<string, InTurn<T | undefined>> {
  const turns = [...map].map(([key, all]) => {
    let next = 0;
    return [key, () => all[next++ % all.length]] as const;
  });
  return new Map(turns);
}

/** The answer of a write or a call. @throws {Fault} the one that the server gave then. */
function settle(got: Answer | undefined, what: string): Answer {
  if (!got) throw new Fault("DEVICE_REFUSED", `${what} is not in the recording`);
  if ("fault" in got) throw faultOf(got);
  return got;
}
