/** Lines of aligned columns, as kubectl prints them. Numbers are not special: the eye finds names on the left. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...all.map((row) => widthOf(row[i] ?? ""))));
  return all.map((row) =>
    row
      .map((cell, i) => cell + " ".repeat((widths[i] ?? 0) - widthOf(cell)))
      .join("   ")
      .trimEnd(),
  );
}

/** A sequence that changes the colour, or one letter. Sequences take no place on the screen. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with U+001B (ECMA-48, section 8.3.117)
const PIECES = /\u001b\[[\d;]*m|./gsu;

/** What a terminal shows of a line that is too long for it: cut, with a sign that it was. Colours end with it. */
export function cut(line: string, columns: number): string {
  const pieces = line.match(PIECES) ?? [];
  const isLetter = (piece: string) => !piece.startsWith("\u001b");
  if (pieces.filter(isLetter).length <= columns) return line;
  let room = columns - 1;
  const kept = pieces.filter((piece) => !isLetter(piece) || room-- > 0);
  return `${kept.join("")}…`;
}

/** A length of time in the one unit that matters: `0s`, `12s`, `5m`, `3h`, `2d`. */
export function age(ms: number): string {
  const seconds = Math.max(0, ms / 1_000);
  if (seconds < 120) return `${Math.floor(seconds)}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** Characters of a cell; letters beyond the basic plane count once. */
function widthOf(cell: string): number {
  return [...cell].length;
}
