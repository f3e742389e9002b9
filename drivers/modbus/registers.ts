/**
 * Registers to raw values and back. A register is 16 bits with the high byte first; how two or four of them make a
 * number is each vendor's own choice, so both orders are given by the address.
 *
 * **Source:** Modbus Application Protocol V1.1b3, §4.2 (byte order); the order of words is not standardised.
 */
import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { type Derived, derived } from "./derived.ts";
import { type TextFormat, textDecoder, textWords } from "./text.ts";

/** What registers may hold. */
export const types = [
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "float32",
  "float64",
  "bcd16",
  "bcd32",
  "bool",
  "bit",
  "string",
  "unix32",
  "unix64",
  "unixms64",
  "datetime",
] as const;

/** The part of an address that says how the registers are read. */
export interface Format {
  readonly type: (typeof types)[number];
  readonly bit?: number | undefined;
  readonly byte?: "high" | "low" | undefined;
  readonly length?: number | undefined;
  readonly encoding?: TextFormat["encoding"] | undefined;
  readonly pad?: TextFormat["pad"] | undefined;
  readonly words: "big" | "little";
  readonly bytes: "big" | "little";
}

/** Reads one value at a byte offset of an answer. */
export type Decode = (view: DataView, offset: number) => Raw;

type NumberType = keyof typeof widths;

const widths = { int16: 1, uint16: 1, int32: 2, uint32: 2, int64: 4, uint64: 4, float32: 2, float64: 4 } as const;

/** How many registers a value takes. */
export function wordsOf({ type, length = 1 }: Pick<Format, "type" | "length">): number {
  if (type === "string") return length;
  if (isDerived(type)) return widths[derived[type].base];
  return isNumberType(type) ? widths[type] : 1;
}

/** Whether a type is a number, so that it may have sentinels. */
export function isNumeric(type: Format["type"]): boolean {
  return isNumberType(type) || isByte(type) || type.startsWith("bcd");
}

/** Whether a type is one half of a register. */
export function isByte(type: Format["type"]): type is "int8" | "uint8" {
  return type === "int8" || type === "uint8";
}

function isDerived(type: Format["type"]): type is keyof typeof derived {
  return Object.hasOwn(derived, type);
}

function isNumberType(type: Format["type"]): type is NumberType {
  return Object.hasOwn(widths, type);
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
  if (type === "string") return textDecoder(textOf(format));
  if (isByte(type)) return byteDecoder(format);
  if (isDerived(type)) return derivedDecoder(derived[type], format);
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

function byteDecoder({ type, byte = "low", bytes }: Format): Decode {
  const at = (byte === "high") === (bytes === "big") ? 0 : 1;
  return type === "int8" ? (view, offset) => view.getInt8(offset + at) : (view, offset) => view.getUint8(offset + at);
}

function derivedDecoder({ base, from }: Derived, format: Format): Decode {
  const number = decoder({ ...format, type: base });
  return (view, offset) => from(number(view, offset));
}

function textOf(format: Format): TextFormat {
  const { encoding = "utf8", pad = "nul", bytes } = format;
  return { words: wordsOf(format), swapped: bytes === "little", encoding, pad };
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
  if (type === "bit" || isByte(type)) {
    throw new Fault("DEVICE_REFUSED", `${type} is written with a mask, not as a register`);
  }
  if (type === "string") return textWords(raw, textOf(format));
  if (isDerived(type)) return encode(derived[type].to(raw), { ...format, type: derived[type].base });
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

/** A raw value as the bits of an 8-bit type. @throws {Fault} `VALUE_INVALID`. */
export function byteBits(raw: Raw, type: "int8" | "uint8"): number {
  const least = type === "int8" ? -128 : 0;
  const number = typeof raw === "bigint" ? Number(raw) : raw;
  if (typeof number === "number" && Number.isInteger(number) && number >= least && number <= least + 255) {
    return number & 0xff;
  }
  throw new Fault("VALUE_INVALID", `${String(raw)} does not fit ${type}, which goes from ${least} to ${least + 255}`);
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

function swap(word: number): number {
  return ((word & 0xff) << 8) | (word >> 8);
}
