/** Figures of benchmarks as tables that a terminal shows. */

export type Cell = string | number | boolean | undefined;
export type Row = readonly Cell[];

/** A table with its head: one row per object, one column per field; fields of nested objects stand side by side. */
export function tableOf(objects: readonly object[]): readonly Row[] {
  const rows = objects.map((object) => flat(object));
  const head = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return [head, ...rows.map((row) => head.map((name) => row[name]))];
}

function flat(object: object, prefix = ""): Record<string, Cell> {
  return Object.fromEntries(
    Object.entries(object).flatMap(([name, value]: [string, unknown]) =>
      typeof value === "object" && value !== null
        ? Object.entries(flat(value, `${prefix}${name} `))
        : [[prefix + name, value as Cell] as const],
    ),
  );
}

/** The table as lines: the first column to the left, the others to the right. */
export function linesOf(rows: readonly Row[]): readonly string[] {
  const texts = rows.map((row) => row.map(show));
  const widths = (texts[0] ?? []).map((_, i) => Math.max(...texts.map((row) => (row[i] ?? "").length)));
  return texts.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
  );
}

export function show(value: Cell): string {
  if (value === undefined) return "";
  if (typeof value !== "number") return String(value);
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}
