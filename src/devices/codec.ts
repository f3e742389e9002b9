import { Fault } from "#std/fault";
import type { Raw } from "./driver.ts";
import type { PropertySpec } from "./model.ts";
import { equal, type Quality, type Value } from "./value.ts";

/** What a codec needs to know of a property. */
export type Coded = Pick<PropertySpec, "name" | "type" | "scale" | "offset" | "minimum" | "maximum" | "resolution">;

/** A raw value made sense of. */
export interface Decoded {
  readonly value: Value | undefined;
  readonly quality: Quality;
  readonly reason?: string;
}

/** Turns what the driver read into the property's value. A value that makes no sense is bad, never good. */
export function decode(property: Coded, raw: Raw): Decoded {
  switch (property.type) {
    case "number":
    case "integer":
      return typeof raw === "number" ? decodeNumber(property, raw) : decodeOther(property, raw);
    case "boolean":
      if (typeof raw === "boolean") return good(raw);
      if (raw === 0 || raw === 1) return good(raw === 1);
      return bad(`${String(raw)} is no boolean`);
    case "string":
    case "bytes":
      return typeof raw === "string" ? good(raw) : good(String(raw));
    case "json":
      return decodeJson(raw);
  }
}

function decodeNumber(property: Coded, raw: number): Decoded {
  const { scale = 1, offset = 0 } = property;
  const isPlain = scale === 1 && offset === 0;
  const exact = isPlain ? raw : trim(raw * scale + offset, Math.max(Math.abs(raw * scale), Math.abs(offset)));
  if (!Number.isFinite(exact)) return bad(`${raw} is no number`);
  const value = property.type === "integer" ? Math.round(exact) : exact;
  return judge(property, value, value);
}

function decodeOther(property: Coded, raw: Exclude<Raw, number>): Decoded {
  if (typeof raw === "bigint") return decodeBig(property, raw);
  if (typeof raw === "boolean") return decodeNumber(property, raw ? 1 : 0);
  const number = raw.trim() === "" ? Number.NaN : Number(raw);
  if (!Number.isFinite(number)) return bad(`"${raw.slice(0, 40)}" is no number`);
  const isWhole = property.type === "integer" && /^\s*-?\d+\s*$/.test(raw);
  return isWhole ? decodeBig(property, BigInt(raw)) : decodeNumber(property, number);
}

function decodeBig(property: Coded, raw: bigint): Decoded {
  const { scale = 1, offset = 0 } = property;
  if (Number.isSafeInteger(Number(raw)) || scale !== 1 || offset !== 0) return decodeNumber(property, Number(raw));
  // Beyond 2^53 a double would lie by some units, so the exact digits travel as text.
  return judge(property, raw, raw.toString());
}

function judge({ minimum, maximum }: Coded, number: number | bigint, value: Value): Decoded {
  if (minimum !== undefined && number < minimum) return uncertain(value, `below the minimum ${minimum}`);
  if (maximum !== undefined && number > maximum) return uncertain(value, `above the maximum ${maximum}`);
  return good(value);
}

function decodeJson(raw: Raw): Decoded {
  if (typeof raw !== "string") return good(typeof raw === "bigint" ? raw.toString() : raw);
  try {
    return good(JSON.parse(raw) as Value);
  } catch {
    return bad("the text is no JSON");
  }
}

/**
 * Turns a desired value into what the driver writes.
 * @throws {Fault} `VALUE_INVALID` when it is not of the property's type, `VALUE_OUT_OF_RANGE` when it is beyond the limits.
 */
export function encode(property: Coded, value: Value): Raw {
  const { name, type, minimum, maximum, scale = 1, offset = 0 } = property;
  switch (type) {
    case "boolean":
      if (typeof value !== "boolean") throw invalid(property, value, "true or false");
      return value;
    case "string":
    case "bytes":
      if (typeof value !== "string") throw invalid(property, value, "text");
      return value;
    case "json":
      return JSON.stringify(value);
    case "integer":
    case "number": {
      const number = type === "integer" && isDigits(value) ? BigInt(value) : value;
      if (typeof number !== "bigint" && (typeof number !== "number" || !Number.isFinite(number)))
        throw invalid(property, value, `a ${type}`);
      if (type === "integer" && typeof number === "number" && !Number.isInteger(number))
        throw invalid(property, value, "an integer");
      if ((minimum !== undefined && number < minimum) || (maximum !== undefined && number > maximum)) {
        const limits = `${minimum ?? "-∞"} to ${maximum ?? "∞"}`;
        throw new Fault("VALUE_OUT_OF_RANGE", `${name} can not be ${value}: its range is ${limits}`, { limits });
      }
      if (scale === 1 && offset === 0) return number;
      const largest = Math.max(Math.abs(Number(number)), Math.abs(offset)) / Math.abs(scale);
      return trim((Number(number) - offset) / scale, largest);
    }
  }
}

/** An integer that is too large for a double, as people and JSON write it. */
function isDigits(value: Value): value is string {
  return typeof value === "string" && /^-?(0|[1-9]\d{0,19})$/.test(value);
}

/** Whether a desired and a reported value are the same at the property's resolution. */
export function same(property: Coded, desired: Value, reported: Value): boolean {
  if (typeof desired === "number" && typeof reported === "number") {
    if (property.resolution !== undefined) {
      return Math.round(desired / property.resolution) === Math.round(reported / property.resolution);
    }
    // A 32-bit float on the way rounds to 7 digits; an integer that is rounded is another one.
    return desired === reported || (property.type !== "integer" && Math.fround(desired) === Math.fround(reported));
  }
  if (typeof desired !== typeof reported) return String(desired) === String(reported);
  return equal(desired, reported);
}

/**
 * Takes the noise of binary fractions away: 214 * 0.1 is 21.4, not 21.400000000000002. Noise is what is 14 digits below
 * the largest number that took part.
 */
function trim(number: number, largest: number): number {
  const places = 14 - Math.ceil(Math.log10(largest));
  return Number(number.toFixed(Math.min(Math.max(places, 0), 100)));
}

function good(value: Value): Decoded {
  return { value, quality: "good" };
}

function uncertain(value: Value, reason: string): Decoded {
  return { value, quality: "uncertain", reason };
}

function bad(reason: string): Decoded {
  return { value: undefined, quality: "bad", reason };
}

function invalid({ name }: Coded, value: Value, wanted: string): Fault {
  return new Fault("VALUE_INVALID", `${name} can not be ${JSON.stringify(value)}: it takes ${wanted}`);
}
