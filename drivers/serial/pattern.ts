/**
 * Reads the regular expressions that a model may use: those of JavaScript without backreferences, lookaround, flags and
 * Unicode classes. `linear.ts` decides on the tree whether a pattern is fast; V8 runs it.
 *
 * **Source:** ECMAScript 2024, §22.2.1 (Patterns), without `u` and `v`.
 */
import { type Characters, classes, dot, only, union, without } from "./characters.ts";

/** A pattern as a tree. */
export type Pattern =
  | { readonly is: "set"; readonly set: Characters }
  | { readonly is: "edge"; readonly edge: "^" | "$" | "b" | "B" }
  | { readonly is: "sequence"; readonly items: readonly Pattern[] }
  | { readonly is: "choice"; readonly items: readonly Pattern[] }
  | { readonly is: "repeat"; readonly item: Pattern; readonly least: number; readonly most: number };

/** A tree and the numbers of its named groups. */
export interface Parsed {
  readonly pattern: Pattern;
  readonly groups: ReadonlyMap<string, number>;
}

/** Why a pattern can not be used, in words for who wrote it. */
export class PatternProblem extends Error {}

/** Nested deeper, a pattern is a mistake or an attack on the stack. */
const DEEPEST = 20;

const controls: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };

/** Reads a pattern. @throws {PatternProblem} saying what is not allowed, and where. */
export function parsePattern(source: string): Parsed {
  const groups = new Map<string, number>();
  let at = 0;
  let count = 0;
  let depth = 0;
  const pattern = choice();
  if (at < source.length) problem("there is a ) without its (");
  try {
    new RegExp(source);
  } catch (error) {
    throw new PatternProblem(error instanceof Error ? error.message : String(error));
  }
  return { pattern, groups };

  function choice(): Pattern {
    const items = [sequence()];
    while (eat("|")) items.push(sequence());
    return items.length === 1 ? (items[0] as Pattern) : { is: "choice", items };
  }

  function sequence(): Pattern {
    const items: Pattern[] = [];
    while (at < source.length && source[at] !== "|" && source[at] !== ")") items.push(repeated(atom()));
    return { is: "sequence", items };
  }

  function repeated(item: Pattern): Pattern {
    const range = quantifier();
    if (!range) return item;
    if (item.is === "edge") problem("an edge can not be repeated");
    eat("?");
    return { is: "repeat", item, least: range[0], most: range[1] };
  }

  function quantifier(): readonly [number, number] | undefined {
    if (eat("*")) return [0, Number.POSITIVE_INFINITY];
    if (eat("+")) return [1, Number.POSITIVE_INFINITY];
    if (eat("?")) return [0, 1];
    const [all, least, comma, most] = /^\{(\d{1,4})(,?)(\d{0,4})\}/.exec(source.slice(at)) ?? [];
    if (all === undefined || least === undefined) return undefined;
    at += all.length;
    if (!comma) return [Number(least), Number(least)];
    return [Number(least), most === "" ? Number.POSITIVE_INFINITY : Number(most)];
  }

  function atom(): Pattern {
    const character = source[at++] ?? "";
    if (character === "(") return group();
    if (character === "[") return { is: "set", set: bracket() };
    if (character === ".") return { is: "set", set: dot };
    if (character === "^" || character === "$") return { is: "edge", edge: character };
    if (character === "\\") return escaped();
    if ("*+?{}]".includes(character)) problem(`${character} stands alone: write \\${character}`);
    return { is: "set", set: only(character.charCodeAt(0)) };
  }

  function group(): Pattern {
    if (eat("?")) {
      if (!eat(":")) {
        const [all, name] = /^<([A-Za-z]\w*)>/.exec(source.slice(at)) ?? [];
        if (all === undefined || name === undefined) problem("lookahead and lookbehind can not be used");
        at += all.length;
        if (groups.has(name)) problem(`the group ${name} is there twice`);
        groups.set(name, ++count);
      }
    } else count++;
    if (++depth > DEEPEST) problem(`groups are nested more than ${DEEPEST} deep`);
    const inner = choice();
    depth--;
    if (!eat(")")) problem("there is a ( without its )");
    return inner;
  }

  function escaped(): Pattern {
    const next = source[at] ?? "";
    if (next === "b" || next === "B") {
      at++;
      return { is: "edge", edge: next };
    }
    return { is: "set", set: escapedSet() };
  }

  /** What an escape matches, in and outside of brackets. */
  function escapedSet(): Characters {
    const letter = source[at++] ?? "";
    const named = classes[letter.toLowerCase()];
    if (named) return letter === letter.toLowerCase() ? named : without(named);
    if (letter === "x" || letter === "u") {
      const digits = source.slice(at, at + (letter === "x" ? 2 : 4));
      if (!/^(?:[\da-f]{2}|[\da-f]{4})$/i.test(digits)) problem(`\\${letter} wants hexadecimal digits`);
      at += digits.length;
      return only(Number.parseInt(digits, 16));
    }
    if (/[1-9k]/.test(letter)) problem("backreferences can not be used");
    const control = controls[letter];
    if (control !== undefined && !(letter === "0" && /\d/.test(source[at] ?? ""))) return only(control);
    if (letter === "" || /\w/.test(letter)) problem(`\\${letter} is not known here`);
    return only(letter.charCodeAt(0));
  }

  function bracket(): Characters {
    const negated = eat("^");
    const sets: Characters[] = [];
    while (!eat("]")) {
      if (at >= source.length) problem("there is a [ without its ]");
      const from = member();
      if (source[at] === "-" && source[at + 1] !== "]" && at + 1 < source.length) {
        at++;
        const to = member();
        const [first, last] = [single(from), single(to)];
        if (first === undefined || last === undefined) problem("a range in [] goes from one character to another");
        sets.push([[first, last]]);
      } else sets.push(from);
    }
    return negated ? without(union(sets)) : union(sets);
  }

  function member(): Characters {
    const character = source[at++] ?? "";
    if (character !== "\\") return only(character.charCodeAt(0));
    if (source[at] !== "b") return escapedSet();
    at++;
    return only(8);
  }

  function single(set: Characters): number | undefined {
    const [range] = set;
    return set.length === 1 && range?.[0] === range?.[1] ? range?.[0] : undefined;
  }

  function eat(character: string): boolean {
    if (source[at] !== character) return false;
    at++;
    return true;
  }

  function problem(what: string): never {
    throw new PatternProblem(`${what} (at character ${at} of ${source})`);
  }
}
