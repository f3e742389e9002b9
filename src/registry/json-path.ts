/** The JSON paths of printer columns, scale and selectable fields. */
import { equal, isObject } from "./json.ts";

/** Finds the values of a path within a value, in order. */
export type Path = (value: unknown) => readonly unknown[];

type Step = (value: unknown) => readonly unknown[];

const paths = new Map<string, Path | undefined>();
const MOST_PATHS = 2000;

/**
 * A path such as `.spec.size`, `.list[0]`, `.list[*].name`, `.labels.app\.io/name`, `.labels['a.b']` or
 * `.conditions[?(@.type=="Ready")].status`. One that can not be understood finds nothing.
 * **Source:** Kubernetes, "JSONPath Support"; the subset that CustomResourceDefinitions use.
 */
export function jsonPath(path: string): Path {
  return parsePath(path) ?? (() => []);
}

/** The same, but undefined for a path that can not be understood. */
export function parsePath(path: string): Path | undefined {
  if (paths.has(path)) return paths.get(path);
  if (paths.size >= MOST_PATHS) paths.clear();
  const steps = parse(path);
  const find =
    steps && ((value: unknown) => steps.reduce<readonly unknown[]>((found, step) => found.flatMap(step), [value]));
  paths.set(path, find);
  return find;
}

const TOKEN =
  /^(?:\.((?:\\.|[^.[\]\\'"*])+)|\[(-?\d+)\]|(?:\.\*|\[\*\])|\[['"]([^'"]+)['"]\]|\[\?\(@\.([^=!<>\s]+)\s*(==|!=)\s*("[^"]*"|'[^']*'|[^)]+)\)\])/;

function parse(path: string): readonly Step[] | undefined {
  let rest = path.replace(/^\{(.*)\}$/, "$1").replace(/^\$/, "");
  const steps: Step[] = [];
  while (rest !== "") {
    const token = TOKEN.exec(rest);
    if (!token) return undefined;
    steps.push(stepOf(token));
    rest = rest.slice(token[0].length);
  }
  return steps;
}

function stepOf([, field, index, quoted, left, operator, right]: RegExpExecArray): Step {
  if (field !== undefined) return child(field.replaceAll(/\\(.)/g, "$1"));
  if (quoted !== undefined) return child(quoted);
  if (index !== undefined) return (value) => (Array.isArray(value) ? present(value.at(Number(index))) : []);
  if (left !== undefined && right !== undefined) {
    const find = jsonPath(`.${left}`);
    const expected = literal(right.trim());
    return (value) =>
      Array.isArray(value) ? value.filter((item) => equal(find(item)[0], expected) === (operator === "==")) : [];
  }
  return (value) => (Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []);
}

function child(name: string): Step {
  return (value) => (isObject(value) && Object.hasOwn(value, name) ? present(value[name]) : []);
}

function present(value: unknown): readonly unknown[] {
  return value === undefined ? [] : [value];
}

function literal(text: string): unknown {
  if (/^'.*'$/.test(text)) return text.slice(1, -1);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
