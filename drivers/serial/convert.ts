/** Makes raw values of the texts in which devices print them. */
import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { show } from "./bytes.ts";
import type { SerialAddress } from "./schema/address.ts";

/** Makes a raw value of a text, or says why not. @param hemisphere - `N`, `S`, `E` or `W`, for degrees. */
export type Convert = (text: string, hemisphere: string) => Raw | Fault;

/** Scales print the sign in the first column and fill up with spaces, so these may stand between it and the digits. */
const number = /^ *([+-]?) *((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?) *$/;
const degrees = /^(\d{1,3})(\d\d(?:\.\d+)?)$/;

/** Readies the conversion of an address. */
export function converter({ type, base, decimal, map }: SerialAddress): Convert {
  if (map) {
    const meanings = new Map(Object.entries(map));
    return (text) => meanings.get(text.trim()) ?? unknown(text, [...meanings.keys()]);
  }
  if (type === "text") return (text) => text;
  if (type === "degrees") return toDegrees;
  if (base !== 10) return (text) => toInteger(text.trim(), base);
  return decimal === "," ? (text) => toNumber(text, swapComma(text)) : (text) => toNumber(text, text);
}

function toNumber(text: string, dotted: string): Raw | Fault {
  const [, sign, digits = ""] = number.exec(dotted) ?? [];
  if (sign === undefined) return text.trim() === "" ? missing() : invalid(text, "is no number");
  const value = sign === "-" ? -Number(digits) : Number(digits);
  if (!Number.isFinite(value)) return invalid(text, "is too large");
  // A double would lie by some units, so what is an integer beyond 2^53 stays one.
  return Number.isSafeInteger(value) || !/^\d+$/.test(digits) ? value : BigInt(sign === "-" ? `-${digits}` : digits);
}

/** `1,5` as `1.5`; with a point in it already, the text is no number here. */
function swapComma(text: string): string {
  return text.includes(".") ? "?" : text.replace(",", ".");
}

function toInteger(text: string, base: number): Raw | Fault {
  if (text === "") return missing();
  const isNegative = text.startsWith("-");
  let value = 0n;
  for (const character of isNegative ? text.slice(1) : text) {
    const digit = Number.parseInt(character, base);
    if (Number.isNaN(digit)) return invalid(text, `is no number of base ${base}`);
    value = value * BigInt(base) + BigInt(digit);
  }
  if (text === "-" || text.length > 64) return invalid(text, `is no number of base ${base}`);
  const signed = isNegative ? -value : value;
  return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
}

/**
 * Degrees and minutes as decimal degrees, north and east positive: `4807.038` and `N` are 48.1173.
 * **Source:** NMEA 0183, field types: latitude `llll.ll` and longitude `yyyyy.yy`, each followed by its hemisphere.
 */
function toDegrees(text: string, hemisphere: string): Raw | Fault {
  if (text === "") return missing();
  const [, whole = "", minutes = ""] = degrees.exec(text) ?? [];
  const limit = hemisphere === "N" || hemisphere === "S" ? 90 : hemisphere === "E" || hemisphere === "W" ? 180 : -1;
  const value = Number(whole) + Number(minutes) / 60;
  if (whole === "" || Number(minutes) >= 60 || value > limit)
    return invalid(`${text} ${hemisphere}`, "are no degrees and minutes of a hemisphere");
  const rounded = Math.round(value * 1e9) / 1e9;
  return hemisphere === "S" || hemisphere === "W" ? -rounded : rounded;
}

function unknown(text: string, known: readonly string[]): Fault {
  if (text.trim() === "") return missing();
  return invalid(text, `is none of ${known.join(", ")}`);
}

/** The device says that it has no value, as a GPS does without a fix. */
function missing(): Fault {
  return new Fault("DEVICE_REFUSED", "the device leaves the value empty");
}

function invalid(text: string, what: string): Fault {
  return new Fault("ANSWER_INVALID", `${show(text)} ${what}`);
}
