import type { Connection, Lesson, Point, Reading } from "#devices/driver";
import { deadline } from "#std/deadline";
import { Fault } from "#std/fault";
import { Ring } from "#std/ring";
import { fill } from "./fill.ts";
import { readIdentity } from "./identity.ts";
import { type Learned, learn, type Piece, remember } from "./lessons.ts";
import { openPatience, type Waits } from "./patience.ts";
import { checkWrite, readAnswer, readRequest, writeRequest } from "./pdu.ts";
import { plan, replan, type Span, split } from "./plan.ts";
import type { ModbusAddress, ModbusStation } from "./schema.ts";
import type { ModbusExchange } from "./tell.ts";
import type { Transport } from "./transport.ts";

/** How long a lesson is believed. After it the device is asked afresh: it may have been replaced or reprogrammed. */
const FORGET_MS = 600_000;

/** Exchanges that are kept for whoever wants to know why. */
const KEPT_EXCHANGES = 32;

/** The plan of one device for one array of points. */
interface Visit {
  readonly station: ModbusStation;
  /** What was known when the plan was made; another array means another plan. */
  readonly lessons: readonly Lesson[];
  readonly spans: readonly Span[];
}

/** What a connection is told beside its transport. */
export interface ConnectionOptions extends Partial<Waits> {
  /** Gets each exchange when it is over. */
  readonly onExchange?: ((exchange: ModbusExchange) => void) | undefined;
}

/** A connection with all that is optional elsewhere. */
export type ModbusConnection = Connection<ModbusStation, ModbusAddress> &
  Required<Pick<Connection<ModbusStation, ModbusAddress>, "describe" | "learned" | "exchanges">>;

/** What waits of the link are when nobody says. */
const patient: Waits = { timeoutMs: 1000, retries: 0 };
const nothing: readonly Lesson[] = [];

