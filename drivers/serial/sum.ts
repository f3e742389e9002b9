/** Where a frame carries its checksum, and what the checksum covers. */
import { checksums } from "./checksum.ts";
import type { SumRule } from "./schema/framing.ts";

/** A checksum rule, ready for use. */
export interface Sum {
  readonly rule: SumRule;
  readonly mark: Buffer;
  /** Bytes of the checksum in a frame. */
  readonly size: number;
}

/** Readies a rule. */
export function sumOf(rule: SumRule): Sum {
  const { width } = checksums[rule.name];
  return { rule, mark: Buffer.from(rule.mark ?? "", "latin1"), size: rule.form === "hex" ? 2 * width : width };
}

/** Where what the checksum covers ends, before the mark; -1 when the checksum is wrong or missing. */
export function check({ rule, mark, size }: Sum, frame: Buffer): number {
  const end = frame.length - rule.tail;
  const from = rule.mark === undefined ? end - size : frame.lastIndexOf(mark) + mark.length;
  const covered = from - mark.length;
  if (covered < rule.skip || from < mark.length || from + size !== end) return -1;
  const { of, width } = checksums[rule.name];
  const said = rule.form === "hex" ? hexAt(frame, from, size) : binaryAt(frame, from, width, rule.order);
  const expected = of(frame, rule.skip, covered);
  return said === (rule.form === "hex" ? inOrder(expected, width, rule.order) : expected) ? covered : -1;
}

/** The checksum that follows what is sent already; a mark at its end is not covered. */
export function place({ rule, mark, size }: Sum, sent: Buffer): Buffer {
  const { of, width } = checksums[rule.name];
  const value = of(sent, rule.skip, sent.length - mark.length);
  const ordered = inOrder(value, width, rule.order);
  if (rule.form === "hex") return Buffer.from(ordered.toString(16).toUpperCase().padStart(size, "0"), "latin1");
  const bytes = Buffer.alloc(width);
  bytes.writeUIntBE(ordered, 0, width);
  return bytes;
}

function binaryAt(frame: Buffer, at: number, width: number, order: "big" | "little"): number {
  return order === "big" ? frame.readUIntBE(at, width) : frame.readUIntLE(at, width);
}

/** A number as its bytes are sent: turned round when the low one comes first. */
function inOrder(value: number, width: number, order: "big" | "little"): number {
  if (order === "big" || width === 1) return value;
  const bytes = Buffer.alloc(width);
  bytes.writeUIntLE(value, 0, width);
  return bytes.readUIntBE(0, width);
}

/** A number in hexadecimal digits; NaN when there are others. */
function hexAt(frame: Buffer, at: number, size: number): number {
  let value = 0;
  for (let i = at; i < at + size; i++) value = value * 16 + digit(frame[i] ?? 0);
  return value;
}

function digit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : Number.NaN;
}
