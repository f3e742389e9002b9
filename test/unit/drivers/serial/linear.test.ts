import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { common } from "#drivers/serial/characters";
import { parseLinear } from "#drivers/serial/linear";
import { type Pattern, PatternProblem, parsePattern } from "#drivers/serial/pattern";

const useful = [
  "^\\$G[A-Z]GGA,",
  "^\\$(?:GP|GN|GL|GA)RMC,",
  "^T=(?<value>[+-]?\\d+(?:\\.\\d+)?)$",
  "^(?:[^,]*,){3}(?<value>[^,]*)",
  "\\((?<value>\\d+(?:\\.\\d+)?)\\*kWh\\)",
  "=(?<value>-?\\d+)$",
  "^ *(?:High|Low|Err)",
  "^[\\x21-\\x7e]+ OK$",
  "^\\w+: *(?<value>[^ ]+)",
  "^\\d+(?:,\\d+)*;$",
  '^"(?<value>[^"]*)",',
];

const dangerous = [
  "^(a+)+b",
  "^(a*)*b",
  "^(a|a)*b",
  "^(a|aa)+b",
  "^(?:a?){20}a{20}",
  "^([a-z]+)*\\d",
  "^\\d*\\d*x",
  "^\\s*\\s*x",
  "^.*,.*,.*;",
  "^.*x",
  "\\d+x",
  "(?:,\\d+)+;",
  "x*",
  "^(?:a?|b?){30}c",
  "^(?:(?:a|b)*|c)*d",
  "(a)\\1",
  "(?<x>a)\\k<x>",
  "(?=a)b",
  "(?!a)b",
  "(?<=a)b",
  "(?<!a)b",
  "(?i:a)",
];

const broken = [
  "(",
  ")",
  "[a",
  "a)",
  "*a",
  "a**",
  "a{2,1}",
  "[z-a]",
  "[\\d-z]",
  "\\",
  "\\q",
  "\\x1",
  "(?<a>b)(?<a>c)",
  "a{",
];

describe("a pattern", () => {
  test.each(useful)("such as %s is accepted", (source) => {
    expect(() => parseLinear(source)).not.toThrow();
  });

  test.each(dangerous)("such as %s is refused, for a device could stop the node with it", (source) => {
    expect(() => parseLinear(source)).toThrow(PatternProblem);
  });

  test.each(broken)("such as %s is refused, for it is none", (source) => {
    expect(() => parsePattern(source)).toThrow(PatternProblem);
  });

  test("that is as long and as deep as it may be is judged at once", () => {
    expect(() => parseLinear(`${"(".repeat(250)}${")".repeat(250)}`)).toThrow("nested");
    expect(() => parseLinear(`^${"(?:a?){100}".repeat(40)}`)).toThrow("longer");
    expect(() => parseLinear(`^${"(?:a?b?c?){9}".repeat(18)}`)).toThrow("alike");
  });

  test("knows the numbers of its named groups", () => {
    const { groups } = parseLinear("^(a)(?:b)(?<value>c(d))(?<hemisphere>e)");
    expect([...groups]).toEqual([
      ["value", 2],
      ["hemisphere", 4],
    ]);
  });

  test("is understood as JavaScript understands it", () => {
    fc.assert(
      fc.property(sources(), fc.string({ unit: fc.constantFrom(..."ab0, x"), maxLength: 8 }), (source, text) => {
        const { pattern } = parsePattern(source);
        expect(steps(pattern, text).found).toBe(new RegExp(source).test(text));
      }),
      { numRuns: 500 },
    );
  });

  test("that is accepted takes twice the steps for twice the text, whatever the text repeats", () => {
    let accepted = 0;
    const piece = fc.string({ unit: fc.constantFrom(..."ab0, x"), maxLength: 3 });
    fc.assert(
      fc.property(sources(), piece, piece, piece, (source, head, body, tail) => {
        fc.pre(isAccepted(source) && body !== "");
        accepted++;
        const { pattern } = parsePattern(source);
        const pumped = (times: number) => steps(pattern, head + body.repeat(times) + tail).count;
        expect(pumped(120)).toBeLessThanOrEqual(2.2 * pumped(60) + 500);
      }),
      { numRuns: 500 },
    );
    expect(accepted).toBe(500);
  });

  test("that takes the square of the text is seen by this very measure", () => {
    const { pattern } = parsePattern("^a*a*x");
    const count = (times: number) => steps(pattern, "a".repeat(times)).count;
    expect(count(120)).toBeGreaterThan(3 * count(60) + 500);
  });
});

/** Patterns of all that the language has, small enough to be run by hand. */
function sources(): fc.Arbitrary<string> {
  const atom = fc.constantFrom(
    "a",
    "b",
    "0",
    ",",
    "[ab]",
    "[^,]",
    ".",
    "\\d",
    "\\w",
    "\\s",
    "\\D",
    "[a-c0]",
    "x",
    "^",
    "$",
    "\\b",
  );
  const quantifier = fc.constantFrom("", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?");
  const { pattern } = fc.letrec<{ pattern: string; item: string }>((tie) => ({
    item: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.tuple(atom, quantifier).map(([atom, times]) => (/^(?:\^|\$|\\b)$/.test(atom) ? atom : atom + times)),
      fc.tuple(tie("pattern"), quantifier).map(([inner, times]) => `(?:${inner})${times}`),
    ),
    pattern: fc
      .array(fc.array(tie("item"), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 })
      .map((choices) => choices.map((items) => items.join("")).join("|")),
  }));
  return fc.tuple(fc.constantFrom("", "^"), pattern).map(([anchor, rest]) => (anchor ? `^(?:${rest})` : rest));
}

function isAccepted(source: string): boolean {
  try {
    parseLinear(source);
    return true;
  } catch {
    return false;
  }
}

/** Matches as a backtracking engine does, and counts the characters it looks at. */
function steps(pattern: Pattern, text: string): { readonly count: number; readonly found: boolean } {
  let count = 0;
  const at = (i: number) => (i >= 0 && i < text.length ? text.charCodeAt(i) : -1);
  const isWord = (i: number) => /\w/.test(text[i] ?? "");
  type Next = (i: number) => boolean;

  function run(node: Pattern, i: number, next: Next): boolean {
    switch (node.is) {
      case "set":
        count++;
        return at(i) >= 0 && common(node.set, [[at(i), at(i)]]) !== undefined && next(i + 1);
      case "edge":
        if (node.edge === "^") return i === 0 && next(i);
        if (node.edge === "$") return i === text.length && next(i);
        return (isWord(i - 1) !== isWord(i)) === (node.edge === "b") && next(i);
      case "sequence":
        return inOrder(node.items, 0, i, next);
      case "choice":
        return node.items.some((item) => run(item, i, next));
      case "repeat":
        return again(node, 0, i, next);
    }
  }

  function inOrder(items: readonly Pattern[], from: number, i: number, next: Next): boolean {
    const item = items[from];
    return item ? run(item, i, (j) => inOrder(items, from + 1, j, next)) : next(i);
  }

  function again(node: Extract<Pattern, { is: "repeat" }>, done: number, i: number, next: Next): boolean {
    if (done < node.least) return run(node.item, i, (j) => again(node, done + 1, j, next));
    if (done < node.most && run(node.item, i, (j) => j !== i && again(node, done + 1, j, next))) return true;
    return next(i);
  }

  for (let i = 0; i <= text.length; i++) if (run(pattern, i, () => true)) return { count, found: true };
  return { count, found: false };
}
