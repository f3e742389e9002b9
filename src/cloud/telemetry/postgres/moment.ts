/** The last moment that a `Date` can tell. */
const LAST_MS = 8.64e15;

/** A time as PostgreSQL reads it. Times beyond what can be told become the first or last that can. */
export function momentOf(ms: number): string {
  const moment = new Date(Math.min(Math.max(ms, 0), LAST_MS));
  // ECMAScript writes years beyond 9999 with a sign, PostgreSQL without.
  return moment.toISOString().replace(/^\+/, "");
}
