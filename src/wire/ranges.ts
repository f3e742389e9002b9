import type { Range } from "./messages.ts";

/**
 * A set of sequence numbers as sorted, disjoint ranges. Live rows overtake a backlog, so a single high-water mark
 * could not say what has arrived; a few ranges can, and they melt into one when the backlog is through.
 */
export function add(ranges: readonly Range[], [from, to]: Range): readonly Range[] {
  const before = ranges.filter(([, end]) => end < from - 1);
  const after = ranges.filter(([start]) => start > to + 1);
  const touching = ranges.slice(before.length, ranges.length - after.length);
  const start = Math.min(from, touching[0]?.[0] ?? from);
  const end = Math.max(to, touching.at(-1)?.[1] ?? to);
  return [...before, [start, end], ...after];
}

/** What is in one set or the other; quicker than adding one by one when both have thousands of ranges. */
export function union(a: readonly Range[], b: readonly Range[]): readonly Range[] {
  const all: [number, number][] = [];
  for (const [from, to] of [...a, ...b].sort(([a], [b]) => a - b)) {
    const last = all.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else all.push([from, to]);
  }
  return all;
}

/** Whether the set has this number. */
export function has(ranges: readonly Range[], seq: number): boolean {
  return ranges.some(([from, to]) => from <= seq && seq <= to);
}

/** The numbers from..to that the set lacks. */
export function gaps(ranges: readonly Range[], from: number, to: number): readonly Range[] {
  const found: Range[] = [];
  let next = from;
  for (const [start, end] of ranges) {
    if (end < next) continue;
    if (start > to) break;
    if (start > next) found.push([next, start - 1]);
    next = end + 1;
  }
  if (next <= to) found.push([next, to]);
  return found;
}

/** Numbers as the fewest ranges, in order. */
export function rangesOf(seqs: Iterable<number>): readonly Range[] {
  let ranges: readonly Range[] = [];
  for (const seq of seqs) ranges = add(ranges, [seq, seq]);
  return ranges;
}
