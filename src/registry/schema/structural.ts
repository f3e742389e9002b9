/** Checks that a schema of a CustomResourceDefinition is structural and can be kept faithfully here. */
import { isObject, list } from "../json.ts";
import type { Cause } from "../status.ts";
import { compile } from "./pattern.ts";
import type { Schema } from "./schema.ts";
import { show, validate } from "./validate.ts";

const TYPES = ["array", "boolean", "integer", "number", "object", "string"];
const FORBIDDEN = ["$ref", "definitions", "dependencies", "id", "patternProperties", "additionalItems"];
const VALUES = [
  ...["format", "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  ...["minLength", "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"],
  ...["required", "properties", "items", "allOf", "anyOf", "oneOf", "not"],
];
const STRUCTURE = [
  ...["type", "title", "description", "default", "nullable", "additionalProperties", "example", "externalDocs"],
  ...["x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"],
  ...["x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"],
];
const ALLOWED = new Set([...VALUES, ...STRUCTURE]);
const VALIDATIONS = "x-kubernetes-validations";

/**
 * Everything that is wrong with a schema. CEL rules are refused: a rule that is accepted and never evaluated would be a lie.
 * **Source:** Kubernetes, "Extend the API with CustomResourceDefinitions", section "Specifying a structural schema".
 */
export function checkStructural(schema: unknown, path: string): readonly Cause[] {
  const causes: Cause[] = [];
  if (!isObject(schema))
    return [{ reason: "FieldValueRequired", field: path, message: "Required value: schemas are required" }];
  if (schema.type !== "object")
    causes.push({
      reason: "FieldValueInvalid",
      field: `${path}.type`,
      message: `Invalid value: ${show(schema.type ?? "")}: must be object at the root`,
    });
  checkNode(schema, path, causes);
  checkMetadata(schema, path, causes);
  return causes;
}

function checkNode(schema: Record<string, unknown>, path: string, causes: Cause[]): void {
  const before = causes.length;
  checkKeywords(schema, path, causes, ALLOWED);
  checkTyped(schema, path, causes);
  checkLists(schema, path, causes);
  const { properties, additionalProperties, items } = schema;
  if (properties !== undefined && additionalProperties !== undefined && additionalProperties !== false)
    forbid(causes, `${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive");
  if (isObject(properties))
    for (const [name, child] of Object.entries(properties)) descend(child, `${path}.properties[${name}]`, causes);
  if (isObject(additionalProperties)) descend(additionalProperties, `${path}.additionalProperties`, causes);
  if (items !== undefined) descend(items, `${path}.items`, causes);
  for (const [step, part] of junctors(schema)) checkValuePart(part, `${path}.${step}`, causes, schema);
  if (schema.default !== undefined && causes.length === before)
    validate(schema.default, schema as Schema, `${path}.default`, causes);
}

function descend(child: unknown, path: string, causes: Cause[]): void {
  if (isObject(child)) checkNode(child, path, causes);
  else
    causes.push({
      reason: "FieldValueInvalid",
      field: path,
      message: `Invalid value: ${show(child)}: must be a schema`,
    });
}

function checkKeywords(
  schema: Record<string, unknown>,
  path: string,
  causes: Cause[],
  allowed: ReadonlySet<string>,
): void {
  for (const key of Object.keys(schema)) {
    if (key === VALIDATIONS)
      forbid(causes, `${path}.${key}`, "CEL validation rules are not evaluated by this server; remove them");
    else if (FORBIDDEN.includes(key)) forbid(causes, `${path}.${key}`, `${key} is not supported`);
    else if (!allowed.has(key)) forbid(causes, `${path}.${key}`, "not allowed here");
  }
  if (schema.uniqueItems === true)
    forbid(
      causes,
      `${path}.uniqueItems`,
      "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    );
  if (typeof schema.pattern === "string" && compile(schema.pattern) === undefined) {
    const message = `Invalid value: ${show(schema.pattern)}: must be a valid regular expression without look-around and back references`;
    causes.push({ reason: "FieldValueInvalid", field: `${path}.pattern`, message });
  }
}

function checkTyped(schema: Record<string, unknown>, path: string, causes: Cause[]): void {
  const { type } = schema;
  const free = schema["x-kubernetes-preserve-unknown-fields"] === true || schema["x-kubernetes-int-or-string"] === true;
  if (type === undefined || type === "") {
    if (!free) {
      const message = "Required value: must not be empty for specified object fields";
      causes.push({ reason: "FieldValueRequired", field: `${path}.type`, message });
    }
  } else if (!TYPES.includes(String(type))) {
    const message = `Unsupported value: ${show(type)}: supported values: ${TYPES.map(show).join(", ")}`;
    causes.push({ reason: "FieldValueNotSupported", field: `${path}.type`, message });
  }
  if (type === "array" && schema.items === undefined)
    causes.push({ reason: "FieldValueRequired", field: `${path}.items`, message: "Required value: must be specified" });
}

function checkLists(schema: Record<string, unknown>, path: string, causes: Cause[]): void {
  const type = schema["x-kubernetes-list-type"];
  const keys = list(schema["x-kubernetes-list-map-keys"]);
  if (type !== undefined && !["atomic", "set", "map"].includes(String(type))) {
    const message = `Unsupported value: ${show(type)}: supported values: "atomic", "map", "set"`;
    causes.push({ reason: "FieldValueNotSupported", field: `${path}.x-kubernetes-list-type`, message });
  }
  const field = `${path}.x-kubernetes-list-map-keys`;
  if (type !== "map") {
    if (keys.length > 0) forbid(causes, field, "must be empty if x-kubernetes-list-type is not map");
    return;
  }
  if (keys.length === 0)
    causes.push({
      reason: "FieldValueRequired",
      field,
      message: "Required value: must not be empty if x-kubernetes-list-type is map",
    });
  const items = isObject(schema.items) ? schema.items : {};
  const properties = isObject(items.properties) ? items.properties : {};
  for (const [index, key] of keys.entries())
    if (!isObject(properties[String(key)])) {
      const message = `Invalid value: ${show(key)}: entries must all be names of item properties`;
      causes.push({ reason: "FieldValueInvalid", field: `${field}[${index}]`, message });
    }
}

function junctors(schema: Record<string, unknown>): readonly (readonly [string, unknown])[] {
  const lists = ["allOf", "anyOf", "oneOf"].flatMap((name) =>
    list(schema[name]).map((part, index) => [`${name}[${index}]`, part] as const),
  );
  return schema.not === undefined ? lists : [...lists, ["not", schema.not]];
}

/** Below allOf, anyOf, oneOf and not there may be rules for values only; the structure stands above. */
function checkValuePart(part: unknown, path: string, causes: Cause[], parent: Record<string, unknown>): void {
  if (!isObject(part)) {
    descend(part, path, causes);
    return;
  }
  const intOrString = parent["x-kubernetes-int-or-string"] === true;
  checkKeywords(part, path, causes, intOrString ? new Set([...VALUES, "type"]) : new Set(VALUES));
  const { properties, items } = part;
  if (isObject(properties))
    for (const [name, child] of Object.entries(properties))
      checkValuePart(child, `${path}.properties[${name}]`, causes, {});
  if (items !== undefined) checkValuePart(items, `${path}.items`, causes, {});
  for (const [step, child] of junctors(part)) checkValuePart(child, `${path}.${step}`, causes, parent);
}

function checkMetadata(schema: Record<string, unknown>, path: string, causes: Cause[]): void {
  const metadata = isObject(schema.properties) ? schema.properties.metadata : undefined;
  if (!isObject(metadata)) return;
  const properties = isObject(metadata.properties) ? Object.keys(metadata.properties) : [];
  for (const name of properties)
    if (name !== "name" && name !== "generateName")
      forbid(
        causes,
        `${path}.properties[metadata].properties[${name}]`,
        "only restrictions on metadata.name and metadata.generateName are allowed",
      );
}

function forbid(causes: Cause[], field: string, why: string): void {
  causes.push({ reason: "FieldValueForbidden", field, message: `Forbidden: ${why}` });
}
