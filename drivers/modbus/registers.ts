/**
 * Registers to raw values and back. A register is 16 bits with the high byte first; how two or four of them make a
 * number is each vendor's own choice, so both orders are given by the address.
 *
 * Source: Modbus Application Protocol V1.1b3, §4.2 (byte order); the order of words is not standardised.
 */
import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import type { WordAddress } from "./schema.ts";

/** The part of an address that says how the registers are read. */
export type Format = Pick<WordAddress, "type" | "bit" | "length" | "words" | "bytes">;

/** Reads one value at a byte offset of an answer. */
export type Decode = (view: DataView, offset: number) => Raw;

type NumberType = Exclude<WordAddress["type"], "bool" | "bit" | "string">;

const widths = { int16: 1, uint16: 1, int32: 2, uint32: 2, int64: 4, uint64: 4, float32: 2, float64: 4 } as const;

/** How many registers a value takes. */
export function wordsOf({ type, length = 1 }: Pick<WordAddress, "type" | "length">): number {
  if (type === "string") return length;
  return type === "bool" || type === "bit" ? 1 : widths[type];
}

/** Eight bytes through which numbers pass on their way into the standard order and out of it. */
const scratch = new DataView(new ArrayBuffer(8));

const getters: Readonly<Record<NumberType, () => number | bigint>> = {
  int16: () => scratch.getInt16(0),
  uint16: () => scratch.getUint16(0),
  int32: () => scratch.getInt32(0),
  uint32: () => scratch.getUint32(0),
  int64: () => scratch.getBigInt64(0),
  uint64: () => scratch.getBigUint64(0),
  float32: () => scratch.getFloat32(0),
  float64: () => scratch.getFloat64(0),
};

/** Chooses once, when a plan is made, how a value is read at every visit. */
export function decoder(format: Format): Decode {
  const { type, bit = 0, words, bytes } = format;
  const swapped = bytes === "little";
  if (type === "uint16") return (view, offset) => view.getUint16(offset, swapped);
  if (type === "int16") return (view, offset) => view.getInt16(offset, swapped);
  if (type === "bool") return (view, offset) => view.getUint16(offset) !== 0;
  if (type === "bit") return (view, offset) => ((view.getUint16(offset, swapped) >> bit) & 1) === 1;
  if (type === "string") return text(wordsOf(format), swapped);
  const get = getters[type];
  const wide = wordsOf(format) === 4;
  if (words === bytes) return same(type, swapped);
  // Mixed orders: the words are put into the standard order first.
  const first = words === "big" ? 0 : wide ? 6 : 2;
  const step = words === "big" ? 2 : -2;
  return (view, offset) => {
    const from = offset + first;
    scratch.setUint16(0, view.getUint16(from, swapped));
    scratch.setUint16(2, view.getUint16(from + step, swapped));
    if (wide) {
      scratch.setUint16(4, view.getUint16(from + 2 * step, swapped));
      scratch.setUint16(6, view.getUint16(from + 3 * step, swapped));
    }
    return get();
  };
}

/** Both orders equal: the number is plainly big-endian or plainly little-endian. */
function same(type: NumberType, little: boolean): Decode {
  const plain: Readonly<Record<NumberType, Decode>> = {
    int16: (view, offset) => view.getInt16(offset, little),
    uint16: (view, offset) => view.getUint16(offset, little),
    int32: (view, offset) => view.getInt32(offset, little),
    uint32: (view, offset) => view.getUint32(offset, little),
    int64: (view, offset) => view.getBigInt64(offset, little),
    uint64: (view, offset) => view.getBigUint64(offset, little),
    float32: (view, offset) => view.getFloat32(offset, little),
    float64: (view, offset) => view.getFloat64(offset, little),
  };
  return plain[type];
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function text(words: number, swapped: boolean): Decode {
  const bytes = new Uint8Array(words * 2);
  return (view, offset) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = view.getUint8(offset + (swapped ? i ^ 1 : i));
    const end = bytes.indexOf(0);
    try {
      return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
    } catch (cause) {
      throw new Fault("ANSWER_INVALID", `${words} registers of text are not UTF-8`, { cause });
    }
  };
}

