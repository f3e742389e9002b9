import { describe, expect, test } from "@jest/globals";
import { openScreen } from "#cli/screen";
import type { Terminal } from "#cli/world";

/** A terminal of a few rows that knows the sequences that we use. */
function terminal(columns: number, rows: number) {
  let lines: string[] = [""];
  let row = 0;
  const out: Terminal & { columns: number; rows: number } = {
    isTty: true,
    columns,
    rows,
    write(text) {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with U+001B
      for (const [piece, count = "", letter = ""] of text.matchAll(/\x1b\[\??(\d*)([A-Za-z])|[\s\S]/g)) {
        if (letter === "A") row = Math.max(0, row - Number(count));
        else if (letter === "H") row = 0;
        else if (letter === "J") lines = count === "2" ? [""] : lines.slice(0, row);
        else if (letter === "K") lines[row] = written;
        else if (letter !== "") continue;
        else if (piece === "\n") {
          row++;
          written = "";
          lines[row] ??= "";
        } else if (piece !== "\r") written += piece;
      }
    },
  };
  let written = "";
  return { out, shown: () => lines.filter((line) => line !== "") };
}

describe("a screen", () => {
  test("draws the next picture over the last", () => {
    const { out, shown } = terminal(40, 10);
    const screen = openScreen({ out });
    screen.draw(["one", "two", "three"]);
    screen.draw(["ONE", "TWO"]);
    expect(shown()).toEqual(["ONE", "TWO"]);
  });

  test("never draws more than there is room for, and says so", () => {
    const { out, shown } = terminal(40, 5);
    const screen = openScreen({ out });
    screen.draw(["1", "2", "3", "4", "5", "6"]);
    expect(shown()).toEqual(["1", "2", "3", "… 3 more lines"]);
  });

  test("cuts lines at the width, so that none breaks", () => {
    const { out, shown } = terminal(6, 5);
    openScreen({ out }).draw(["abcdefghij"]);
    expect(shown()).toEqual(["abcde…"]);
  });

  test("draws all anew, with what stood above, when the window changed", () => {
    const { out, shown } = terminal(40, 10);
    const screen = openScreen({ out }, ["head"]);
    screen.draw(["one"]);
    out.columns = 20;
    screen.draw(["two"]);
    expect(shown()).toEqual(["head", "two"]);
  });
});
