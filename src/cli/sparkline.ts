const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;
const NOTHING = "×";

/** A chart of one line: a bar for each number, from the least to the greatest; `×` where there is none. */
export function sparkline(numbers: readonly (number | undefined)[]): string {
  const known = numbers.filter((one) => one !== undefined);
  const [least, most] = [Math.min(...known), Math.max(...known)];
  const scale = most > least ? (BARS.length - 1) / (most - least) : 0;
  return numbers
    .map((one) => (one === undefined ? NOTHING : (BARS[Math.round((one - least) * scale)] ?? NOTHING)))
    .join("");
}

/** Least, middle and greatest of some numbers; undefined when there are none. */
export function spread(numbers: readonly number[]): { min: number; median: number; max: number } | undefined {
  const sorted = [...numbers].sort((a, b) => a - b);
  const [min, median, max] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  return min === undefined || median === undefined || max === undefined ? undefined : { min, median, max };
}
