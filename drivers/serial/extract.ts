/** Finds the field of an address in the body of a frame. */
import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { binaryReader } from "./binary.ts";
import type { Body } from "./body.ts";
import { show } from "./bytes.ts";
import { type Convert, converter } from "./convert.ts";
import { parsePattern } from "./pattern.ts";
import type { SerialAddress } from "./schema/address.ts";
import { ID } from "./schema/text.ts";

/** Takes the raw value of one property out of a body, or says why there is none. */
export type Extract = (body: Body) => Raw | Fault;

/** Readies the extraction. Undefined when the address can only be written. @param id - of the station. */
export function extractor(address: SerialAddress, id: string): Extract | undefined {
  const { regex, column, json, offset, length = 0, type, separator } = address;
  if (offset !== undefined && type !== "number" && type !== "text" && type !== "degrees")
    return binaryReader(type, offset, address.order, address.bit ?? 0);
  const convert = converter(address);
  if (regex !== undefined) return byRegex(withId(regex, id), convert);
  if (column !== undefined) return byColumn(column, separator, type === "degrees", convert);
  if (json !== undefined)
    return byJson(
      json.split(/[.[\]]+/).filter((key) => key !== ""),
      convert,
      address,
    );
  if (offset === undefined) return undefined;
  return ({ bytes, text }) => {
    if (bytes.length < offset + length) return lacking(text, `has no bytes ${offset} to ${offset + length - 1}`);
    // Fields of a fixed width are filled up with spaces.
    return convert(bytes.toString("latin1", offset, offset + length).trim(), "");
  };
}

/** A pattern for one station: `{id}` is what the station is called, taken literally. */
export function withId(source: string, id: string): string {
  return source.replace(ID, () => `(?:${id.replace(/[^\w]/g, "\\$&")})`);
}

/** Groups are found by number: named ones cost V8 an object per match, a third of the time. */
function byRegex(source: string, convert: Convert): Extract {
  const { groups } = parsePattern(source);
  const regex = new RegExp(source);
  const value = groups.get("value") ?? 0;
  const hemisphere = groups.get("hemisphere") ?? 0;
  return ({ text }) => {
    const match = regex.exec(text);
    if (!match) return lacking(text, "does not match the pattern");
    return convert(match[value] ?? "", hemisphere === 0 ? "" : (match[hemisphere] ?? ""));
  };
}

function byColumn(column: number, separator: string, isDegrees: boolean, convert: Convert): Extract {
  return ({ text }) => {
    const from = columnAt(text, column, separator);
    if (from < 0) return lacking(text, `has no column ${column}`);
    const end = endOf(text, from, separator);
    const next = isDegrees && end < text.length ? end + separator.length : text.length;
    return convert(unquoted(text.slice(from, end)), text.slice(next, endOf(text, next, separator)));
  };
}

function columnAt(text: string, column: number, separator: string): number {
  let from = 0;
  for (let i = 0; i < column; i++) {
    const end = endOf(text, from, separator);
    if (end >= text.length) return -1;
    from = end + separator.length;
  }
  return from;
}

/** Where a column ends. In quotes, the separator is a character like others, and a quote is written twice. */
function endOf(text: string, from: number, separator: string): number {
  let start = from;
  while (text[start] === '"') {
    const quote = text.indexOf('"', start + 1);
    if (quote < 0) return text.length;
    start = quote + 1;
  }
  const end = text.indexOf(separator, start);
  return end < 0 ? text.length : end;
}

function unquoted(text: string): string {
  return text.startsWith('"') && text.endsWith('"') && text.length > 1 ? text.slice(1, -1).replace(/""/g, '"') : text;
}

function byJson(path: readonly string[], convert: Convert, { type, map }: SerialAddress): Extract {
  return ({ text }) => {
    let found: unknown;
    try {
      found = JSON.parse(text);
    } catch {
      return lacking(text, "is no JSON");
    }
    for (const key of path) {
      if (typeof found !== "object" || found === null || !Object.hasOwn(found, key))
        return lacking(text, `has no ${path.join(".")}`);
      found = (found as Record<string, unknown>)[key];
    }
    if (typeof found === "string") return convert(found, "");
    if (map && (typeof found === "number" || typeof found === "boolean")) return convert(String(found), "");
    if (type === "text") return JSON.stringify(found);
    if (typeof found === "number" || typeof found === "boolean") return found;
    return lacking(text, `has no single value at ${path.join(".")}`);
  };
}

function lacking(text: string, what: string): Fault {
  return new Fault("ANSWER_INVALID", `the frame ${show(text)} ${what}`);
}
