/**
 * Values that are packed into an unsigned number: decimal digits and points in time. Times read and write as ISO 8601
 * in UTC.
 *
 * **Source:** IEC 60870-5-4, §6.8, binary time (CP64 as power meters lay it out: one field group per register).
 */
import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";

/** How a derived type stands in its number. */
export interface Derived {
  readonly base: "uint16" | "uint32" | "uint64";
  /** @throws {Fault} `ANSWER_INVALID` when the number is none of these. */
  from(number: Raw): Raw;
  /** @throws {Fault} `VALUE_INVALID` when the value has no such number. */
  to(raw: Raw): number | bigint;
}

/** The derived types by name. */
export const derived = {
  bcd16: bcd("uint16", 4),
  bcd32: bcd("uint32", 8),
  unix32: time("uint32", {
    from: (n) => Number(n) * 1000,
    to: (ms) => Math.round(ms / 1000),
  }),
  unix64: time("uint64", {
    from: (n) => Number(n) * 1000,
    to: (ms) => BigInt(Math.round(ms / 1000)),
  }),
  unixms64: time("uint64", { from: Number, to: BigInt }),
  datetime: time("uint64", { from: fromCalendar, to: toCalendar }),
} as const satisfies Readonly<Record<string, Derived>>;

/** Four bits for each decimal digit. */
function bcd(base: Derived["base"], digits: number): Derived {
  return {
    base,
    from(number) {
      const text = number.toString(16);
      if (/^\d+$/.test(text)) return Number(text);
      throw new Fault("ANSWER_INVALID", `${text.padStart(digits, "0")} is no BCD: it has more than decimal digits`);
    },
    to(raw) {
      const number = typeof raw === "bigint" ? Number(raw) : raw;
      if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number < 10 ** digits) {
        return Number.parseInt(String(number), 16);
      }
      throw new Fault("VALUE_INVALID", `${String(raw)} does not fit BCD of ${digits} digits`);
    },
  };
}

interface Milliseconds {
  from(number: Raw): number;
  to(ms: number): number | bigint;
}

function time(base: Derived["base"], { from, to }: Milliseconds): Derived {
  return {
    base,
    from(number) {
      const date = new Date(from(number));
      if (!Number.isNaN(date.getTime())) return date.toISOString();
      throw new Fault("ANSWER_INVALID", `${number} is no time`);
    },
    to(raw) {
      const ms = typeof raw === "string" ? Date.parse(raw) : Number.NaN;
      if (ms >= 0) return to(ms);
      throw new Fault("VALUE_INVALID", `${String(raw)} is no time since 1970 such as 2026-11-20T12:00:00Z`);
    },
  };
}

/** Year; month and day; hour and minute; milliseconds of the minute. Flags and the day of the week are left out. */
function fromCalendar(number: Raw): number {
  const bits = BigInt(number);
  const field = (shift: bigint, width: bigint) => Number((bits >> shift) & ((1n << width) - 1n));
  const [month, day] = [field(40n, 4n), field(32n, 5n)];
  if (month < 1 || month > 12 || day < 1) return Number.NaN;
  return Date.UTC(2000 + field(48n, 7n), month - 1, day, field(24n, 5n), field(16n, 6n), 0, field(0n, 16n));
}

function toCalendar(ms: number): bigint {
  const date = new Date(ms);
  const [year, month, day] = [date.getUTCFullYear() - 2000, date.getUTCMonth() + 1, date.getUTCDate()];
  if (year < 0 || year > 99) throw new Fault("VALUE_INVALID", `${date.toISOString()} is not between 2000 and 2099`);
  const words = [year, (month << 8) | day, (date.getUTCHours() << 8) | date.getUTCMinutes(), ms % 60_000];
  return words.reduce((all, word) => (all << 16n) | BigInt(word), 0n);
}
