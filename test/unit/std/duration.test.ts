import { describe, expect, test } from "@jest/globals";
import { duration } from "#std/duration";
import { problems } from "#std/schema";

describe("a duration", () => {
  test.each([
    ["250ms", 250],
    ["1s", 1000],
    ["1.5s", 1500],
    ["5m", 300_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
    ["0ms", 0],
  ])("%s is %d ms", (text, ms) => {
    expect(duration().parse(text)).toBe(ms);
  });

  test.each(["", "5", "s", "-1s", "1 s", "1w", "1s ", "1e3s", 5])(
    "%p is refused, because its unit is not clear",
    (text) => {
      expect(problems(duration(), text)).toHaveLength(1);
    },
  );

  test("is refused when a timer can not wait so long, or when it is shorter than the least", () => {
    expect(problems(duration(), "25d")).toHaveLength(1);
    expect(problems(duration(1), "0s")).toHaveLength(1);
  });
});
