/** Fills in the defaults of a structural schema. */
import { isObject, type JsonObject, put } from "../json.ts";
import { propertySchema, type Schema } from "./schema.ts";

/**
 * The value with the defaults of absent fields. A null where none is allowed counts as absent, if there is a default.
 * **Source:** Kubernetes, "Extend the API with CustomResourceDefinitions", sections "Defaulting" and "Defaulting and Nullable".
 */
export function withDefaults(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item) => withDefaults(item, items)) : value;
  }
  if (!isObject(value)) return value;
  const filled: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    const child = propertySchema(schema, key);
    if (child === undefined) put(filled, key, item);
    else if (item !== null || child.nullable || child.default === undefined)
      put(filled, key, withDefaults(item, child));
  }
  for (const [key, child] of Object.entries(schema.properties ?? {}))
    if (child.default !== undefined && !Object.hasOwn(filled, key))
      put(filled, key, withDefaults(structuredClone(child.default), child));
  return filled;
}
