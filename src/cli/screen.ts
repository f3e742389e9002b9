import { cut } from "./table.ts";
import type { World } from "./world.ts";

/** A part of the terminal that is drawn again and again in the same place. Disposing it leaves the last picture. */
export interface Screen extends Disposable {
  draw(lines: readonly string[]): void;
}

const ESC = "\x1b[";
/** Terminals that know it show all of a picture at once; the others ignore it. */
const BEGIN = `${ESC}?2026h`;
const END = `${ESC}?2026l`;
const HIDE_CURSOR = `${ESC}?25l`;
const SHOW_CURSOR = `${ESC}?25h`;
const CLEAR_LINE_END = `${ESC}K`;
const CLEAR_BELOW = `${ESC}J`;
const CLEAR_ALL = `${ESC}H${ESC}2J`;

/**
 * Opens a screen at the present line. Lines are overwritten, never cleared first, and each picture is one write, so
 * nothing flickers. When the window changes its width the terminal breaks old lines anew and nobody knows where they
 * are; then all is cleared and drawn from the top.
 *
 * @param head - what stands above; it is drawn again after such a change, as far as there is room.
 */
export function openScreen({ out }: Pick<World, "out">, head: readonly string[] = []): Screen {
  let height = 0;
  let columns = out.columns;
  let rows = out.rows;
  out.write(HIDE_CURSOR);

  function limited(lines: readonly string[], room: number): readonly string[] {
    if (lines.length <= room) return lines;
    return [...lines.slice(0, Math.max(0, room - 1)), `… ${lines.length - room + 1} more lines`];
  }

  return {
    draw(all) {
      // The last row stays free for the cursor; a write into it would scroll.
      const lines = limited(all, out.rows - 1);
      const isChanged = columns !== out.columns || rows !== out.rows;
      columns = out.columns;
      rows = out.rows;
      const above = isChanged && head.length + lines.length < rows ? head : [];
      const start = isChanged ? CLEAR_ALL : height > 0 ? `${ESC}${height}A\r` : "";
      const text = [...above, ...lines].map((line) => `${cut(line, columns)}${CLEAR_LINE_END}\n`).join("");
      out.write(`${BEGIN}${start}${text}${CLEAR_BELOW}${END}`);
      height = lines.length;
    },
    [Symbol.dispose]() {
      out.write(SHOW_CURSOR);
    },
  };
}
