/** How the built-in kinds are described. */
import { nameColumn } from "../columns.ts";
import { apiVersionOf, type Resource } from "../resource.ts";
import { wholeSchema } from "../schema/object-meta.ts";
import type { Schema } from "../schema/schema.ts";
import { qualified } from "../status.ts";

/** Verbs of a resource that is stored. */
export const ALL_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"] as const;

type Given = Pick<Resource, "group" | "version" | "kind" | "plural"> & Partial<Omit<Resource, "schema">>;

/** A built-in resource from what is particular about it; `own` are the fields beside metadata. */
export function builtin(given: Given, own: Schema): Resource {
  const { kind, plural } = given;
  return {
    listKind: `${kind}List`,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: true,
    verbs: ALL_VERBS,
    served: true,
    status: false,
    columns: [nameColumn],
    key: qualified(given),
    storedAs: apiVersionOf(given),
    fields: [],
    watchedFields: given.fields ?? [],
    custom: false,
    generation: false,
    nameRule: "subdomain",
    schemaSince: 0,
    ...given,
    plural,
    schema: wholeSchema(own),
  };
}

/** A field of plain text. */
export function string(description: string): Schema {
  return { type: "string", description };
}

/** A field of a time. Times may be null, which means not set. */
export function time(description: string): Schema {
  return { type: "string", format: "date-time", nullable: true, description };
}

/** A field that is a map of texts. */
export function strings(description: string, format?: string): Schema {
  const value: Schema = format === undefined ? { type: "string" } : { type: "string", format };
  return { type: "object", nullable: true, description, additionalProperties: value };
}

/** A field that is a whole number. */
export function integer(description: string): Schema {
  return { type: "integer", format: "int32", description };
}

/** A field that holds fields. */
export function fields(description: string, properties: Readonly<Record<string, Schema>>): Schema {
  return { type: "object", description, properties };
}
