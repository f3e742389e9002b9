/** JSON patch: a list of small edits. */
import { equal, isObject, type JsonObject, put } from "../json.ts";
import { badRequest, StatusError } from "../status.ts";

/** The longest patch that is tried, as upstream. */
const MOST_OPERATIONS = 10_000;

/**
 * The value after the patch; the given one stays as it is.
 * **Source:** RFC 6902, section 4.
 * @throws {StatusError} 400 when the patch is none, 422 when it does not apply.
 */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest("a JSON patch must be a list of operations");
  if (patch.length > MOST_OPERATIONS)
    throw new StatusError(413, "RequestEntityTooLarge", `a JSON patch may have at most ${MOST_OPERATIONS} operations`);
  const root = { "": structuredClone(target) };
  for (const operation of patch) apply(root, operation);
  return root[""];
}

function apply(root: JsonObject, operation: unknown): void {
  if (!isObject(operation)) throw badRequest("an operation of a JSON patch must be an object");
  const { op, value } = operation;
  const path = pointer(operation.path);
  switch (op) {
    case "add":
      add(root, path, required(operation, value));
      break;
    case "remove":
      remove(root, path);
      break;
    case "replace":
      replace(root, path, required(operation, value));
      break;
    case "move": {
      const from = pointer(operation.from);
      if (from.length < path.length && from.every((step, index) => step === path[index]))
        throw refused(operation.path, "a value can not be moved into itself");
      add(root, path, remove(root, from));
      break;
    }
    case "copy":
      add(root, path, structuredClone(find(root, pointer(operation.from))));
      break;
    case "test":
      if (!equal(find(root, path), value)) throw refused(operation.path, "testing value failed");
      break;
    default:
      throw badRequest(`unknown operation of a JSON patch: ${JSON.stringify(op)}`);
  }
}

function refused(path: unknown, why: string): StatusError {
  const message = `the server rejected our request due to an error in our request: ${String(path)}: ${why}`;
  return new StatusError(422, "Invalid", message, {});
}

function required(operation: JsonObject, value: unknown): unknown {
  if (Object.hasOwn(operation, "value")) return structuredClone(value);
  throw badRequest(`operation ${JSON.stringify(operation.op)} of a JSON patch needs a value`);
}

/** Steps from the holder of the root. **Source:** RFC 6901. */
function pointer(path: unknown): readonly string[] {
  if (typeof path !== "string" || (path !== "" && !path.startsWith("/")))
    throw badRequest(`not a JSON pointer: ${JSON.stringify(path)}`);
  return path.split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function find(root: unknown, path: readonly string[]): unknown {
  return path.reduce((value: unknown, step) => {
    if (Array.isArray(value) && /^(0|[1-9]\d*)$/.test(step) && Number(step) < value.length) return value[Number(step)];
    if (isObject(value) && Object.hasOwn(value, step)) return value[step];
    throw refused(path.join("/"), "the path does not exist");
  }, root);
}

function parentOf(root: JsonObject, path: readonly string[]): { parent: unknown; last: string } {
  return { parent: find(root, path.slice(0, -1)), last: path.at(-1) ?? "" };
}

function add(root: JsonObject, path: readonly string[], value: unknown): void {
  const { parent, last } = parentOf(root, path);
  if (Array.isArray(parent)) parent.splice(last === "-" ? parent.length : indexIn(parent, last, 1, path), 0, value);
  else if (isObject(parent)) put(parent, last, value);
  else throw refused(path.join("/"), "the path does not exist");
}

function replace(root: JsonObject, path: readonly string[], value: unknown): void {
  find(root, path);
  const { parent, last } = parentOf(root, path);
  if (Array.isArray(parent)) parent[indexIn(parent, last, 0, path)] = value;
  else if (isObject(parent)) put(parent, last, value);
}

function remove(root: JsonObject, path: readonly string[]): unknown {
  const value = find(root, path);
  const { parent, last } = parentOf(root, path);
  if (Array.isArray(parent)) parent.splice(indexIn(parent, last, 0, path), 1);
  else if (isObject(parent)) delete parent[last];
  return value;
}

function indexIn(list: readonly unknown[], step: string, beyond: number, path: readonly string[]): number {
  const index = /^(0|[1-9]\d*)$/.test(step) ? Number(step) : -1;
  if (index < 0 || index >= list.length + beyond) throw refused(path.join("/"), "the index is out of bounds");
  return index;
}
