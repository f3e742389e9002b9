import type { Connection, Point, Reading } from "#devices/driver";
import { Fault } from "#std/fault";
import { checkWrite, readAnswer, readRequest, writeRequest } from "./pdu.ts";
import { plan, type Span, split } from "./plan.ts";
import type { ModbusAddress, ModbusStation } from "./schema.ts";
import type { Transport } from "./transport.ts";

/** How long a split is remembered. After it the device is asked afresh: it may have been replaced or reprogrammed. */
const FORGET_MS = 600_000;

/** The plan of one device and what it taught us. */
interface Visit {
  readonly station: ModbusStation;
  /** Replaced piece by piece as the device refuses spans. */
  readonly spans: Span[];
  /** When the first split was learned; undefined as long as nothing was. */
  learnedAt: number | undefined;
}

/** A Modbus bus over any transport; owns the transport. @param now - milliseconds since the Unix epoch. */
export function openConnection(transport: Transport, now: () => number): Connection<ModbusStation, ModbusAddress> {
  /** By the caller's array of points, then by unit: many devices of one model share their points. */
  const visits = new WeakMap<readonly Point<ModbusAddress>[], Map<number, Visit>>();

  return {
    async read(station, points, signal) {
      const visit = visitOf(station, points);
      const { spans } = visit;
      const readings = new Array<Reading>(points.length);
      let silent: Fault | undefined;
      for (let i = 0; i < spans.length; i++) {
        const span = spans[i] as Span;
        const answer = silent ?? (await ask(station.unit, span, signal));
        if (answer instanceof Fault && span.parts.length > 1 && isAddressRefused(answer)) {
          // One bad register must not spoil its neighbours: ask again in smaller pieces, now and at later visits.
          visit.learnedAt ??= now();
          spans.splice(i--, 1, ...split(span, station));
        } else {
          fill(readings, span, answer, now());
          if (answer instanceof Fault && isSilent(answer)) silent = answer;
        }
      }
      return readings;
    },

    async write(station, { address }, raw, signal) {
      const request = writeRequest(address, raw, station);
      checkWrite(await transport.request(station.unit, request, signal), request, address);
    },

    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };

  function visitOf(station: ModbusStation, points: readonly Point<ModbusAddress>[]): Visit {
    const byUnit = visits.get(points) ?? new Map<number, Visit>();
    const known = byUnit.get(station.unit);
    if (known && isSame(known.station, station) && !isOver(known)) return known;
    const fresh = { station, spans: [...plan(points, station)], learnedAt: undefined };
    visits.set(points, byUnit.set(station.unit, fresh));
    return fresh;
  }

  function isOver({ learnedAt }: Visit): boolean {
    return learnedAt !== undefined && now() - learnedAt > FORGET_MS;
  }

  /** The bytes of a span, or why there are none. An invalid answer concerns this span alone; the rest passes. */
  async function ask(unit: number, span: Span, signal: AbortSignal): Promise<DataView | Fault> {
    try {
      return readAnswer(await transport.request(unit, readRequest(span), signal), span);
    } catch (error) {
      if (Fault.is(error, "ANSWER_INVALID")) return error;
      throw error;
    }
  }
}

/** The hot path: a thousand values ten times a second and device pass here. */
function fill(readings: Reading[], { parts }: Span, answer: DataView | Fault, at: number): void {
  for (const { index, decode, offset } of parts) {
    if (answer instanceof Fault) readings[index] = { ok: false, fault: answer, at };
    else {
      try {
        readings[index] = { ok: true, raw: decode(answer, offset), at };
      } catch (error) {
        if (!Fault.is(error)) throw error;
        readings[index] = { ok: false, fault: error, at };
      }
    }
  }
}

function isSame(a: ModbusStation, b: ModbusStation): boolean {
  return a === b || (a.maxRegisters === b.maxRegisters && a.maxGap === b.maxGap);
}

/** Illegal data address, or the illegal data value that some devices say to a length they dislike. */
function isAddressRefused({ detail: { exception } }: Fault): boolean {
  return exception === 2 || exception === 3;
}

/** The gateway has waited for this unit in vain; one wait per visit is enough, the neighbours have their turn. */
function isSilent({ detail: { exception } }: Fault): boolean {
  return exception === 10 || exception === 11;
}
