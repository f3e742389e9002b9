import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { builtIn, nameOfType, type VariantLike } from "./types.ts";

/** How deep structures may lie in each other. A server that nests deeper is broken or means harm. */
const DEEPEST = 64;

/** JSON as it will be printed. */
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * A variant as a raw value: one number, text or bit as itself, lists and structures as JSON text. 64-bit integers stay
 * exact, bytes are base64, times ISO 8601, texts in several languages the text alone, enumerations their number.
 * A fault says why there is no value.
 *
 * @param isElement - one element was asked for; servers answer with a list of one.
 * **Source:** OPC 10000-6 v1.05, §5.2.2.16 (Variant) and §5.4 (the JSON of structures).
 */
export function rawOf(variant: VariantLike | undefined, isElement = false): Raw | Fault {
  if (!variant || variant.dataType === 0 || variant.value === null || variant.value === undefined)
    return new Fault("ANSWER_INVALID", "the server gives no value");
  const { dataType, arrayType, value, dimensions } = variant;
  if (!nameOfType(dataType)) return new Fault("ANSWER_INVALID", `type ${dataType} is unknown`);
  try {
    if (arrayType === 0) return scalarOf(dataType, value);
    const list = value as ArrayLike<unknown>;
    if (isElement && list.length === 1) return scalarOf(dataType, list[0]);
    const items = Array.from(list, (item) => jsonOf(dataType, item, 0));
    return JSON.stringify(arrayType === 2 && dimensions ? nest(items, dimensions) : items);
  } catch (error) {
    if (Fault.is(error)) return error;
    throw error;
  }
}

function scalarOf(dataType: number, value: unknown): Raw {
  if (dataType === builtIn.Int64 || dataType === builtIn.UInt64) return wide(value, dataType === builtIn.Int64);
  const json = typeof value === "number" ? value : jsonOf(dataType, value, 0);
  if (json === null) throw new Fault("ANSWER_INVALID", "the server gives no value");
  return typeof json === "object" ? JSON.stringify(json) : json;
}

/** One value of a built-in type as JSON. */
function jsonOf(dataType: number, value: unknown, depth: number): Json {
  if (depth > DEEPEST) throw new Fault("ANSWER_INVALID", `the structure is more than ${DEEPEST} levels deep`);
  if (value === null || value === undefined) return null;
  switch (dataType) {
    case builtIn.Int64:
    case builtIn.UInt64:
      return wide(value, dataType === builtIn.Int64).toString();
    case builtIn.Boolean:
      return value === true;
    case builtIn.DateTime:
      return value instanceof Date ? value.toISOString() : String(value);
    case builtIn.ByteString:
      return Buffer.from(value as Uint8Array).toString("base64");
    case builtIn.LocalizedText:
      return (value as { readonly text?: string | null }).text ?? "";
    case builtIn.QualifiedName:
      return qualifiedName(value as { readonly namespaceIndex?: number; readonly name?: string | null });
    case builtIn.StatusCode:
      return (value as { readonly name: string }).name;
    case builtIn.ExtensionObject:
      return structure(value, depth);
    case builtIn.Variant:
      return variantJson(value as VariantLike, depth + 1);
    case builtIn.DataValue:
      return variantJson((value as { readonly value?: VariantLike }).value, depth + 1);
    default:
      return typeof value === "number" ? finite(value) : String(value);
  }
}

function variantJson(variant: VariantLike | undefined, depth: number): Json {
  if (!variant || variant.dataType === 0) return null;
  if (variant.arrayType === 0) return jsonOf(variant.dataType, variant.value, depth);
  return Array.from(variant.value as ArrayLike<unknown>, (item) => jsonOf(variant.dataType, item, depth));
}

/** The fields of a structure, as the stack's decoder describes them. */
interface Structure {
  applyOnAllFields(visit: (object: Structure, field: Field) => void, data: undefined): void;
  readonly [field: string]: unknown;
}
interface Field {
  readonly name: string;
  readonly fieldType: string;
  readonly category: string;
  readonly isArray?: boolean;
  readonly schema?: { readonly name?: string; readonly subType?: string };
}

function structure(value: unknown, depth: number): Json {
  const object = value as Structure;
  if (typeof object.applyOnAllFields !== "function")
    throw new Fault("ANSWER_INVALID", "the server does not describe this structure");
  const json: Record<string, Json> = {};
  object.applyOnAllFields((_, field) => {
    const content = object[field.name];
    if (content === undefined) return;
    const one = (item: unknown) => fieldJson(field, item, depth + 1);
    json[field.name] =
      field.isArray && content !== null ? Array.from(content as ArrayLike<unknown>, one) : one(content);
  }, undefined);
  return json;
}

function fieldJson({ category, fieldType, schema }: Field, value: unknown, depth: number): Json {
  if (value === null || value === undefined) return null;
  if (category === "complex") return jsonOf(builtIn.ExtensionObject, value, depth);
  if (category === "enumeration") return typeof value === "number" ? value : String(value);
  for (const name of [fieldType, schema?.name, schema?.subType]) {
    if (name && name in builtIn) return jsonOf(builtIn[name as keyof typeof builtIn], value, depth);
  }
  if (value instanceof Date) return jsonOf(builtIn.DateTime, value, depth);
  if (value instanceof Uint8Array) return jsonOf(builtIn.ByteString, value, depth);
  return typeof value === "number" || typeof value === "boolean" ? value : String(value);
}

/** The stack gives 64 bits as two halves, the high one first. */
function wide(value: unknown, signed: boolean): bigint {
  if (typeof value === "bigint") return value;
  if (typeof value === "number") return BigInt(value);
  const [high = 0, low = 0] = value as readonly number[];
  const bits = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  return signed ? BigInt.asIntN(64, bits) : bits;
}

/** JSON has no words for these three. **Source:** OPC 10000-6 v1.05, §5.4.2.4. */
function finite(value: number): Json {
  return Number.isFinite(value) ? value : String(value);
}

function qualifiedName({
  namespaceIndex = 0,
  name,
}: {
  readonly namespaceIndex?: number;
  readonly name?: string | null;
}) {
  return namespaceIndex === 0 ? (name ?? "") : `${namespaceIndex}:${name ?? ""}`;
}

function nest(flat: readonly Json[], [_first, ...rest]: readonly number[]): Json {
  if (rest.length === 0) return flat;
  const size = rest.reduce((product, length) => product * length, 1);
  if (size === 0) return [];
  const rows = Array.from({ length: flat.length / size }, (_, i) => flat.slice(i * size, (i + 1) * size));
  return rows.map((row) => nest(row, rest));
}
