/** What a file of cells is to the rest, wherever it came from. */
import type { Manner } from "./cells.ts";

/** A row and the line where it begins, counted from 1, as an editor or spreadsheet does. */
export interface SheetRow {
  readonly line: number;
  readonly cells: readonly string[];
  /** Cells that are not what they seem, by their index, and why. */
  readonly refused?: ReadonlyMap<number, string>;
}

export interface Sheet extends Manner {
  /** Those with anything in them. */
  readonly rows: readonly SheetRow[];
}

/** Whether a row is a remark: its first cell begins with `#`. */
export function isRemark({ cells: [first = ""] }: SheetRow): boolean {
  return first.trimStart().startsWith("#");
}
