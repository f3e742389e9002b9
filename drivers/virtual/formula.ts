/**
 * Formulas of virtual devices: numbers, comparisons, `? :`, a dozen functions, and `t` for the time. The parser is
 * ours, because `eval` would let a manifest run code on the edge.
 *
 *   choice     = comparison [ "?" choice ":" choice ]
 *   comparison = sum [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum ]
 *   sum        = product { ( "+" | "-" ) product }
 *   product    = unary { ( "*" | "/" | "%" ) unary }
 *   unary      = "-" unary | primary
 *   primary    = number | name | name "(" choice { "," choice } ")" | "(" choice ")"
 */
import { Fault } from "#std/fault";
import { noise } from "./noise.ts";

/** What a formula may know: `t` in seconds since the Unix epoch, and the seed of its device. */
export interface Moment {
  readonly t: number;
  readonly seed: number;
}

/** A formula that was understood. */
export type Formula = (moment: Moment) => number | boolean;

type Binary = (left: Formula, right: Formula) => Formula;

const comparisons: Readonly<Record<string, Binary>> = {
  "<": (a, b) => (m) => Number(a(m)) < Number(b(m)),
  "<=": (a, b) => (m) => Number(a(m)) <= Number(b(m)),
  ">": (a, b) => (m) => Number(a(m)) > Number(b(m)),
  ">=": (a, b) => (m) => Number(a(m)) >= Number(b(m)),
  "==": (a, b) => (m) => Number(a(m)) === Number(b(m)),
  "!=": (a, b) => (m) => Number(a(m)) !== Number(b(m)),
};

const sums: Readonly<Record<string, Binary>> = {
  "+": (a, b) => (m) => Number(a(m)) + Number(b(m)),
  "-": (a, b) => (m) => Number(a(m)) - Number(b(m)),
};

const products: Readonly<Record<string, Binary>> = {
  "*": (a, b) => (m) => Number(a(m)) * Number(b(m)),
  "/": (a, b) => (m) => Number(a(m)) / Number(b(m)),
  "%": (a, b) => (m) => Number(a(m)) % Number(b(m)),
};

const names: Readonly<Record<string, Formula>> = { t: ({ t }) => t, pi: () => Math.PI };

/** Each function with the fewest and the most arguments it takes. */
const functions: Readonly<Record<string, readonly [number, number, (seed: number, ...args: number[]) => number]>> = {
  sin: [1, 1, (_, x) => Math.sin(x ?? 0)],
  cos: [1, 1, (_, x) => Math.cos(x ?? 0)],
  abs: [1, 1, (_, x) => Math.abs(x ?? 0)],
  floor: [1, 1, (_, x) => Math.floor(x ?? 0)],
  round: [1, 1, (_, x) => Math.round(x ?? 0)],
  sqrt: [1, 1, (_, x) => Math.sqrt(x ?? 0)],
  min: [1, 8, (_, ...args) => Math.min(...args)],
  max: [1, 8, (_, ...args) => Math.max(...args)],
  noise: [1, 1, (seed, x) => noise(seed, x ?? 0)],
};

/** Understands a formula. @throws {Fault} `VALUE_INVALID` with the position, counted from 1, of what it does not. */
export function compile(source: string): Formula {
  const tokens = tokensOf(source);
  let next = 0;

  const formula = choice();
  const rest = tokens[next];
  if (rest) throw wrong(`"${rest.text}" does not belong`, rest.at);
  return formula;

  function choice(): Formula {
    const test = chain(() => chain(() => chain(unary, products), sums), comparisons, 1);
    if (!take("?")) return test;
    const yes = choice();
    expect(":");
    const no = choice();
    return (m) => (test(m) ? yes(m) : no(m));
  }

  function chain(operand: () => Formula, operators: Readonly<Record<string, Binary>>, most = Number.POSITIVE_INFINITY) {
    let left = operand();
    for (let count = 0; count < most; count++) {
      const operator = own(operators, tokens[next]?.text ?? "");
      if (!operator) break;
      next++;
      left = operator(left, operand());
    }
    return left;
  }

  function unary(): Formula {
    if (!take("-")) return primary();
    const operand = unary();
    return (m) => -Number(operand(m));
  }

  function primary(): Formula {
    const token = tokens[next++];
    if (!token) throw wrong("something is missing", source.length + 1);
    if (token.kind === "number") {
      const value = Number(token.text);
      return () => value;
    }
    if (token.text === "(") {
      const inner = choice();
      expect(")");
      return inner;
    }
    if (token.kind !== "name") throw wrong(`"${token.text}" does not belong`, token.at);
    return tokens[next]?.text === "(" ? call(token) : name(token);
  }

  function name({ text, at }: Token): Formula {
    const value = own(names, text);
    if (!value) throw wrong(`there is no "${text}"; there are ${list(names)} and the functions ${list(functions)}`, at);
    return value;
  }

  function call({ text, at }: Token): Formula {
    const entry = own(functions, text);
    if (!entry) throw wrong(`there is no function "${text}"; there are ${list(functions)}`, at);
    const [least, most, apply] = entry;
    expect("(");
    const args = [choice()];
    while (take(",")) args.push(choice());
    expect(")");
    if (args.length < least || args.length > most) {
      throw wrong(`${text} takes ${least === most ? least : `${least} to ${most}`} values, not ${args.length}`, at);
    }
    return (m) => apply(m.seed, ...args.map((arg) => Number(arg(m))));
  }

  function take(text: string): boolean {
    const found = tokens[next]?.text === text;
    if (found) next++;
    return found;
  }

  function expect(text: string): void {
    const token = tokens[next];
    if (!take(text)) throw wrong(`"${text}" is missing`, token?.at ?? source.length + 1);
  }
}

interface Token {
  readonly kind: "number" | "name" | "sign";
  readonly text: string;
  /** Counted from 1. */
  readonly at: number;
}

function tokensOf(source: string): readonly Token[] {
  const pattern =
    /\s*(?:(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<name>[A-Za-z]\w*)|(?<sign>[<>=!]=|[-+*/%<>?:(),]))/y;
  const tokens: Token[] = [];
  const end = source.trimEnd().length;
  while (pattern.lastIndex < end) {
    const from = pattern.lastIndex;
    const groups = pattern.exec(source)?.groups;
    if (!groups) {
      const at = from + source.slice(from).search(/\S/);
      throw wrong(`"${source.charAt(at)}" does not belong`, at + 1);
    }
    const kind = groups.number ? "number" : groups.name ? "name" : "sign";
    const text = groups[kind] ?? "";
    tokens.push({ kind, text, at: pattern.lastIndex - text.length + 1 });
  }
  return tokens;
}

function wrong(what: string, at: number): Fault {
  return new Fault("VALUE_INVALID", `at position ${at}: ${what}`, { at });
}

/** What the table itself holds: `constructor` is no operator, although every object answers to it. */
function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function list(table: Readonly<Record<string, unknown>>): string {
  return Object.keys(table).join(" ");
}
