/** Workbooks of spreadsheets as records. The packages that know them are loaded when there is one. */
import { Fault } from "#std/fault";
import type { CsvRecord } from "./csv.ts";

/** Whether a file is a workbook, by its name. */
export function isWorkbook(file: string): boolean {
  return /\.xlsx$/i.test(file);
}

/**
 * Reads the first sheet of a workbook; `line` is the row as the spreadsheet counts it. Empty rows are left out, and
 * empty cells at the end of a row. A formula counts as what it gave last.
 * @throws {Fault} `CONFIG_INVALID` when it is none.
 */
export async function parseWorkbook(bytes: Buffer, file: string): Promise<readonly CsvRecord[]> {
  const { readSheet } = await import("read-excel-file/node");
  const rows = await readSheet(bytes, 1, { trim: false }).catch((cause: unknown) => {
    throw new Fault("CONFIG_INVALID", `${file} can not be read as a workbook`, {
      cause,
      hint: "Save it as .xlsx without a password, or as CSV (UTF-8).",
    });
  });
  return rows.flatMap((row, i) => {
    const cells = row.map(textOf);
    const length = cells.findLastIndex((cell) => cell !== "") + 1;
    return length === 0 ? [] : [{ line: i + 1, cells: cells.slice(0, length) }];
  });
}

/** Writes records as a workbook of one sheet, whose head stays in sight. */
export async function printWorkbook(rows: readonly (readonly string[])[]): Promise<Buffer> {
  const { default: writeWorkbook } = await import("write-excel-file/node");
  const [head = [], ...rest] = rows;
  const sheet = [
    head.map((name) => ({ value: escaped(name), type: String, fontWeight: "bold" as const })),
    ...rest.map((row) => row.map(cellOf)),
  ];
  return await writeWorkbook(sheet, { sheet: "devices", stickyRowsCount: 1 }).toBuffer();
}

/** Numbers as numbers, so that a spreadsheet can count on; only those that come back as the same text. */
function cellOf(cell: string): string | number | null {
  if (cell === "") return null;
  const number = Number(cell);
  return Number.isFinite(number) && String(number) === cell ? number : escaped(cell);
}

/** Workbooks take `_x0041_` for a letter by its code. */
function escaped(cell: string): string {
  return cell.replace(/_(?=x[0-9a-f]{4}_)/gi, "_x005F_");
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return value instanceof Date ? value.toISOString() : String(value);
}
