/** Checks a value against a structural schema, with the texts and reasons of upstream. */
import { equal, isObject, list, object } from "../json.ts";
import type { Cause } from "../status.ts";
import { keepsFormat } from "./format.ts";
import { compile } from "./pattern.ts";
import { below, propertySchema, type Schema } from "./schema.ts";

/**
 * Adds everything that is wrong with `value` to `causes`. Parts that are as they were in `old` are let be, so that a
 * stricter schema does not block the update of something else ("ratcheting").
 * **Source:** Kubernetes, apiextensions.k8s.io/v1 JSONSchemaProps; KEP-4008 for ratcheting.
 */
export function validate(value: unknown, schema: Schema, path: string, causes: Cause[], old?: unknown): void {
  if (old !== undefined && equal(value, old)) return;
  if (value === null && schema.nullable) return;
  if (!checkType(value, schema, path, causes)) return;
  checkEnum(value, schema, path, causes);
  if (typeof value === "string") checkString(value, schema, path, causes);
  else if (typeof value === "number") checkNumber(value, schema, path, causes);
  else if (Array.isArray(value)) checkList(value, schema, path, causes, old);
  else if (isObject(value)) checkObject(value, schema, path, causes, old);
  checkJunctors(value, schema, path, causes);
}

/** How messages show a value. */
export function show(value: unknown): string {
  return JSON.stringify(value) ?? "null";
}

function wrong(path: string, value: unknown, rule: string): Cause {
  return {
    reason: "FieldValueInvalid",
    field: path,
    message: `Invalid value: ${show(value)}: ${path} in body ${rule}`,
  };
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function checkType(value: unknown, schema: Schema, path: string, causes: Cause[]): boolean {
  const actual = typeOf(value);
  const expected = schema["x-kubernetes-int-or-string"] ? "integer or string" : schema.type;
  if (expected === undefined || expected === "" || expected === actual) return true;
  if (expected === "number" && actual === "integer") return true;
  if (expected === "integer or string" && (actual === "integer" || actual === "string")) return true;
  const told = `Invalid value: "${actual}": ${path} in body must be of type ${expected}: "${actual}"`;
  causes.push({ reason: "FieldValueTypeInvalid", field: path === "" ? "<nil>" : path, message: told });
  return false;
}

function checkEnum(value: unknown, schema: Schema, path: string, causes: Cause[]): void {
  if (!schema.enum || schema.enum.some((one) => equal(one, value))) return;
  const supported = schema.enum.map(show).join(", ");
  const message = `Unsupported value: ${show(value)}: supported values: ${supported}`;
  causes.push({ reason: "FieldValueNotSupported", field: path, message });
}

function checkString(value: string, schema: Schema, path: string, causes: Cause[]): void {
  const { minLength, maxLength, pattern, format } = schema;
  if (minLength !== undefined || maxLength !== undefined) {
    const length = [...value].length;
    if (minLength !== undefined && length < minLength)
      causes.push(wrong(path, value, `should be at least ${minLength} chars long`));
    if (maxLength !== undefined && length > maxLength) {
      const message = `Too long: may not be more than ${maxLength} bytes`;
      causes.push({ reason: "FieldValueTooLong", field: path, message });
    }
  }
  if (pattern !== undefined && compile(pattern)?.test(value) !== true)
    causes.push(wrong(path, value, `should match '${pattern}'`));
  if (format !== undefined && !keepsFormat(format, value))
    causes.push(wrong(path, value, `must be of type ${format}: ${show(value)}`));
}

function checkNumber(value: number, schema: Schema, path: string, causes: Cause[]): void {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, format } = schema;
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum))
    causes.push(wrong(path, value, `should be greater than ${exclusiveMinimum ? "" : "or equal to "}${minimum}`));
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum))
    causes.push(wrong(path, value, `should be less than ${exclusiveMaximum ? "" : "or equal to "}${maximum}`));
  if (multipleOf !== undefined && !Number.isInteger(Number((value / multipleOf).toPrecision(12))))
    causes.push(wrong(path, value, `should be a multiple of ${multipleOf}`));
  if (format === "int32" && (value < -(2 ** 31) || value > 2 ** 31 - 1))
    causes.push(wrong(path, value, "must be of type int32"));
}

