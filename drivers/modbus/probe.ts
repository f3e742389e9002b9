/**
 * Finds out how a value lies in a device whose manual is vague: reads a range, shows every decoding that makes sense,
 * and marks those that give the number on the device's display.
 */
import { parse } from "#std/schema";
import { openConnection } from "./connection.ts";
import { dial } from "./dial.ts";
import { link as linkSchema } from "./link.ts";
import { decoder, type Format, types, wordsOf } from "./registers.ts";
import { address as addressSchema, station as stationSchema, type Table } from "./schema.ts";
import type { Transport } from "./transport.ts";

/** What is probed. */
export interface ProbeRange {
  readonly unit: number;
  readonly table: Table;
  readonly start: number;
  readonly count: number;
  /** The number on the display. */
  readonly expect?: number | undefined;
  /** How far off it may be. @default half of the last digit of `expect` */
  readonly tolerance?: number | undefined;
  /** Longest wait for one answer. @default what the signal allows */
  readonly timeoutMs?: number | undefined;
}

/** One way to read what begins at a register. */
export interface Decoding {
  readonly format: Format;
  readonly value: number | bigint | string | boolean;
}

/** What begins at one register; without `hex` the device refuses it, and `error` says why. */
export interface ProbeRow {
  readonly register: number;
  readonly hex: string | undefined;
  readonly decodings: readonly Decoding[];
  readonly error?: string;
}

/** A decoding that gives the expected number. */
export interface Match {
  readonly register: number;
  readonly format: Format;
  readonly scale: number;
  /** The number with the scale. */
  readonly value: number;
  /** The lower, the likelier: simple types, orders and scales come first. */
  readonly cost: number;
}

/** What a probe found; matches are sorted, the likeliest first. */
export interface ProbeResult {
  readonly rows: readonly ProbeRow[];
  readonly matches: readonly Match[];
}

/** The scales that displays have, the most frequent first. */
const scales = [1, 0.1, 0.01, 0.001, 10] as const;

const orders = [
  { words: "big", bytes: "big" },
  { words: "little", bytes: "big" },
  { words: "big", bytes: "little" },
  { words: "little", bytes: "little" },
] as const;

/** Every way to read registers as a number or a time; one register has two orders, more have four. */
const formats: readonly Format[] = types
  .filter((type) => !["bool", "bit", "string", "int8"].includes(type))
  .flatMap((type): readonly Format[] => {
    if (type === "uint8") return (["low", "high"] as const).map((byte) => ({ type, byte, ...orders[0] }));
    return orders.filter(({ words }) => wordsOf({ type }) > 1 || words === "big").map((order) => ({ type, ...order }));
  });

/**
 * Opens a link as a Device would name it, probes it, and closes it.
 * @throws {Fault} `USAGE_INVALID`, `LINK_LOST`, and `DEVICE_TIMEOUT` when the unit is silent.
 */
export async function probeLink(link: unknown, range: ProbeRange, signal: AbortSignal): Promise<ProbeResult> {
  const parsed = parse(linkSchema, link, "the link", "USAGE_INVALID");
  await using transport = await dial(parsed, signal);
  return await probe(transport, { timeoutMs: parsed.timeoutMs, ...range }, signal);
}

/** Reads a range register by register as far as the device lets it, and decodes it. Does not close the transport. */
export async function probe(transport: Transport, range: ProbeRange, signal: AbortSignal): Promise<ProbeResult> {
  const { unit, table, start, count, expect, tolerance, timeoutMs } = range;
  const points = Array.from({ length: count }, (_, i) => ({
    property: `${table} ${start + i}`,
    address: parse(addressSchema, { table, register: start + i }, "the range", "USAGE_INVALID"),
  }));
  const station = parse(
    stationSchema,
    { unit, ...(timeoutMs !== undefined && { timeout: `${timeoutMs}ms` }) },
    "the unit",
    "USAGE_INVALID",
  );
  const readings = await openConnection(transport, Date.now).read(station, points, signal);
  const [first] = readings;
  if (first && !first.ok && first.fault.code === "DEVICE_TIMEOUT") throw first.fault;
  const words = readings.map((reading) => (reading.ok ? Number(reading.raw) : undefined));
  const rows = decodings(words, table, start).map((row, i) => {
    const reading = readings[i];
    return reading && !reading.ok ? { ...row, error: reading.fault.message } : row;
  });
  return { rows, matches: expect === undefined ? [] : matches(rows, expect, tolerance) };
}

/** Every sensible decoding at every register; undefined words are those that the device refuses. Pure. */
export function decodings(words: readonly (number | undefined)[], table: Table, start: number): readonly ProbeRow[] {
  return words.map((word, i) => {
    const register = start + i;
    if (word === undefined) return { register, hex: undefined, decodings: [] };
    if (table === "coil" || table === "discrete") {
      return {
        register,
        hex: String(word),
        decodings: [{ format: { type: "bool", ...orders[0] }, value: word === 1 }],
      };
    }
    const hex = word.toString(16).padStart(4, "0");
    return { register, hex, decodings: formats.flatMap((format) => decoded(words.slice(i, i + 4), format)) };
  });
}

/** The decodings that give a number, at any of the usual scales, the likeliest first. Pure. */
export function matches(rows: readonly ProbeRow[], expect: number, tolerance = halfDigit(expect)): readonly Match[] {
  const found = rows.flatMap(({ register, decodings }) =>
    decodings.flatMap(({ format, value }) =>
      scales.flatMap((scale, rank): readonly Match[] => {
        if (typeof value !== "number" && typeof value !== "bigint") return [];
        const scaled = Number((Number(value) * scale).toPrecision(12));
        const error = Math.abs(scaled - expect);
        // The tolerance itself belongs to it; a binary fraction must not push it out.
        if (error > tolerance * (1 + 1e-9)) return [];
        return [{ register, format, scale, value: scaled, cost: rank + costOf(format) + error / (tolerance || 1) }];
      }),
    ),
  );
  return found.sort((a, b) => a.cost - b.cost || a.register - b.register);
}

/** What a display can not show: half of its last digit. */
function halfDigit(expect: number): number {
  const decimals = /\.(\d+)$/.exec(String(expect))?.[1]?.length ?? 0;
  return 0.5 * 10 ** -decimals;
}

function decoded(words: readonly (number | undefined)[], format: Format): readonly Decoding[] {
  const width = wordsOf(format);
  const view = new DataView(new ArrayBuffer(width * 2));
  for (let i = 0; i < width; i++) {
    const word = words[i];
    if (word === undefined) return [];
    view.setUint16(2 * i, word);
  }
  try {
    const value = decoder(format)(view, 0);
    return isSensible(value) ? [{ format, value }] : [];
  } catch {
    // No digits, or no date: not this type.
    return [];
  }
}

/** What nobody would measure is left out: NaN, tiny and huge fractions, times before 2000 or after 2100. */
function isSensible(value: number | bigint | string | boolean): boolean {
  if (typeof value === "string") return value >= "2000" && value < "2100";
  if (typeof value !== "number" || value === 0) return true;
  return Math.abs(value) >= 1e-6 && Math.abs(value) <= 1e12;
}

/** Signed before unsigned, because a thermometer may freeze; the standard's order before the others. */
function costOf({ type, words, bytes }: Format): number {
  const likely = ["float32", "int16", "uint16", "int32", "uint32", "float64", "int64", "uint64", "bcd16", "bcd32"];
  const rank = likely.indexOf(type);
  return (rank < 0 ? likely.length : rank) * 0.5 + (words === "big" ? 0 : 1) + (bytes === "big" ? 0 : 2);
}
