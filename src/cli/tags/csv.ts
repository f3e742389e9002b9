/** Comma-separated values. **Source:** RFC 4180; a semicolon instead of the comma, as some offices write it, is read too. */

import type { Sheet, SheetRow } from "./sheet.ts";

/**
 * Reads records; empty lines are left out. The separator is the one that the first line has more of; where it is the
 * semicolon, numbers may have a decimal comma. A first line `sep=;`, as spreadsheets take it, is none of the records.
 */
export function parseCsv(text: string): Sheet {
  const source = text.replace(/^\uFEFF/, "");
  const [head = ""] = source.split(/\r?\n/, 1);
  const named = /^"?sep=(.)"?$/i.exec(head)?.[1];
  const separator = named ?? (head.split(";").length > head.split(",").length ? ";" : ",");
  const records: SheetRow[] = [];
  let cells: string[] = [];
  let cell = "";
  let isQuoted = false;
  let line = 1;
  let begin = 1;
  const end = () => {
    cells.push(cell);
    if (cells.length > 1 || cells[0] !== "") records.push({ line: begin, cells });
    cells = [];
    cell = "";
    begin = line;
  };
  for (let i = 0; i < source.length; i++) {
    const letter = source[i] ?? "";
    if (letter === "\n") line++;
    if (isQuoted) {
      if (letter !== '"') cell += letter;
      else if (source[i + 1] === '"') {
        cell += '"';
        i++;
      } else isQuoted = false;
    } else if (letter === '"' && cell === "") isQuoted = true;
    else if (letter === separator) {
      cells.push(cell);
      cell = "";
    } else if (letter === "\n") end();
    else if (letter !== "\r" || source[i + 1] !== "\n") cell += letter;
  }
  const unclosed = isQuoted ? { refused: new Map([[cells.length, "its quotation mark is not closed"]]) } : {};
  if (cell !== "" || cells.length > 0 || isQuoted) records.push({ line: begin, cells: [...cells, cell], ...unclosed });
  const rows = named === undefined ? records : records.filter(({ line }) => line > 1);
  return { rows, decimalComma: separator === ";" };
}

/** Writes records, with quotes where they are needed. */
export function printCsv(rows: readonly (readonly string[])[]): string {
  const quoted = (cell: string) => (/[",;\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}