function tooMany(path: string, actual: number, most: number): Cause {
  const message = `Too many: ${actual}: must have at most ${most} items`;
  return { reason: "FieldValueTooMany", field: path, message };
}

function checkList(value: readonly unknown[], schema: Schema, path: string, causes: Cause[], old: unknown): void {
  const { items, minItems, maxItems } = schema;
  if (minItems !== undefined && value.length < minItems)
    causes.push(wrong(path, value, `should have at least ${minItems} items`));
  if (maxItems !== undefined && value.length > maxItems) causes.push(tooMany(path, value.length, maxItems));
  checkUnique(value, schema, path, causes);
  if (!items) return;
  const before = list(old);
  const keys = schema["x-kubernetes-list-map-keys"];
  const byKey = keys ? new Map(before.map((item) => [keyOf(item, keys), item])) : undefined;
  for (const [index, item] of value.entries())
    validate(item, items, below(path, index), causes, byKey && keys ? byKey.get(keyOf(item, keys)) : undefined);
}

function keyOf(item: unknown, keys: readonly string[]): string {
  return JSON.stringify(keys.map((key) => object(item)[key]));
}

function checkUnique(value: readonly unknown[], schema: Schema, path: string, causes: Cause[]): void {
  const type = schema["x-kubernetes-list-type"];
  if (type !== "set" && type !== "map") return;
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    const identity = type === "set" ? show(item) : keyOf(item, keys);
    if (seen.has(identity)) {
      const told = type === "set" ? item : Object.fromEntries(keys.map((key) => [key, object(item)[key]]));
      const message = `Duplicate value: ${show(told)}`;
      causes.push({ reason: "FieldValueDuplicate", field: below(path, index), message });
    }
    seen.add(identity);
  }
}

function checkObject(
  value: Readonly<Record<string, unknown>>,
  schema: Schema,
  path: string,
  causes: Cause[],
  old: unknown,
): void {
  const keys = Object.keys(value);
  const { minProperties, maxProperties, required = [] } = schema;
  for (const name of required)
    if (!Object.hasOwn(value, name))
      causes.push({ reason: "FieldValueRequired", field: below(path, name), message: "Required value" });
  if (minProperties !== undefined && keys.length < minProperties)
    causes.push(wrong(path, value, `should have at least ${minProperties} properties`));
  if (maxProperties !== undefined && keys.length > maxProperties)
    causes.push(tooMany(path, keys.length, maxProperties));
  const before = object(old);
  for (const key of keys) {
    const child = propertySchema(schema, key);
    if (child) validate(value[key], child, below(path, key), causes, before[key]);
  }
}

function passes(value: unknown, schema: Schema, path: string): boolean {
  const found: Cause[] = [];
  validate(value, schema, path, found);
  return found.length === 0;
}

function checkJunctors(value: unknown, schema: Schema, path: string, causes: Cause[]): void {
  const { allOf = [], anyOf, oneOf, not } = schema;
  const broken = (rule: string) =>
    causes.push({ reason: "FieldValueInvalid", field: path, message: `Invalid value: ${show(value)}: ${rule}` });
  for (const part of allOf) validate(value, part, path, causes);
  if (anyOf && !anyOf.some((part) => passes(value, part, path)))
    broken(`"${path}" must validate at least one schema (anyOf)`);
  if (oneOf) {
    const valid = oneOf.filter((part) => passes(value, part, path)).length;
    const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
    if (valid !== 1) broken(`"${path}" must validate one and only one schema (oneOf). ${found}`);
  }
  if (not && passes(value, not, path)) broken(`"${path}" must not validate the schema (not)`);
}
