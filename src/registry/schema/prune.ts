/** Drops what a structural schema does not name, and tells what that was. */
import { isObject, type JsonObject, put } from "../json.ts";
import { below, propertySchema, type Schema } from "./schema.ts";

/** Fields that every embedded resource may have. */
const EMBEDDED = new Set(["apiVersion", "kind", "metadata"]);

/**
 * The value without unknown fields; their paths are added to `unknown`.
 * **Source:** Kubernetes, "Extend the API with CustomResourceDefinitions", section "Field pruning".
 */
export function prune(value: unknown, schema: Schema, path: string, unknown: string[]): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item, index) => prune(item, items, below(path, index), unknown)) : value;
  }
  if (!isObject(value)) return value;
  const kept: JsonObject = {};
  const open = schema["x-kubernetes-preserve-unknown-fields"] === true || schema.additionalProperties === true;
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  for (const [key, item] of Object.entries(value)) {
    const child = propertySchema(schema, key);
    if (child) put(kept, key, prune(item, child, below(path, key), unknown));
    else if (open || (embedded && EMBEDDED.has(key))) put(kept, key, item);
    else unknown.push(below(path, key));
  }
  return kept;
}
