/** Label selectors: which objects a list or watch is about, by their labels. */
import { badRequest } from "./status.ts";

/** One requirement of a label selector. All of them must hold. */
export interface Requirement {
  readonly key: string;
  readonly is: "in" | "notin" | "exists" | "absent" | "above" | "below";
  readonly values: readonly string[];
}

/**
 * Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
 * **Source:** Kubernetes, "Labels and Selectors", section "Label selectors".
 * @throws {StatusError} 400.
 */
export function parseLabelSelector(selector: string): readonly Requirement[] {
  if (selector.trim() === "") return [];
  return split(selector).map((part) => requirement(part.trim(), selector));
}

/** True when the labels satisfy every requirement. */
export function matchesLabels(labels: Readonly<Record<string, string>>, all: readonly Requirement[]): boolean {
  return all.every(({ key, is, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (is === "exists") return value !== undefined;
    if (is === "absent") return value === undefined;
    if (is === "notin") return value === undefined || !values.includes(value);
    if (value === undefined) return false;
    if (is === "in") return values.includes(value);
    return is === "above" ? Number(value) > Number(values[0]) : Number(value) < Number(values[0]);
  });
}

/** Cuts at commas outside of parentheses. */
function split(selector: string): readonly string[] {
  return selector.split(/,(?![^(]*\))/);
}

const KEY = /^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

function requirement(part: string, selector: string): Requirement {
  const found = read(part);
  if (!found || !KEY.test(found.key) || !found.values.every((value) => VALUE.test(value)))
    throw badRequest(
      `unable to parse requirement: ${JSON.stringify(part)} of the label selector ${JSON.stringify(selector)}`,
    );
  return found;
}

function read(part: string): Requirement | undefined {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(part);
  if (set) {
    const [, key = "", is = "in", values = ""] = set;
    return { key, is: is === "in" ? "in" : "notin", values: values.split(",").map((value) => value.trim()) };
  }
  const compared = /^([^\s=!<>]+)\s*(==|=|!=|>|<)\s*([^\s=!<>]*)$/.exec(part);
  if (compared) {
    const [, key = "", operator = "=", value = ""] = compared;
    if ((operator === ">" || operator === "<") && !/^-?\d+$/.test(value)) return undefined;
    const is = { "=": "in", "==": "in", "!=": "notin", ">": "above", "<": "below" } as const;
    return { key, is: is[operator as keyof typeof is], values: [value] };
  }
  if (/^!\s*\S+$/.test(part)) return { key: part.slice(1).trim(), is: "absent", values: [] };
  return /^\S+$/.test(part) ? { key: part, is: "exists", values: [] } : undefined;
}