/** A Modbus bus over any transport; owns the transport. @param now - milliseconds since the Unix epoch. */
export function openConnection(
  transport: Transport,
  now: () => number,
  { onExchange, ...waits }: ConnectionOptions = {},
): ModbusConnection {
  /** By the caller's array of points, then by unit: many devices of one model share their points. */
  const visits = new WeakMap<readonly Point<ModbusAddress>[], Map<number, Visit>>();
  const lessons = new Map<number, readonly Lesson[]>();
  const patience = openPatience({ ...patient, ...waits });
  const ring = new Ring<ModbusExchange>(KEPT_EXCHANGES);

  return {
    async read(station, points, signal) {
      const visit = visitOf(station, points);
      const reader = readerOf(station, new Array<Reading>(points.length), signal);
      let { spans, lessons } = visit;
      for (let i = 0; i < spans.length; i++) {
        const span = spans[i] as Span;
        const outcome = await reader.read(span);
        if (outcome === "given" || outcome === "failed") continue;
        // One bad register must not spoil its neighbours: ask again in smaller pieces, and learn from it.
        const pieces = span.parts.length > 1 ? await reader.explore(span) : [{ span, outcome }];
        const known = teach(station.unit, learn(span, pieces));
        if (known === lessons) continue;
        lessons = known;
        spans = [...spans.slice(0, i + 1), ...spans.slice(i + 1).flatMap((rest) => replan(rest, station, known))];
      }
      return reader.readings;
    },

    async write(station, { address }, raw, signal) {
      const request = writeRequest(address, raw, station);
      const answer = await ask(station, request, signal, (answer) => checkWrite(answer, request, address));
      if (answer instanceof Fault) throw answer;
    },

    async describe(station, signal) {
      if (!station.identify) return {};
      // Not repeated: to some devices the question is none, and requests without answers cost the connection.
      const once = { ...station, retries: 0 };
      return await readIdentity(async (pdu) => {
        const answer = await ask(once, pdu, signal, (answer) => Uint8Array.from(answer));
        if (answer instanceof Fault) throw answer;
        return answer;
      });
    },

    learned: ({ unit }) => believed(unit),

    get exchanges() {
      return ring.list();
    },

    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };

  function visitOf(station: ModbusStation, points: readonly Point<ModbusAddress>[]): Visit {
    const byUnit = visits.get(points) ?? new Map<number, Visit>();
    const known = byUnit.get(station.unit);
    const lessons = believed(station.unit);
    if (known && known.lessons === lessons && isSame(known.station, station)) return known;
    const fresh = { station, lessons, spans: plan(points, station, lessons) };
    visits.set(points, byUnit.set(station.unit, fresh));
    return fresh;
  }

  /** The lessons of a unit that are not over; the same array as long as they are the same. */
  function believed(unit: number): readonly Lesson[] {
    const all = lessons.get(unit) ?? nothing;
    const at = now();
    if (all.every(({ until }) => until >= at)) return all;
    const left = all.filter(({ until }) => until >= at);
    lessons.set(unit, left);
    return left;
  }

  function teach(unit: number, learned: readonly Learned[]): readonly Lesson[] {
    const known = remember(believed(unit), learned, now() + FORGET_MS);
    lessons.set(unit, known);
    return known;
  }

  /** Reads spans of one visit into its readings. */
  function readerOf(station: ModbusStation, readings: Reading[], signal: AbortSignal) {
    let silent: Fault | undefined;
    const read = async (span: Span): Promise<Piece["outcome"]> => {
      const answer = silent ?? (await ask(station, readRequest(span), signal, (answer) => readAnswer(answer, span)));
      fill(readings, span, answer, now());
      if (!(answer instanceof Fault)) return "given";
      if (answer.code === "DEVICE_TIMEOUT" && isSilence(answer)) silent = answer;
      return isAddressRefused(answer) ? "refused" : "failed";
    };
    const explore = async (span: Span): Promise<readonly Piece[]> => {
      const pieces: Piece[] = [];
      const todo = [...split(span, station)];
      for (let piece = todo.shift(); piece; piece = todo.shift()) {
        const outcome = await read(piece);
        if (outcome === "refused" && piece.parts.length > 1) todo.unshift(...split(piece, station));
        else pieces.push({ span: piece, outcome });
      }
      return pieces;
    };
    return { readings, read, explore };
  }

  /**
   * Asks until there is an answer that passes the check, as often as the link says. What the device or a broken answer
   * is to blame for is returned and concerns this request alone; that the link is lost or the caller has enough passes.
   */
  async function ask<T>(
    { unit, ...own }: ModbusStation,
    pdu: Uint8Array,
    signal: AbortSignal,
    check: (answer: Uint8Array) => T | Fault,
  ): Promise<T | Fault> {
    if (unit === 0 && transport.isLine) return await tell(pdu, signal, check);
    const { tries, ms } = patience.of(unit, own);
    let fault: Fault | undefined;
    for (let i = 0; i < tries; i++) {
      const limit = ms === undefined ? undefined : deadline(ms, signal);
      try {
        const answer = await exchange(unit, pdu, limit?.signal ?? signal, check);
        if (!(answer instanceof Fault) || answer.code !== "ANSWER_INVALID") return answer;
        fault = answer;
      } catch (error) {
        if (Fault.is(error, "ANSWER_INVALID")) fault = error;
        else if (!limit?.expired || signal.aborted) throw error;
        else fault = new Fault("DEVICE_TIMEOUT", `unit ${unit} did not answer within ${Math.round(ms ?? 0)} ms`);
      } finally {
        limit?.[Symbol.dispose]();
      }
    }
    return fault ?? new Fault("DEVICE_TIMEOUT", `unit ${unit} was not asked`);
  }

  /** A broadcast reaches every device and is answered by none. */
  async function tell<T>(pdu: Uint8Array, signal: AbortSignal, check: (answer: Uint8Array) => T | Fault) {
    const answer = await exchange(0, pdu, signal, (answer) => answer);
    if (pdu[0] !== undefined && isWrite(pdu[0]) && !(answer instanceof Fault)) return check(echoOf(pdu));
    return new Fault("DEVICE_REFUSED", "unit 0 is everybody on a line: it can be written, and nobody answers");
  }

  async function exchange<T>(
    unit: number,
    pdu: Uint8Array,
    signal: AbortSignal,
    check: (answer: Uint8Array) => T | Fault,
  ): Promise<T | Fault> {
    const at = now();
    const start = performance.now();
    const note = (answer: Uint8Array | undefined, error: string | undefined) => {
      const exchange: ModbusExchange = {
        at,
        ms: performance.now() - start,
        request: withUnit(unit, pdu),
        answer: answer && withUnit(unit, answer),
        ...(error !== undefined && { error }),
      };
      ring.push(exchange);
      onExchange?.(exchange);
    };
    try {
      const answer = await transport.request(unit, pdu, signal);
      patience.answered(unit, performance.now() - start);
      const result = checked(answer, check);
      note(answer, result instanceof Fault ? result.message : undefined);
      return result;
    } catch (error) {
      if (!Fault.is(error)) patience.missed(unit);
      note(undefined, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
}

function checked<T>(answer: Uint8Array, check: (answer: Uint8Array) => T | Fault): T | Fault {
  try {
    return check(answer);
  } catch (error) {
    if (Fault.is(error)) return error;
    throw error;
  }
}

function withUnit(unit: number, pdu: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(pdu.length + 1);
  bytes[0] = unit;
  bytes.set(pdu, 1);
  return bytes;
}

function isSame(a: ModbusStation, b: ModbusStation): boolean {
  return a === b || (a.maxRegisters === b.maxRegisters && a.maxGap === b.maxGap && a.single === b.single);
}

/** Illegal data address, or the illegal data value that some devices say to a length they dislike. */
function isAddressRefused({ detail: { exception } }: Fault): boolean {
  return exception === 2 || exception === 3;
}

/** Nobody there, as we or the gateway found; one wait per visit is enough, the neighbours have their turn. */
function isSilence({ detail: { exception } }: Fault): boolean {
  return exception === undefined || exception === 10 || exception === 11;
}

function isWrite(code: number): boolean {
  return code === 5 || code === 6 || code === 15 || code === 16 || code === 22;
}

/** What a device would confirm. */
function echoOf(pdu: Uint8Array): Uint8Array {
  return pdu[0] === 15 || pdu[0] === 16 ? pdu.subarray(0, 5) : pdu;
}
