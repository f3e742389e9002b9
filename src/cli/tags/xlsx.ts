/** Workbooks of spreadsheets as records. The packages that know them are loaded when there is one. */
import { Fault } from "#std/fault";
import { isRemark, type Sheet, type SheetRow } from "./sheet.ts";

/** Whether a file is a workbook, by its name. */
export function isWorkbook(file: string): boolean {
  return /\.xlsx$/i.test(file);
}

/**
 * Reads the first sheet of a workbook; `line` is the row as the spreadsheet counts it. Empty rows are left out, and
 * empty cells at the end of a row. A formula counts as what it gave last.
 * @throws {Fault} `CONFIG_INVALID` when it is none.
 */
export async function parseWorkbook(bytes: Buffer, file: string): Promise<Sheet> {
  const { readSheet } = await import("read-excel-file/node");
  const rows = await readSheet(bytes, 1, { trim: false }).catch((cause: unknown) => {
    throw new Fault("CONFIG_INVALID", `${file} can not be read as a workbook`, {
      cause,
      hint: "Save it as .xlsx without a password, or as CSV (UTF-8).",
    });
  });
  return { rows: rows.flatMap((row, i) => rowOf(row, i + 1)) };
}

/** A spreadsheet makes a date of `1-2` or `3/4` unasked; what was written is lost then. */
function rowOf(row: readonly unknown[], line: number): readonly SheetRow[] {
  const cells = row.map((value) => (value === null || value === undefined ? "" : String(value)));
  const length = cells.findLastIndex((cell) => cell !== "") + 1;
  if (length === 0) return [];
  const dates = row.flatMap((value, i) => (value instanceof Date ? [i] : []));
  const why = "the spreadsheet made a date of it; format the cell as text and write it again";
  const refused = dates.length === 0 ? {} : { refused: new Map(dates.map((i) => [i, why])) };
  return [{ line, cells: cells.slice(0, length), ...refused }];
}

/** Writes records as a workbook of one sheet, whose head stays in sight. */
export async function printWorkbook(rows: readonly (readonly string[])[]): Promise<Buffer> {
  const { default: writeWorkbook } = await import("write-excel-file/node");
  const [head = [], ...rest] = rows;
  const sheet = [
    head.map((name) => ({ value: escaped(name), type: String, fontWeight: "bold" as const })),
    ...rest.map((cells, i) => (isRemark({ line: i, cells }) ? cells.map(remarkOf) : cells.map(cellOf))),
  ];
  const columns = head.map((_, i) => ({ width: widthOf(rows.map((row) => row[i] ?? "")) }));
  return await writeWorkbook(sheet, { sheet: "devices", stickyRowsCount: 1, columns }).toBuffer();
}

const WIDEST = 32;

/** In characters. */
function widthOf(cells: readonly string[]): number {
  return Math.min(WIDEST, Math.max(...cells.map(({ length }) => length)) + 2);
}

function remarkOf(cell: string) {
  return cell === "" ? null : { value: escaped(cell), type: String, fontStyle: "italic" as const };
}

/**
 * Numbers as numbers, so that a spreadsheet can count on; only those that come back as the same text. Spreadsheets keep 15
 * digits, and nothing below the smallest normal number.
 */
function cellOf(cell: string): string | number | null {
  if (cell === "") return null;
  const number = Number(cell);
  const isKept = Number(number.toPrecision(15)) === number && (number === 0 || Math.abs(number) > 1e-300);
  return Number.isFinite(number) && isKept && String(number) === cell ? number : escaped(cell);
}

/**
 * Workbooks take `_x0041_` for a letter by its code. The packages look texts up in plain objects, where some names seem to
 * be there already, such as `constructor`: those are written with a letter by its code.
 */
function escaped(cell: string): string {
  const text = cell.replace(/_(?=x[0-9a-f]{4}_)/gi, "_x005F_");
  if (!(text in Object.prototype)) return text;
  return `_x${text.charCodeAt(0).toString(16).padStart(4, "0")}_${text.slice(1)}`;
}
