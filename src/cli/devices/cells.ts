/** Values in cells of a table, and records in columns such as `link.host`. */

/** A cell as a value: numbers, true, false and JSON are what they look like, everything else is text. */
export function parseCell(cell: string): unknown {
  if (cell === "true" || cell === "false") return cell === "true";
  const number = Number(cell);
  // Numbers with zeros in front, or with more digits than a double has, are names that look like numbers.
  const isExact = Number.isFinite(number) && String(number) === cell;
  if (isExact || /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(cell)) return number;
  if (!/^["[{]/.test(cell)) return cell;
  try {
    return JSON.parse(cell);
  } catch {
    return cell;
  }
}

/** The cell of a value; `parseCell` gives it back. */
export function printCell(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value !== "string") return JSON.stringify(value);
  return parseCell(value) === value ? value : JSON.stringify(value);
}

/** The record of all columns below a name: `{ host, port }` of `link.host` and `link.port`. Empty cells are left out. */
export function recordOf(cells: ReadonlyMap<string, string>, name: string): Record<string, unknown> {
  const record: Record<string, unknown> = {};
  for (const [column, cell] of cells) {
    if (!column.startsWith(`${name}.`) || cell === "") continue;
    put(record, column.slice(name.length + 1).split("."), parseCell(cell));
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
