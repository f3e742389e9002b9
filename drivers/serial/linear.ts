/**
 * Proves that a regular expression takes time proportional to the text, whatever a device sends. V8 matches by trying
 * and going back, so a careless pattern (`(a+)+b`, but `\d*\d*x` too) costs the square of the text or worse.
 *
 * A pattern is accepted when, in every repetition, the next character alone decides how to go on: what may follow is
 * disjoint, and reached in one way. Then whatever is tried after going back fails at its first character. Outside of
 * repetitions a few choices may begin alike (`GP|GN`), for they multiply the work by a constant only.
 *
 * **Source:** A. Brüggemann-Klein and D. Wood, One-Unambiguous Regular Languages, Information and Computation 140 (1998);
 * the automaton is Glushkov's, with each way counted.
 */
import { type Characters, common } from "./characters.ts";
import { type Parsed, type Pattern, PatternProblem, parsePattern } from "./pattern.ts";

/** Characters of a pattern once its counted repetitions are written out. */
const MOST_PLACES = 500;

/** Ways that may be open at once because choices outside of repetitions begin alike. */
const MOST_WAYS = 64;

/** Places in the pattern, and which may come after which. */
interface Automaton {
  readonly sets: Characters[];
  /** By place; a place that is reached in two ways stands there twice. */
  readonly follow: number[][];
}

/** How a part of a pattern begins and ends. */
interface Part {
  readonly nullable: boolean;
  readonly first: readonly number[];
  readonly last: readonly number[];
}

/** Reads a pattern and proves it linear. @throws {PatternProblem} saying what to write instead. */
export function parseLinear(source: string): Parsed {
  const parsed = parsePattern(source);
  const automaton: Automaton = { sets: [], follow: [] };
  const whole = build(parsed.pattern, automaton);
  let ways = overlapOf(whole.first, automaton) === undefined ? 1 : whole.first.length;
  for (const [place, next] of automaton.follow.entries()) {
    const overlap = overlapOf(next, automaton);
    if (overlap === undefined) continue;
    if (reaches(place, place, automaton)) {
      const text = JSON.stringify(String.fromCharCode(overlap));
      throw new PatternProblem(
        `it is not linear: at ${text} a repetition can go on or end. Say what it stops at, such as [^,]* instead of .*`,
      );
    }
    ways *= next.length;
  }
  if (ways > MOST_WAYS) throw new PatternProblem("it has too many choices that begin alike");
  if (!isAnchored(parsed.pattern)) checkSearch(whole, automaton);
  return parsed;
}

/** A pattern that may match anywhere is tried at every character, so a repetition must not run over its beginnings. */
function checkSearch({ first, nullable }: Part, automaton: Automaton): void {
  const advice = "begin it with ^, or with a character that no repetition in it matches";
  if (nullable) throw new PatternProblem(`it matches the empty text: ${advice}`);
  for (const [place, set] of automaton.sets.entries()) {
    if (!reaches(place, place, automaton)) continue;
    if (first.some((start) => common(automaton.sets[start] ?? [], set) !== undefined))
      throw new PatternProblem(`it is not linear: ${advice}`);
  }
}

function build(pattern: Pattern, automaton: Automaton): Part {
  switch (pattern.is) {
    case "edge":
      return { nullable: true, first: [], last: [] };
    case "set": {
      const place = automaton.sets.push(pattern.set) - 1;
      if (place >= MOST_PLACES) throw new PatternProblem(`it is longer than ${MOST_PLACES} characters`);
      automaton.follow.push([]);
      return { nullable: false, first: [place], last: [place] };
    }
    case "sequence":
      return pattern.items.map((item) => build(item, automaton)).reduce((a, b) => join(a, b, automaton), empty);
    case "choice": {
      const parts = pattern.items.map((item) => build(item, automaton));
      if (parts.filter(({ nullable }) => nullable).length > 1)
        throw new PatternProblem("two of its choices match the empty text");
      return {
        nullable: parts.some(({ nullable }) => nullable),
        first: parts.flatMap(({ first }) => first),
        last: parts.flatMap(({ last }) => last),
      };
    }
    case "repeat":
      return repeat(pattern.item, pattern.least, pattern.most, automaton);
  }
}

const empty: Part = { nullable: true, first: [], last: [] };

function repeat(item: Pattern, least: number, most: number, automaton: Automaton): Part {
  let part = empty;
  for (let i = 0; i < least; i++) part = join(part, build(item, automaton), automaton);
  if (most === Number.POSITIVE_INFINITY) {
    const loop = build(item, automaton);
    connect(loop, loop, automaton);
    return join(part, { ...loop, nullable: true }, automaton);
  }
  // X{0,3} is (X(X(X)?)?)?, built from the inside.
  let tail = empty;
  for (let i = least; i < most; i++) tail = { ...join(build(item, automaton), tail, automaton), nullable: true };
  return join(part, tail, automaton);
}

function join(a: Part, b: Part, automaton: Automaton): Part {
  connect(a, b, automaton);
  return {
    nullable: a.nullable && b.nullable,
    first: a.nullable ? [...a.first, ...b.first] : a.first,
    last: b.nullable ? [...a.last, ...b.last] : b.last,
  };
}

function connect({ last }: Part, { first }: Part, { follow }: Automaton): void {
  for (const place of last) follow[place]?.push(...first);
}

/** A character at which two ways are open; undefined when the next character always decides. */
function overlapOf(next: readonly number[], { sets }: Automaton): number | undefined {
  for (const [i, a] of next.entries()) {
    for (const b of next.slice(i + 1)) {
      const shared = common(sets[a] ?? [], sets[b] ?? []);
      if (shared !== undefined) return shared;
    }
  }
  return undefined;
}

/** Whether one can come from one place to another by at least one step. */
function reaches(from: number, to: number, { follow }: Automaton): boolean {
  const seen = new Set<number>();
  const open = [from];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    for (const next of follow[place] ?? []) {
      if (next === to) return true;
      if (!seen.has(next)) open.push(next);
      seen.add(next);
    }
  }
  return false;
}

function isAnchored(pattern: Pattern): boolean {
  if (pattern.is === "edge") return pattern.edge === "^";
  if (pattern.is === "sequence") return pattern.items[0] !== undefined && isAnchored(pattern.items[0]);
  return pattern.is === "choice" && pattern.items.every(isAnchored);
}
