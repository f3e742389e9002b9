/** Nesting of a value beyond which PostgreSQL's parser could give up. */
const DEEPEST = 32;
/** What JSON allows and `jsonb` does not: NUL, half a character, and numbers beyond all measure. */
const UNFIT = /\\u(0000|d[89a-f])|[eE][+-]?\d{4}|\d{400}/i;

/**
 * Whether the views can take a body apart. Nobody looks at a body when it comes, so one that makes no sense must not
 * break a query of all others. It is kept as it is, and told by the API, but not by the views.
 */
export function isSound(body: string, isPacked: boolean): boolean {
  if (UNFIT.test(body)) return false;
  let read: unknown;
  try {
    read = JSON.parse(body);
  } catch {
    return false;
  }
  if (!isPacked) return isObject(read) && isObject(read.values) && isReasons(read.bad) && isShallow(read, DEEPEST);
  return Array.isArray(read) && Array.isArray(read[1]) && isReasons(read[2]) && isShallow(read, DEEPEST);
}

function isReasons(reasons: unknown): boolean {
  return reasons === undefined || isObject(reasons);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isShallow(value: unknown, deepest: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return deepest > 0 && Object.values(value).every((item) => isShallow(item, deepest - 1));
}
