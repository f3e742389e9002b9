/**
 * What is sent, as text with places: `{id}` the station's, `{value}` with its form, `{checksum}` over what stands before.
 *
 * The form of a value is `[0][width][.decimals][x|X]`: `{value:06.1}` makes `0021.5` of 21.5, `{value:04X}` makes `00FF`
 * of 255, `{value:d}` takes integers alone. A brace that is meant as such is written twice.
 */
import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { show } from "./bytes.ts";
import { place, type Sum } from "./sum.ts";

const places = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;
const form = /^value(?::(0?)(\d{0,2})(?:\.(\d{1,2}))?([dxX]?))?$/;

/** Why a text is no template; undefined when it is one. */
export function templateProblem(text: string, takesValue: boolean): string | undefined {
  let values = 0;
  for (const [all, name] of text.matchAll(places)) {
    if (all === "{{" || all === "}}") continue;
    if (name === undefined) return `${all} stands alone: write ${all}${all}`;
    if (name === "id" || name === "checksum") continue;
    if (!form.test(name)) return `{${name}} is not known: write {id}, {checksum}, {value} or {value:06.1}`;
    values++;
  }
  if (values > 0 && !takesValue) return "there is no value to send here";
  if (/[^\0-\u{10ffff}]/u.test(text)) return "it has half a character";
  return undefined;
}

/** What fills the places. */
export interface Filling {
  readonly id: string | undefined;
  readonly encoding: "latin1" | "utf8" | "hex";
  readonly sum: Sum | undefined;
  /** Absent where nothing is written. */
  readonly raw?: Raw;
}

/** The bytes to send. @throws {Fault} `VALUE_INVALID` when the value does not fit its form. */
export function render(template: string, { id, encoding, sum, raw }: Filling): Buffer {
  let sent = Buffer.alloc(0);
  let from = 0;
  const add = (text: string) => {
    sent = Buffer.concat([sent, encode(text, encoding)]);
  };
  let pending = "";
  for (const match of template.matchAll(places)) {
    const [all, name = ""] = match;
    pending += template.slice(from, match.index);
    from = match.index + all.length;
    if (all === "{{" || all === "}}") pending += all[0];
    else if (name === "id") pending += id ?? "";
    else if (name === "checksum") {
      add(pending);
      pending = "";
      if (sum) sent = Buffer.concat([sent, place(sum, sent)]);
    } else pending += printed(name, raw);
  }
  add(pending + template.slice(from));
  return sent;
}

function encode(text: string, encoding: Filling["encoding"]): Buffer {
  if (encoding === "latin1" && /[^\0-\xff]/.test(text))
    throw new Fault("VALUE_INVALID", `${show(text)} has characters beyond Latin-1`);
  if (encoding !== "hex") return Buffer.from(text, encoding);
  const digits = text.replace(/\s/g, "");
  if (digits.length % 2 !== 0 || /[^\da-fA-F]/.test(digits))
    throw new Fault("VALUE_INVALID", `${show(text)} are no pairs of hexadecimal digits`);
  return Buffer.from(digits, "hex");
}

/** A value in its form. */
function printed(place: string, raw: Raw | undefined): string {
  const [, zero = "", width = "", decimals, kind = ""] = form.exec(place) ?? [];
  const text = body(raw, decimals, kind);
  const padded = zero && /^-?[\da-zA-Z.]+$/.test(text) ? zeros(text, Number(width)) : text.padStart(Number(width));
  if (width !== "" && padded.length > Number(width))
    throw new Fault("VALUE_INVALID", `${text} has more than the ${width} characters of {${place}}`);
  return padded;
}

function body(raw: Raw | undefined, decimals: string | undefined, kind: string): string {
  if (decimals === undefined && kind === "") return plain(raw);
  if (typeof raw === "bigint" && kind !== "") return cased(raw.toString(kind === "d" ? 10 : 16), kind);
  if (typeof raw === "bigint") return raw.toString();
  if (typeof raw === "boolean") return raw ? "1" : "0";
  if (typeof raw !== "number" || !Number.isFinite(raw) || Math.abs(raw) >= 1e21)
    throw new Fault("VALUE_INVALID", `${show(String(raw))} is no number that can be sent`);
  if (kind === "") return raw.toFixed(Number(decimals));
  if (!Number.isInteger(raw)) throw new Fault("VALUE_INVALID", `${raw} is no integer`);
  return cased(raw.toString(kind === "d" ? 10 : 16), kind);
}

/** A value without a form. Text must not end the frame and begin another, so it has no control characters. */
function plain(raw: Raw | undefined): string {
  if (typeof raw === "number" && (!Number.isFinite(raw) || Math.abs(raw) >= 1e21))
    throw new Fault("VALUE_INVALID", `${raw} can not be sent`);
  if (typeof raw === "number") return decimal(raw);
  const text = String(raw ?? "");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to be refused.
  if (/[\x00-\x1f\x7f]/.test(text)) throw new Fault("VALUE_INVALID", `${show(text)} has control characters`);
  return text;
}

/** A number without an exponent. */
function decimal(number: number): string {
  const text = String(number);
  return text.includes("e") ? number.toFixed(20).replace(/0+$/, "") : text;
}

function cased(digits: string, kind: string): string {
  return kind === "X" ? digits.toUpperCase() : digits;
}

function zeros(text: string, width: number): string {
  return text.startsWith("-") ? `-${text.slice(1).padStart(width - 1, "0")}` : text.padStart(width, "0");
}
