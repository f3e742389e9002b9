/** Values in cells of a table, and records in columns such as `link.host`. */
import { problems, type Schema } from "#std/schema";

/** How cells are written where they come from. */
export interface Manner {
  /** `0,5` is a number: in files of offices that separate cells by semicolons. */
  readonly decimalComma?: boolean;
}

/**
 * A cell as a value: numbers, true, false and JSON are what they look like, everything else is text. Spreadsheets write
 * `TRUE` and `1E-05`.
 */
export function parseCell(cell: string, { decimalComma = false }: Manner = {}): unknown {
  if (/^(true|false)$/i.test(cell)) return cell.toLowerCase() === "true";
  const text = decimalComma && /^-?\d+,\d+$/.test(cell) ? cell.replace(",", ".") : cell;
  const number = Number(text);
  // Numbers with zeros in front, or with more digits than a double has, are names that look like numbers.
  const isExact = Number.isFinite(number) && String(number) === text;
  if (isExact || /^-?(0|[1-9]\d{0,14})(\.\d+)?(e[+-]?\d{1,3})?$/i.test(text))
    return Number.isFinite(number) ? number : cell;
  if (!/^["[{]/.test(cell)) return cell;
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
}

/** What a spreadsheet takes for a number, date or time when it opens a CSV: `007`, `3/4`, `1-2`, `12:30`. No IP address. */
const TEMPTING = /^[+-]?\d(?!\d*(?:\.\d+){3}$)[\d.,:/ -]*$/;

/** The cell of a value; `parseCell` gives it back. In quotes it stays text in every spreadsheet. */
export function printCell(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value !== "string") return JSON.stringify(value);
  return parseCell(value) === value && !TEMPTING.test(value) ? value : JSON.stringify(value);
}

/** A cell of a column of numbers; one that is none stays text, and is refused by its name later. */
export function parseNumber(cell: string, { decimalComma = false }: Manner = {}): number | string {
  const text = decimalComma ? cell.replace(/^([+-]?\d*),(\d+)/, "$1.$2") : cell;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text)) ? Number(text) : cell;
}

/**
 * The record of all columns below a name: `{ host, port }` of `link.host` and `link.port`. Empty cells are left out. A
 * cell that looks like a number stays text where the schema takes nothing else: `0403`, `6001`.
 */
export function recordOf(
  cells: ReadonlyMap<string, string>,
  name: string,
  schema?: Schema<unknown>,
  manner: Manner = {},
): Record<string, unknown> {
  const mine = [...cells].filter(([column, cell]) => column.startsWith(`${name}.`) && cell !== "");
  const asText = new Set<string>();
  const build = () => {
    const record: Record<string, unknown> = {};
    for (const [column, cell] of mine) put(record, pathOf(column), asText.has(column) ? cell : parseCell(cell, manner));
    return record;
  };
  let record = build();
  if (!schema) return record;
  let count = problems(schema, record).length;
  for (const [column, cell] of mine) {
    if (count === 0) break;
    if (typeof parseCell(cell, manner) === "string") continue;
    asText.add(column);
    const next = build();
    const left = problems(schema, next).length;
    if (left < count) [record, count] = [next, left];
    else asText.delete(column);
  }
  return record;
}

/** The columns of a record, one for each of its leaves. */
export function columnsOf(record: unknown, name: string): readonly (readonly [column: string, cell: string])[] {
  if (!isRecord(record) || Object.keys(record).length === 0) return [];
  return Object.entries(record).flatMap(([key, value]) => {
    const column = `${name}.${key}`;
    return isRecord(value) && Object.keys(value).length > 0
      ? columnsOf(value, column)
      : [[column, printCell(value)] as const];
  });
}

const PAIR = /\s*([^=;\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*?)\s*(?:;|$)/y;

/** `pump=true; speed=20` as a record, in this order; also written as JSON. Undefined when it is neither. */
export function parsePairs(cell: string, manner: Manner = {}): Record<string, unknown> | undefined {
  if (cell.startsWith("{")) {
    const value = parseCell(cell);
    return isRecord(value) ? value : undefined;
  }
  const pairs: [string, unknown][] = [];
  PAIR.lastIndex = 0;
  while (PAIR.lastIndex < cell.length) {
    const [, name = "", value = ""] = PAIR.exec(cell) ?? [];
    if (name === "" || value === "") return undefined;
    pairs.push([name, parseCell(value, manner)]);
  }
  return Object.fromEntries(pairs);
}

/** The cell of a record of values; `parsePairs` gives it back. */
export function printPairs(record: Readonly<Record<string, unknown>>): string {
  const text = Object.entries(record)
    .map(([name, value]) => `${name}=${printCell(value)}`)
    .join("; ");
  const again = parsePairs(text);
  return JSON.stringify(again) === JSON.stringify(record) ? text : JSON.stringify(record);
}

function pathOf(column: string): readonly string[] {
  return column.split(".").slice(1);
}

function put(record: Record<string, unknown>, [key = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    // `__proto__` as a column is a field like any other.
    Object.defineProperty(record, key, { value, enumerable: true, writable: true, configurable: true });
    return;
  }
  const inner = Object.hasOwn(record, key) && isRecord(record[key]) ? record[key] : {};
  put(inner, rest, value);
  put(record, [key], inner);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
