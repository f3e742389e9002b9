import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { type BuiltIn, builtIn, type VariantLike } from "./types.ts";

/** What a node takes. **Source:** OPC 10000-3 v1.05, §5.6.2 (DataType and ValueRank of a Variable). */
export interface Wanted {
  readonly type: BuiltIn;
  /** -1 one value; 1 or more a list or matrix; the others leave it open. */
  readonly rank: number;
}

const ranges: Partial<Readonly<Record<BuiltIn, readonly [bigint, bigint]>>> = {
  SByte: [-128n, 127n],
  Byte: [0n, 255n],
  Int16: [-32768n, 32767n],
  UInt16: [0n, 65535n],
  Int32: [-(2n ** 31n), 2n ** 31n - 1n],
  UInt32: [0n, 2n ** 32n - 1n],
  Int64: [-(2n ** 63n), 2n ** 63n - 1n],
  UInt64: [0n, 2n ** 64n - 1n],
};

const GREATEST_FLOAT = 3.4028234663852886e38;
const guid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;
const base64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;

/**
 * A raw value as the variant that the node wants. Lists come as JSON text.
 * @throws {Fault} `VALUE_INVALID` when it is of another type or out of the type's range.
 */
export function variantOf(raw: Raw, { type, rank }: Wanted): VariantLike {
  const items = rank === -1 ? undefined : listOf(raw);
  if (rank > 0 && !items) throw unfit(raw, `a list of ${type}, as JSON`);
  const dataType = builtIn[type];
  if (!items) return { dataType, arrayType: 0, value: encode(raw, type) };
  const dimensions = rank > 1 ? shapeOf(items) : undefined;
  const flat = dimensions ? items.flat(dimensions.length - 1) : items;
  const value = flat.map((item) => encode(item as Raw, type));
  return dimensions ? { dataType, arrayType: 2, value, dimensions } : { dataType, arrayType: 1, value };
}

/** Checks and converts one value. */
function encode(raw: unknown, type: BuiltIn): unknown {
  if (type in ranges) return integer(raw, type);
  switch (type) {
    case "Boolean":
      if (typeof raw === "boolean") return raw;
      if (raw === 0 || raw === 1) return raw === 1;
      throw unfit(raw, "true or false");
    case "Float":
    case "Double":
      return real(raw, type);
    case "DateTime":
      return time(raw);
    case "ByteString":
      if (typeof raw === "string" && base64.test(raw)) return Buffer.from(raw, "base64");
      throw unfit(raw, "bytes as base64");
    case "Guid":
      if (typeof raw === "string" && guid.test(raw)) return raw;
      throw unfit(raw, "a GUID");
    case "LocalizedText":
      return { text: text(raw, type), locale: null };
    case "QualifiedName":
      return { name: text(raw, type), namespaceIndex: 0 };
    case "String":
    case "XmlElement":
    case "NodeId":
    case "ExpandedNodeId":
      return text(raw, type);
    default:
      throw new Fault("VALUE_INVALID", `a ${type} can not be written`);
  }
}

function integer(raw: unknown, type: BuiltIn): unknown {
  const number = whole(raw);
  const [least, most] = ranges[type] ?? [0n, 0n];
  if (number === undefined) throw unfit(raw, `an integer (${type})`);
  if (number < least || number > most) throw unfit(raw, `${least} to ${most} (${type})`);
  if (type !== "Int64" && type !== "UInt64") return Number(number);
  const bits = BigInt.asUintN(64, number);
  return [Number(bits >> 32n), Number(bits & 0xffffffffn)];
}

function whole(raw: unknown): bigint | undefined {
  if (typeof raw === "bigint") return raw;
  if (typeof raw === "number") return Number.isInteger(raw) ? BigInt(raw) : undefined;
  return typeof raw === "string" && /^-?\d{1,20}$/.test(raw) ? BigInt(raw) : undefined;
}

function real(raw: unknown, type: BuiltIn): number {
  const number = typeof raw === "bigint" ? Number(raw) : raw;
  if (typeof number !== "number" || Number.isNaN(number)) throw unfit(raw, `a number (${type})`);
  if (type === "Float" && Math.abs(number) > GREATEST_FLOAT) throw unfit(raw, "a number up to 3.4e38 (Float)");
  return number;
}

function time(raw: unknown): Date {
  const date = new Date(typeof raw === "bigint" ? Number(raw) : (raw as string | number));
  if ((typeof raw === "string" || typeof raw === "number") && !Number.isNaN(date.getTime())) return date;
  throw unfit(raw, "a time such as 2026-01-31T12:00:00Z");
}

function text(raw: unknown, type: BuiltIn): string {
  if (typeof raw === "string") return raw;
  throw unfit(raw, `text (${type})`);
}

function listOf(raw: Raw): readonly unknown[] | undefined {
  if (typeof raw !== "string" || !raw.trimStart().startsWith("[")) return undefined;
  try {
    return JSON.parse(raw) as readonly unknown[];
  } catch {
    return undefined;
  }
}

/** The lengths of a matrix. @throws {Fault} `VALUE_INVALID` when its rows differ in length. */
function shapeOf(items: readonly unknown[]): readonly number[] {
  const [first] = items;
  if (!Array.isArray(first)) return [items.length];
  const inner = shapeOf(first);
  for (const item of items) {
    if (!Array.isArray(item) || shapeOf(item).join() !== inner.join())
      throw new Fault("VALUE_INVALID", "the rows of the matrix differ in length");
  }
  return [items.length, ...inner];
}

function unfit(raw: unknown, wanted: string): Fault {
  const shown = typeof raw === "string" ? JSON.stringify(raw.slice(0, 60)) : String(raw);
  return new Fault("VALUE_INVALID", `${shown} does not fit: the node takes ${wanted}`);
}
