import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Range } from "#wire/messages";
import { add, gaps, has, rangesOf, union } from "#wire/ranges";

const MOST = 60;
const range = fc
  .tuple(fc.integer({ min: 0, max: MOST }), fc.integer({ min: 0, max: 9 }))
  .map(([from, more]): Range => [from, from + more]);

const numbersIn = (ranges: readonly Range[]) =>
  ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));

test("ranges are a set: whatever is added, they have it, sorted, disjoint and as few as can be", () => {
  fc.assert(
    fc.property(fc.array(range), (added) => {
      let ranges: readonly Range[] = [];
      const set = new Set<number>();
      for (const one of added) {
        ranges = add(ranges, one);
        for (const n of numbersIn([one])) set.add(n);
      }
      expect(numbersIn(ranges)).toEqual([...set].sort((a, b) => a - b));
      for (const [i, [from]] of ranges.entries()) expect(from).toBeGreaterThan((ranges[i - 1]?.[1] ?? -2) + 1);
      for (let n = 0; n <= MOST + 10; n++) expect(has(ranges, n)).toBe(set.has(n));
    }),
  );
});

test("a union is what adding one by one makes", () => {
  fc.assert(
    fc.property(fc.array(range), fc.array(range), (a, b) => {
      const [first, second] = [a, b].map((all) => all.reduce<readonly Range[]>(add, [])) as [Range[], Range[]];
      expect(union(first, second)).toEqual(b.reduce<readonly Range[]>(add, first));
    }),
  );
});

test("gaps are what the set lacks", () => {
  fc.assert(
    fc.property(fc.array(range), range, (added, [from, to]) => {
      const ranges = added.reduce<readonly Range[]>(add, []);
      const lacking = numbersIn([[from, to]]).filter((n) => !has(ranges, n));
      expect(numbersIn(gaps(ranges, from, to))).toEqual(lacking);
    }),
  );
});

test("numbers are the fewest ranges, whatever their order", () => {
  expect(rangesOf([3, 1, 2, 9, 7, 8, 5])).toEqual([
    [1, 3],
    [5, 5],
    [7, 9],
  ]);
  expect(rangesOf([])).toEqual([]);
  expect(gaps([], 1, 0)).toEqual([]);
});
