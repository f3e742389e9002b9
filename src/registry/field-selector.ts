/** Field selectors: which objects a list or watch is about, by a few of their fields. */
import { jsonPath } from "./json-path.ts";
import type { KubeObject, Resource } from "./resource.ts";
import { badRequest } from "./status.ts";

/** One requirement of a field selector. All of them must hold. */
export interface FieldRequirement {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

const ALWAYS = ["metadata.name", "metadata.namespace"];

/**
 * Parses `metadata.name=a,status.phase!=b`. Commas and equals signs of values are escaped by a backslash.
 * **Source:** Kubernetes, "Field Selectors".
 * @throws {StatusError} 400 when it can not be parsed or the resource does not know the field.
 */
export function parseFieldSelector(selector: string, resource: Resource): readonly FieldRequirement[] {
  if (selector.trim() === "") return [];
  return selector.split(/(?<!\\),/).map((part) => {
    const [, field = "", operator = "=", value = ""] =
      /^([^=!]+)(!=|==|=)((?:[^\\=]|\\.)*)$/.exec(part.trim()) ??
      refuse(`invalid field selector: ${JSON.stringify(selector)}`);
    if (!ALWAYS.includes(field) && !resource.fields.includes(field))
      throw badRequest(`field label not supported: ${field}`);
    return { field, equal: operator !== "!=", value: value.replaceAll(/\\(.)/g, "$1") };
  });
}

/** True when the object satisfies every requirement. */
export function matchesFields(object: KubeObject, all: readonly FieldRequirement[]): boolean {
  return all.every(({ field, equal, value }) => (fieldOf(object, field) === value) === equal);
}

/** The text of a field; absent fields are empty. */
export function fieldOf(object: KubeObject, field: string): string {
  const value = jsonPath(`.${field}`)(object)[0];
  return value === undefined || value === null ? "" : String(value);
}

function refuse(message: string): never {
  throw badRequest(message);
}
