/**
 * Rows in the format of `copy ... with (format binary)`: nothing needs an escape, and times are numbers.
 * **Source:** PostgreSQL manual, COPY, "Binary Format".
 */

/** A column of a row; null is null. */
export type Column =
  | null
  | { readonly text: string }
  | { readonly int4: number }
  | { readonly int8: number }
  | { readonly bool: boolean }
  /** Milliseconds since the Unix epoch. */
  | { readonly timestamptz: number };

const HEAD = Buffer.concat([Buffer.from("PGCOPY\n\xff\r\n\0", "latin1"), Buffer.alloc(8)]);
/** Times count from 2000. */
const EPOCH_MS = Date.UTC(2000, 0, 1);

/** The rows as one message. */
export function encodeCopy(rows: readonly (readonly Column[])[]): Buffer {
  const fields = rows.flatMap((row) => [int2(row.length), ...row.map(encode)]);
  return Buffer.concat([HEAD, ...fields, int2(-1)]);
}

/** PostgreSQL has no NUL in a text. */
export function clean(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text;
}

function encode(column: Column): Buffer {
  if (column === null) return NULL;
  if ("text" in column) {
    const text = clean(column.text);
    const length = Buffer.byteLength(text);
    const field = Buffer.allocUnsafe(4 + length);
    field.writeInt32BE(length);
    field.write(text, 4);
    return field;
  }
  if ("bool" in column) return column.bool ? TRUE : FALSE;
  const field = Buffer.allocUnsafe("int4" in column ? 8 : 12);
  field.writeInt32BE(field.length - 4);
  if ("int4" in column) field.writeInt32BE(column.int4, 4);
  else if ("int8" in column) field.writeBigInt64BE(BigInt(column.int8), 4);
  else field.writeBigInt64BE(BigInt(column.timestamptz - EPOCH_MS) * 1000n, 4);
  return field;
}

function int2(value: number): Buffer {
  const field = Buffer.allocUnsafe(2);
  field.writeInt16BE(value);
  return field;
}

const NULL = Buffer.from([255, 255, 255, 255]);
const TRUE = Buffer.from([0, 0, 0, 1, 1]);
const FALSE = Buffer.from([0, 0, 0, 1, 0]);
