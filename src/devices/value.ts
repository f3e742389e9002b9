import { z } from "#std/schema";

/** What a property says or should be, as JSON carries it. Bytes are base64; integers beyond 2^53 are decimal strings. */
export const value = z.json();
export type Value = z.infer<typeof value>;

/** How far a value can be trusted. */
export const quality = z.enum(["good", "uncertain", "bad"]);
export type Quality = z.infer<typeof quality>;

/** Milliseconds since the Unix epoch, up to the last moment that a `Date` can tell. **Source:** ECMA-262, section 21.4.1.1. */
export const at = z.number().int().min(0).max(8.64e15);

/** Structural equality of two JSON values; the order of an object's keys does not matter. */
export function equal(a: Value | undefined, b: Value | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, i) => equal(item, b[i]));
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}
