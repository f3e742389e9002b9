/** Comma-separated values. **Source:** RFC 4180; a semicolon instead of the comma, as some offices write it, is read too. */

/** A record and the line where it begins, counted from 1. */
export interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

/** Reads records; empty lines are left out. The separator is the one that the first line has more of. */
export function parseCsv(text: string): readonly CsvRecord[] {
  const source = text.replace(/^\uFEFF/, "");
  const [head = ""] = source.split(/\r?\n/, 1);
  const separator = head.split(";").length > head.split(",").length ? ";" : ",";
  const records: CsvRecord[] = [];
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
  if (cell !== "" || cells.length > 0) end();
  return records;
}

/** Writes records, with quotes where they are needed. */
export function printCsv(rows: readonly (readonly string[])[]): string {
  const quoted = (cell: string) => (/[",;\r\n]|^\s|\s$/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return rows.map((row) => `${row.map(quoted).join(",")}\r\n`).join("");
}
