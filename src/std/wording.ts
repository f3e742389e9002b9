/** What is wrong with a value, in the words of those who wrote it: YAML has no "record" and no "undefined". */
import type { z } from "./schema.ts";

type RawIssue = z.core.$ZodRawIssue;
type Issue = z.core.$ZodIssue;

/** What a union says when a value fits none of its forms; then the form that it fits best tells more. */
export const NO_FORM = "fits none of the forms that it may have";

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "fields",
  record: "fields",
  null: "null",
};

/** Longest list of choices that is told. */
const MOST_CHOICES = 30;

/** Words for what zod found; undefined when it has better ones. Values are told where they can be no secret. */
export function wordingOf(issue: RawIssue): string | undefined {
  const { input } = issue;
  switch (issue.code) {
    case "invalid_type":
      return input === undefined ? missing(kindOf(issue)) : mustBe(kindOf(issue), input);
    case "invalid_value":
      return input === undefined ? missing(choices(issue.values)) : `must be ${choices(issue.values)}${notThis(input)}`;
    case "invalid_union":
      return issue.note === undefined ? NO_FORM : discriminated(issue);
    case "too_small":
      return limit(issue.origin, Number(issue.minimum), issue.inclusive ? "at least" : "more than", input);
    case "too_big":
      return limit(issue.origin, Number(issue.maximum), issue.inclusive ? "at most" : "less than", input);
    case "invalid_format":
      if (issue.format === "datetime") return "must be a time such as 2026-01-31T12:00:00Z";
      return issue.format === "regex" ? `does not match ${issue.pattern}` : undefined;
    case "unrecognized_keys":
      return "unknown field";
    default:
      return undefined;
  }
}

/** The problems of the form of a union that a value fits best. What fits no kind at all is told the kinds. */
export function bestForm(forms: readonly (readonly Issue[])[]): readonly Issue[] | string {
  const expected = forms.map(([only, ...rest]) => (only && rest.length === 0 ? kindOrChoices(only) : undefined));
  if (expected.every((kind) => kind !== undefined)) {
    const [first] = forms[0] ?? [];
    const kinds = [...new Set(expected)].join(" or ");
    return first?.input === undefined ? missing(kinds) : `must be ${kinds}`;
  }
  const weights = forms.map((issues) => issues.reduce((sum, issue) => sum + weightOf(issue), 0));
  return forms[weights.indexOf(Math.min(...weights))] ?? NO_FORM;
}

/** Of a problem of the whole value: what it should have been. */
function kindOrChoices(issue: Issue): string | undefined {
  if (issue.path.length > 0) return undefined;
  if (issue.code === "invalid_type") return kindOf(issue);
  return issue.code === "invalid_value" ? choices(issue.values) : undefined;
}

/** A wrong kind of the whole value is further off than a wrong field. */
function weightOf(issue: Issue): number {
  if (issue.code === "unrecognized_keys") return issue.keys.length;
  return issue.path.length === 0 && issue.code === "invalid_type" ? 1_000 : 1;
}

function missing(what: string): string {
  return `is missing: give ${what}`;
}

function mustBe(what: string, input: unknown): string {
  const isNumeral = typeof input === "string" && input.trim() !== "" && Number.isFinite(Number(input));
  if (isNumeral && (what === kinds.number || what === kinds.int)) return `must be ${what}: take the quotes away`;
  if (what === kinds.string && (typeof input === "number" || typeof input === "boolean"))
    return "must be a text: put it in quotes";
  const got = Array.isArray(input) ? "array" : input === null ? "null" : typeof input;
  return `must be ${what}${typeof input === "number" ? notThis(input) : `, not ${kinds[got] ?? got}`}`;
}

function kindOf({ expected }: { readonly expected: string }): string {
  return kinds[expected] ?? expected;
}

function choices(values: readonly unknown[]): string {
  const [only] = values;
  if (values.length === 1) return JSON.stringify(only);
  const more = values.length > MOST_CHOICES ? ", …" : "";
  return `one of ${values.slice(0, MOST_CHOICES).map(String).join(", ")}${more}`;
}

function discriminated({ input, discriminator, options }: Extract<RawIssue, { code: "invalid_union" }>): string {
  const given = (input as Readonly<Record<string, unknown>>)[String(discriminator)];
  const known = choices((options as readonly unknown[] | undefined) ?? []);
  return given === undefined ? missing(known) : `must be ${known}${notThis(given)}`;
}

function limit(origin: string, count: number, bound: string, input: unknown): string {
  if (origin === "number" || origin === "int" || origin === "bigint")
    return `must be ${bound} ${count}${notThis(input)}`;
  if (count === 1 && bound === "at least") return "must not be empty";
  const unit = origin === "string" ? "character" : "item";
  return `must have ${bound} ${count} ${unit}${count === 1 ? "" : "s"}`;
}

function notThis(input: unknown): string {
  return typeof input === "number" || (typeof input === "string" && input.length <= 40) ? `, not ${input}` : "";
}
