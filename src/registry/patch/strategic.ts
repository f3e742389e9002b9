/** Strategic merge patch, for the built-in kinds. */
import { equal, isObject, type JsonObject, list, object, put } from "../json.ts";
import { propertySchema, type Schema } from "../schema/schema.ts";
import { badRequest } from "../status.ts";

const DELETE_FROM = "$deleteFromPrimitiveList/";
const ORDER = "$setElementOrder/";

/**
 * The value after the patch. Lists merge where the schema names a strategy; all others are replaced.
 * **Source:** Kubernetes, sig-api-machinery, "Strategic Merge Patch".
 * @throws {StatusError} 400 for a directive that is not known.
 */
export function strategicPatch(target: unknown, patch: unknown, schema: Schema): unknown {
  if (!isObject(patch)) return patch;
  const { $patch, $retainKeys, ...fields } = patch;
  if ($patch === "replace") return fields;
  if ($patch === "delete") return {};
  if ($patch !== undefined && $patch !== "merge") throw badRequest(`unknown $patch: ${JSON.stringify($patch)}`);
  const retained = $retainKeys === undefined ? undefined : list($retainKeys);
  const result: JsonObject = Object.fromEntries(
    Object.entries(object(target)).filter(([key]) => retained?.includes(key) ?? true),
  );
  const directives: [string, unknown][] = [];
  for (const [key, value] of Object.entries(fields)) {
    if (key.startsWith("$")) directives.push([key, value]);
    else if (value === null) delete result[key];
    else
      put(
        result,
        key,
        mergeField(Object.hasOwn(result, key) ? result[key] : undefined, value, propertySchema(schema, key)),
      );
  }
  for (const [key, value] of directives) direct(result, key, list(value), schema);
  return result;
}

function mergeField(current: unknown, value: unknown, schema: Schema = {}): unknown {
  if (!Array.isArray(value)) return strategicPatch(current, value, schema);
  if (schema["x-kubernetes-patch-strategy"] !== "merge") return value;
  const key = schema["x-kubernetes-patch-merge-key"];
  return key === undefined ? union(list(current), value) : mergeItems(list(current), value, key, schema.items ?? {});
}

function union(current: readonly unknown[], added: readonly unknown[]): unknown[] {
  return [...current, ...added.filter((item) => !current.some((one) => equal(one, item)))];
}

function mergeItems(current: readonly unknown[], patch: readonly unknown[], key: string, schema: Schema): unknown[] {
  if (patch.some((item) => object(item).$patch === "replace"))
    return patch.filter((item) => object(item).$patch !== "replace");
  const result = [...current];
  for (const item of patch) {
    const identity = object(item)[key];
    if (identity === undefined) throw badRequest(`an item of a merged list lacks its merge key ${key}`);
    const index = result.findIndex((one) => equal(object(one)[key], identity));
    if (object(item).$patch === "delete") {
      if (index >= 0) result.splice(index, 1);
    } else if (index >= 0) result[index] = strategicPatch(result[index], item, schema);
    else result.push(strategicPatch({}, item, schema));
  }
  return result;
}

/** Carries out what stands beside the fields: `$deleteFromPrimitiveList/x`, `$setElementOrder/x`. */
function direct(result: JsonObject, directive: string, values: readonly unknown[], schema: Schema): void {
  if (directive.startsWith(DELETE_FROM)) {
    const field = directive.slice(DELETE_FROM.length);
    const left = list(result[field]).filter((item) => !values.some((value) => equal(value, item)));
    put(result, field, left);
  } else if (directive.startsWith(ORDER)) {
    const field = directive.slice(ORDER.length);
    const key = propertySchema(schema, field)?.["x-kubernetes-patch-merge-key"];
    const rank = (item: unknown) => {
      const index = values.findIndex((value) =>
        key === undefined ? equal(value, item) : equal(object(value)[key], object(item)[key]),
      );
      return index < 0 ? values.length : index;
    };
    if (Array.isArray(result[field]))
      put(
        result,
        field,
        list(result[field]).toSorted((a, b) => rank(a) - rank(b)),
      );
  } else throw badRequest(`unknown directive of a strategic merge patch: ${directive}`);
}
