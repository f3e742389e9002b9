import { z } from "zod";
import { Fault } from "./fault.ts";
import { bestForm, NO_FORM, wordingOf } from "./wording.ts";

/** The one door to zod: a schema parses, types, and prints itself as JSON Schema. */
export { z };

/** Something that checks foreign data and types it. */
export type Schema<T> = z.ZodType<T>;

/** One wrong field. */
export interface Problem {
  /** Path from the root, such as `spec.properties[2].address.register`; empty for the root itself. */
  readonly path: string;
  readonly message: string;
}

/** All problems of a value at once; empty when it is valid. */
export function problems(schema: z.ZodType, value: unknown): readonly Problem[] {
  const result = schema.safeParse(value, ours);
  return result.success ? [] : result.error.issues.flatMap(flatten);
}

/** Parses foreign data. @throws {Fault} `CONFIG_INVALID` (or the given code) naming every wrong field of `what`. */
export function parse<T>(
  schema: z.ZodType<T>,
  value: unknown,
  what: string,
  code: "CONFIG_INVALID" | "MESSAGE_INVALID" | "FRAME_INVALID" | "USAGE_INVALID" = "CONFIG_INVALID",
): T {
  const result = schema.safeParse(value, ours);
  if (result.success) return result.data;
  const found = result.error.issues.flatMap(flatten);
  throw new Fault(code, `${what}: ${found.map(tell).join("; ")}`, { problems: found });
}

/** A problem as people read it. */
export function tell({ path, message }: Problem): string {
  return path === "" ? message : `${path}: ${message}`;
}

/** A path of keys and indices as `a.b[0].c`. */
export function pathOf(keys: readonly PropertyKey[]): string {
  return keys.reduce<string>(
    (path, key) => (typeof key === "number" ? `${path}[${key}]` : path === "" ? String(key) : `${path}.${String(key)}`),
    "",
  );
}

/** Our words instead of zod's, where a schema has none of its own. */
const ours = { error: wordingOf, reportInput: true };

function flatten(issue: z.core.$ZodIssue): readonly Problem[] {
  const path = pathOf(issue.path);
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({ path: pathOf([...issue.path, key]), message: "unknown field" }));
  if (issue.code === "invalid_union" && issue.message === NO_FORM) {
    const best = bestForm(issue.errors);
    if (typeof best === "string") return [{ path, message: best }];
    return best.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  return [{ path, message: lower(issue.message) }];
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
