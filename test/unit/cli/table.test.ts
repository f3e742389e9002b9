import { describe, expect, test } from "@jest/globals";
import { age, cut, table } from "#cli/table";

describe("a table", () => {
  test("aligns its columns and ends no line with spaces", () => {
    expect(table(["A", "LONG"], [["boiler-1", "x"], ["t"]])).toEqual(["A          LONG", "boiler-1   x", "t"]);
  });

  test("counts letters, not bytes", () => {
    expect(
      table(
        ["N", "V"],
        [
          ["°C", "1"],
          ["abc", "2"],
        ],
      ),
    ).toEqual(["N     V", "°C    1", "abc   2"]);
  });
});

describe("a line that is too long", () => {
  test("is cut with a sign", () => {
    expect(cut("abcdef", 4)).toBe("abc…");
    expect(cut("abcd", 4)).toBe("abcd");
  });

  test("keeps its colours whole and ends them", () => {
    expect(cut("\x1b[31mabcdef\x1b[0m", 4)).toBe("\x1b[31mabc\x1b[0m…");
    expect(cut("\x1b[31mabcd\x1b[0m", 4)).toBe("\x1b[31mabcd\x1b[0m");
  });
});

test.each([
  [0, "0s"],
  [-50, "0s"],
  [1_999, "1s"],
  [119_000, "119s"],
  [120_000, "2m"],
  [7_200_000, "2h"],
  [172_800_000, "2d"],
])("an age of %d ms reads %s", (ms, text) => {
  expect(age(ms)).toBe(text);
});
