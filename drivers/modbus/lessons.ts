import type { Lesson } from "#devices/driver";
import type { Span } from "./plan.ts";

/** A piece of a refused span that was asked for by itself, and whether the device gave it, refused it, or neither. */
export interface Piece {
  readonly span: Pick<Span, "table" | "start" | "count">;
  readonly outcome: "given" | "refused" | "failed";
}

/** What a device taught, without the time until which it is believed. */
export type Learned = Omit<Lesson, "until">;

/**
 * What a refused span and its pieces teach. A piece that is refused by itself is a hole. If all pieces are given, the
 * reason lies between them: in the registers that were read along; and if there were none, in the length.
 */
export function learn({ table }: Pick<Span, "table">, pieces: readonly Piece[]): readonly Learned[] {
  const refused = pieces.filter(({ outcome }) => outcome === "refused").map(({ span }) => holeOf(span));
  if (refused.length > 0 || pieces.some(({ outcome }) => outcome === "failed")) return refused;
  const sorted = pieces.map(({ span }) => span).sort((a, b) => a.start - b.start);
  const gaps = sorted.flatMap(({ start }, i) => {
    const before = sorted[i - 1];
    const end = before ? before.start + before.count : start;
    return end < start ? [holeOf({ table, start: end, count: start - end })] : [];
  });
  if (gaps.length > 0) return gaps;
  const longest = Math.max(...sorted.map(({ count }) => count));
  return [{ kind: "limit", table, start: 0, count: longest }];
}

function holeOf({ table, start, count }: Piece["span"]): Learned {
  return { kind: "hole", table, start, count };
}

/** A device that refuses everything teaches nothing new after so many lessons. */
const MOST_LESSONS = 256;

/** Adds lessons to those that are known. What is known already keeps its end, so that it is tried afresh some day. */
export function remember(known: readonly Lesson[], fresh: readonly Learned[], until: number): readonly Lesson[] {
  const added = fresh.filter((one) => !known.some((other) => isSame(one, other)));
  if (added.length === 0) return known;
  return [...known, ...added.map((one) => ({ ...one, until }))].slice(-MOST_LESSONS);
}

function isSame(a: Learned, b: Learned): boolean {
  return a.kind === b.kind && a.table === b.table && a.start === b.start && a.count === b.count;
}
