import type { Lesson, Point, Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { decoder, wordsOf } from "./registers.ts";
import type { ModbusAddress, ModbusStation, Table, WordAddress } from "./schema.ts";

/** Reads one value at an offset of an answer, or says why it is none. */
export type Judge = (view: DataView, offset: number) => Raw | Fault;

/** One point inside a span, with everything chosen that can be chosen before the answer is there. */
export interface Part {
  /** Where the point stands in the caller's array, and so where its reading goes. */
  readonly index: number;
  readonly address: ModbusAddress;
  readonly decode: Judge;
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
export type Limits = Pick<ModbusStation, "maxRegisters" | "maxGap"> & Partial<Pick<ModbusStation, "single">>;

const tables: readonly Table[] = ["coil", "discrete", "input", "holding"];

/**
 * Groups the points of one device into as few requests as the limits allow: neighbours share a request, and small gaps
 * are read along, because a request costs as much as a hundred registers.
 *
 * **Source:** Modbus Application Protocol V1.1b3, §6.1 (2000 coils) and §6.3 (125 registers).
 */
export function plan(
  points: readonly Point<ModbusAddress>[],
  limits: Limits,
  lessons: readonly Lesson[] = [],
): readonly Span[] {
  const parts = points.map(({ address }, index) => ({ index, address, decode: decode(address), offset: 0 }));
  return tables.flatMap((table) =>
    merge(table, parts.filter(({ address }) => address.table === table).sort(order), limits, lessons),
  );
}

/** Groups the points of a span anew, after something was learned. */
export function replan({ table, parts }: Span, limits: Limits, lessons: readonly Lesson[]): readonly Span[] {
  return merge(table, parts, limits, lessons);
}

/**
 * Cuts a span that the device refused into at least two, each with fewer points: first along its gaps, where the
 * undefined registers most likely are, then in halves. A span with one point can not be cut.
 */
export function split({ table, parts }: Span, limits: Limits): readonly Span[] {
  const runs = merge(table, parts, { ...limits, maxGap: 0 }, []);
  if (runs.length > 1 || parts.length < 2) return runs;
  const half = parts.length >> 1;
  return [parts.slice(0, half), parts.slice(half)].flatMap((some) => merge(table, some, limits, []));
}

/** Width of a value in its table: registers, or one bit. */
export function sizeOf(address: ModbusAddress): number {
  return "type" in address ? wordsOf(address) : 1;
}

/** One pass over sorted parts; greedy is optimal here, since a span that could hold the next part always does. */
function merge(table: Table, sorted: readonly Part[], limits: Limits, lessons: readonly Lesson[]): readonly Span[] {
  const { maxRegisters, maxGap, single = false } = limits;
  const bits = isBits(table);
  const about = lessons.filter((lesson) => lesson.table === table);
  const holes = about.filter(({ kind }) => kind === "hole");
  const learned = about.filter(({ kind }) => kind === "limit").map(({ count }) => count);
  const most = Math.min(bits ? maxRegisters * 16 : maxRegisters, ...learned);
  const gap = bits ? maxGap * 16 : maxGap;
  const hasHole = (start: number, end: number) =>
    holes.some((hole) => hole.start < end && hole.start + hole.count > start);
  const groups: { start: number; end: number; readonly isHole: boolean; readonly parts: Part[] }[] = [];
  for (const part of sorted) {
    const start = part.address.register;
    const end = start + sizeOf(part.address);
    const last = groups.at(-1);
    const isHole = hasHole(start, end);
    const joins =
      last &&
      (end <= last.end || (!single && start <= last.end + gap && end - last.start <= most)) &&
      last.isHole === isHole &&
      (!isHole || end <= last.end) &&
      !(start > last.end && hasHole(last.end, start));
    if (joins) {
      last.end = Math.max(end, last.end);
      last.parts.push(part);
    } else groups.push({ start, end, isHole, parts: [part] });
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

/** Whether a table holds bits. */
export function isBits(table: string): boolean {
  return table === "coil" || table === "discrete";
}

function decode(address: ModbusAddress): Judge {
  if ("type" in address) return judged(decoder(address), address);
  return (view, offset) => ((view.getUint8(offset >> 3) >> (offset & 7)) & 1) === 1;
}

/** Sorts out the numbers of which the model says that they mean nothing. */
function judged(decode: (view: DataView, offset: number) => Raw, { sentinels = [] }: WordAddress): Judge {
  if (sentinels.length === 0) return decode;
  // Made once: a device may have hundreds of these, ten times a second.
  const none = new Map<Raw, Fault>(
    sentinels.flatMap((text) => {
      const fault = new Fault("DEVICE_REFUSED", `the device has no value: it says ${text}`);
      const exact = /^-?\d+$/.test(String(text)) ? [[BigInt(text), fault] as const] : [];
      return [[Number(text), fault] as const, ...exact];
    }),
  );
  return (view, offset) => {
    const raw = decode(view, offset);
    return none.get(raw) ?? raw;
  };
}
