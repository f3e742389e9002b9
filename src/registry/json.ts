/** Plain JSON values: what the API receives, stores and sends. */

/** A JSON object of unknown content. */
export type JsonObject = { [key: string]: unknown };

/** True for a JSON object; false for lists, null and scalars. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value itself when it is an object, otherwise an empty one: for reading fields that may be absent. */
export function object(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}

/** The value itself when it is a list, otherwise an empty one. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value itself when it is a string, otherwise an empty one. */
export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** True when two JSON values say the same; the order of keys does not count. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => equal(item, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

/** The object without some of its fields. */
export function without(value: JsonObject, ...keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

/**
 * The object with one field set. Like a literal, it treats `__proto__` as a field of its own and not as the prototype,
 * because the names come from outside.
 */
export function put(target: JsonObject, key: string, value: unknown): void {
  if (key !== "__proto__") target[key] = value;
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
