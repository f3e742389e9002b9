/**
 * Jest runs each suite in a realm of its own, whose `Error` is not the one that Node's own errors come from: there,
 * `error instanceof Error` would be false for a port in use or a missing file. It is made true, as it is in production.
 */
const usual = Function.prototype[Symbol.hasInstance];

Object.defineProperty(Error, Symbol.hasInstance, {
  value(this: unknown, error: unknown): boolean {
    return usual.call(this as typeof Error, error) || (this === Error && isError(error));
  },
});

function isError(value: unknown): boolean {
  return Object.prototype.toString.call(value) === "[object Error]";
}
