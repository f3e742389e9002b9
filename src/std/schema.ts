import { z } from "zod";
import { Fault } from "./fault.ts";

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
  const result = schema.safeParse(value);
  return result.success ? [] : result.error.issues.flatMap(flatten);
}

/** Parses foreign data. @throws {Fault} `CONFIG_INVALID` (or the given code) naming every wrong field of `what`. */
export function parse<T>(
  schema: z.ZodType<T>,
  value: unknown,
  what: string,
  code: "CONFIG_INVALID" | "MESSAGE_INVALID" | "FRAME_INVALID" | "USAGE_INVALID" = "CONFIG_INVALID",
): T {
  const result = schema.safeParse(value);
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

function flatten(issue: z.core.$ZodIssue): readonly Problem[] {
  if (issue.code !== "unrecognized_keys") return [{ path: pathOf(issue.path), message: lower(issue.message) }];
  return issue.keys.map((key) => ({ path: pathOf([...issue.path, key]), message: "unknown field" }));
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
