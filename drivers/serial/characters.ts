/** Sets of UTF-16 code units, as regular expressions have them. A pattern is checked on them, never matched with them. */

/** Code units in ascending ranges, both ends included. */
export type Characters = readonly (readonly [number, number])[];

const LAST = 0xffff;

/** The classes that an escape names. */
export const classes: Readonly<Record<string, Characters>> = {
  d: [[48, 57]],
  w: [
    [48, 57],
    [65, 90],
    [95, 95],
    [97, 122],
  ],
  s: [
    [9, 13],
    [32, 32],
    [160, 160],
    [0x1680, 0x1680],
    [0x2000, 0x200a],
    [0x2028, 0x2029],
    [0x202f, 0x202f],
    [0x205f, 0x205f],
    [0x3000, 0x3000],
    [0xfeff, 0xfeff],
  ],
};

/** What `.` matches: anything but the end of a line. */
export const dot: Characters = without([
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
]);

/** One code unit. */
export function only(unit: number): Characters {
  return [[unit, unit]];
}

/** All code units that are in any of the sets. */
export function union(sets: readonly Characters[]): Characters {
  const merged: [number, number][] = [];
  for (const [from, to] of sets.flat().sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** All code units that are not in the set. */
export function without(set: Characters): Characters {
  const rest: [number, number][] = [];
  let next = 0;
  for (const [from, to] of union([set])) {
    if (from > next) rest.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= LAST) rest.push([next, LAST]);
  return rest;
}

/** The first code unit that is in both sets; undefined when there is none. */
export function common(a: Characters, b: Characters): number | undefined {
  for (const [from, to] of a) {
    for (const [low, high] of b) if (from <= high && low <= to) return Math.max(from, low);
  }
  return undefined;
}
