import type { Point } from "#devices/driver";
import { type Decode, decoder, wordsOf } from "./registers.ts";
import type { ModbusAddress, ModbusStation, Table } from "./schema.ts";

/** One point inside a span, with everything chosen that can be chosen before the answer is there. */
export interface Part {
  /** Where the point stands in the caller's array, and so where its reading goes. */
  readonly index: number;
  readonly address: ModbusAddress;
  readonly decode: Decode;
  /** Where its value begins in the answer: in bytes for registers, in bits for coils and discretes. */
  readonly offset: number;
}

/** Registers (or bits) `[start, start + count)` of one table, which one request reads, and the points inside. */
export interface Span {
  readonly table: Table;
  readonly start: number;
  readonly count: number;
  readonly parts: readonly Part[];
}

/** What the station allows. For bits both are 16 times as many: 125 registers become the 2000 bits of the standard. */
export type Limits = Pick<ModbusStation, "maxRegisters" | "maxGap">;

const tables: readonly Table[] = ["coil", "discrete", "input", "holding"];

/**
 * Groups the points of one device into as few requests as the limits allow: neighbours share a request, and small gaps
 * are read along, because a request costs as much as a hundred registers.
 *
 * **Source:** Modbus Application Protocol V1.1b3, §6.1 (2000 coils) and §6.3 (125 registers).
 */
export function plan(points: readonly Point<ModbusAddress>[], limits: Limits): readonly Span[] {
  const parts = points.map(({ address }, index) => ({ index, address, decode: decode(address), offset: 0 }));
  return tables.flatMap((table) =>
    merge(table, parts.filter(({ address }) => address.table === table).sort(order), limits),
  );
}

/**
 * Cuts a span that the device refused into at least two, each with fewer points: first along its gaps, where the
 * undefined registers most likely are, then in halves. A span with one point can not be cut.
 */
export function split({ table, parts }: Span, limits: Limits): readonly Span[] {
  const runs = merge(table, parts, { ...limits, maxGap: 0 });
  if (runs.length > 1 || parts.length < 2) return runs;
  const half = parts.length >> 1;
  return [parts.slice(0, half), parts.slice(half)].flatMap((some) => merge(table, some, limits));
}

/** Width of a value in its table: registers, or one bit. */
export function sizeOf(address: ModbusAddress): number {
  return "type" in address ? wordsOf(address) : 1;
}

/** One pass over sorted parts; greedy is optimal here, since a span that could hold the next part always does. */
function merge(table: Table, sorted: readonly Part[], { maxRegisters, maxGap }: Limits): readonly Span[] {
  const bits = table === "coil" || table === "discrete";
  const most = bits ? maxRegisters * 16 : maxRegisters;
  const gap = bits ? maxGap * 16 : maxGap;
  const groups: { start: number; end: number; readonly parts: Part[] }[] = [];
  for (const part of sorted) {
    const start = part.address.register;
    const end = start + sizeOf(part.address);
    const last = groups.at(-1);
    const joins = last && start <= last.end + gap && (end <= last.end || end - last.start <= most);
    if (joins) {
      last.end = Math.max(end, last.end);
      last.parts.push(part);
    } else groups.push({ start, end, parts: [part] });
  }
  return groups.map(({ start, end, parts }) => ({
    table,
    start,
    count: end - start,
    parts: parts.map((part) => ({ ...part, offset: (part.address.register - start) * (bits ? 1 : 2) })),
  }));
}

/** By place; where two begin together the wider first, so that the narrower lies inside it. */
function order(a: Part, b: Part): number {
  return a.address.register - b.address.register || sizeOf(b.address) - sizeOf(a.address) || a.index - b.index;
}

function decode(address: ModbusAddress): Decode {
  if ("type" in address) return decoder(address);
  return (view, offset) => ((view.getUint8(offset >> 3) >> (offset & 7)) & 1) === 1;
}
