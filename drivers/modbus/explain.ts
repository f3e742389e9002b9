/** Shows the planner's work: what would be asked of a device, what of it is waste, and how long it takes on its link. */
import type { Experience, Plan, PlanRow, Point } from "#devices/driver";
import { bitsOf, silenceMs } from "./dial.ts";
import type { ModbusLink, SerialLink } from "./link.ts";
import { readRequest } from "./pdu.ts";
import { isBits, plan, type Span, sizeOf } from "./plan.ts";
import type { ModbusAddress, ModbusStation, Table } from "./schema.ts";
import { tell } from "./tell.ts";

/** One request of a plan. */
export interface PlannedRequest extends PlanRow {
  readonly unit: number;
  /** Function code. */
  readonly fc: number;
  readonly table: Table;
  readonly start: number;
  /** Registers, or bits for coils and discretes. */
  readonly count: number;
}

/** A plan with what it costs. */
export interface Explanation extends Plan {
  readonly requests: readonly PlannedRequest[];
}

/** What a device on a line is taken to need before it answers, when nothing was measured. */
const DEVICE_MS = 10;

/** Plans the reading of points and explains it. Pure: asks nobody. */
export function explain(
  points: readonly Point<ModbusAddress>[],
  station: ModbusStation,
  link: ModbusLink,
  { lessons = [], roundTripMs }: Experience = {},
): Explanation {
  const requests = plan(points, station, lessons).map((span) => {
    const bytes = bytesOf(span, link);
    const pdu = readRequest(span);
    const request = Uint8Array.of(station.unit, ...pdu);
    return {
      request: tell({ at: 0, ms: 0, request, answer: undefined }).asked,
      unit: station.unit,
      fc: pdu[0] ?? 0,
      table: span.table,
      start: span.start,
      count: span.count,
      asked: span.count,
      properties: span.parts.map(({ index }) => points[index]?.property ?? ""),
      wasted: span.count - wanted(span),
      bytes,
      ms: roundTripMs ?? (isSerial(link) ? serialMs(bytes, link) : undefined),
    };
  });
  const times = requests.map(({ ms }) => ms);
  const cycleMs = times.every((ms) => ms !== undefined) ? sum(times) : undefined;
  const { timeoutMs = link.timeoutMs } = station;
  const isTooLong = cycleMs !== undefined && cycleMs > timeoutMs;
  const whose = station.timeoutMs === undefined ? "link" : "device";
  return {
    requests,
    asked: sum(requests.map(({ count }) => count)),
    wasted: sum(requests.map(({ wasted }) => wasted)),
    cycleMs,
    basis: basisOf(link, roundTripMs),
    ...(isTooLong && {
      warning: `one visit takes ${Math.ceil(cycleMs)} ms, the ${whose}'s timeout is ${timeoutMs} ms`,
    }),
  };
}

function basisOf(link: ModbusLink, measuredMs: number | undefined): string {
  if (measuredMs !== undefined) return `measured: ${Number(measuredMs.toPrecision(3))} ms from request to answer`;
  if (!isSerial(link)) return "unknown: nothing was measured on this link yet";
  const silence = (link.quietMs ?? silenceMs(link)).toFixed(2);
  return `${link.baudRate} baud, ${bitsOf(link)} bits a character, ${silence} ms silence, ${DEVICE_MS} ms for the device`;
}

function serialMs(bytes: number, link: SerialLink): number {
  const quietMs = link.quietMs ?? silenceMs(link);
  return (bytes * bitsOf(link) * 1000) / link.baudRate + 2 * quietMs + DEVICE_MS;
}

function isSerial(link: ModbusLink): link is SerialLink {
  return link.transport === "rtu" || link.transport === "ascii";
}

/** Request and answer with their frames. */
function bytesOf({ table, count }: Span, { transport }: ModbusLink): number {
  const pdus = 5 + 2 + (isBits(table) ? (count + 7) >> 3 : 2 * count);
  // Two frames: unit and CRC; unit and LRC in hex with colon and line end; MBAP.
  if (transport === "rtu" || transport === "rtu-tcp") return pdus + 2 * 3;
  if (transport === "ascii" || transport === "ascii-tcp") return 2 * pdus + 2 * 7;
  return pdus + 2 * 7;
}

/** Registers of a span that some point wants. */
function wanted({ parts }: Span): number {
  const places = new Set(
    parts.flatMap(({ address }) => Array.from({ length: sizeOf(address) }, (_, i) => address.register + i)),
  );
  return places.size;
}

function sum(numbers: readonly (number | undefined)[]): number {
  return numbers.reduce<number>((total, one) => total + (one ?? 0), 0);
}