const integers: Readonly<Partial<Record<NumberType, readonly [bigint, bigint]>>> = {
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  uint16: [0n, 2n ** 16n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

/** The registers that hold a raw value, in the order of the wire. @throws {Fault} `VALUE_INVALID` when it does not fit. */
export function encode(raw: Raw, format: Format): readonly number[] {
  const { type, words, bytes } = format;
  if (type === "bit") throw new Fault("DEVICE_REFUSED", "a bit is written with a mask, not as a register");
  if (type === "string") return textWords(raw, wordsOf(format), bytes === "little");
  const numbers = type === "bool" ? [boolean(raw) ? 1 : 0] : numberWords(raw, type);
  if (words === "little") numbers.reverse();
  return bytes === "little" ? numbers.map(swap) : numbers;
}

/** A raw value as a bit. @throws {Fault} `VALUE_INVALID`. */
export function boolean(raw: Raw): boolean {
  if (typeof raw === "boolean") return raw;
  if (raw === 0 || raw === 1 || raw === 0n || raw === 1n) return Boolean(raw);
  throw new Fault("VALUE_INVALID", `${String(raw)} is not a boolean, 0 or 1`);
}

function numberWords(raw: Raw, type: NumberType): number[] {
  if (typeof raw !== "number" && typeof raw !== "bigint") {
    throw new Fault("VALUE_INVALID", `${type} takes a number, not a ${typeof raw}`);
  }
  const range = integers[type];
  if (range) scratch.setBigUint64(0, BigInt.asUintN(64, integer(raw, type, range)) << BigInt(64 - 16 * widths[type]));
  else if (type === "float32") setFloat32(Number(raw));
  else scratch.setFloat64(0, Number(raw));
  return Array.from({ length: widths[type] }, (_, i) => scratch.getUint16(2 * i));
}

function integer(raw: number | bigint, type: NumberType, [least, most]: readonly [bigint, bigint]): bigint {
  if (typeof raw === "number" && !Number.isInteger(raw)) {
    throw new Fault("VALUE_INVALID", `${raw} is not an integer, as ${type} needs`);
  }
  const whole = BigInt(raw);
  if (whole >= least && whole <= most) return whole;
  throw new Fault("VALUE_INVALID", `${raw} does not fit ${type}, which goes from ${least} to ${most}`);
}

/** Float32 rounds, that is its nature; what it may not do is turn a large number into infinity. */
function setFloat32(raw: number): void {
  scratch.setFloat32(0, raw);
  if (Number.isFinite(raw) && !Number.isFinite(scratch.getFloat32(0))) {
    throw new Fault("VALUE_INVALID", `${raw} does not fit float32, which goes to 3.4e38`);
  }
}

function textWords(raw: Raw, words: number, swapped: boolean): readonly number[] {
  if (typeof raw !== "string") throw new Fault("VALUE_INVALID", `string takes a text, not a ${typeof raw}`);
  const bytes = Buffer.from(raw, "utf8");
  if (bytes.includes(0)) throw new Fault("VALUE_INVALID", "a text may not contain NUL, which ends it in the device");
  if (bytes.length > words * 2) {
    throw new Fault(
      "VALUE_INVALID",
      `a text of ${bytes.length} bytes does not fit ${words} registers (${words * 2} bytes)`,
    );
  }
  const byte = (i: number) => bytes[swapped ? i ^ 1 : i] ?? 0;
  return Array.from({ length: words }, (_, i) => (byte(2 * i) << 8) | byte(2 * i + 1));
}

function swap(word: number): number {
  return ((word & 0xff) << 8) | (word >> 8);
}
