/** What happens to an object between the wire and the store: known fields only, defaults filled in, rules kept. */
import { rulesOf } from "./builtin/rules.ts";
import { isObject, type JsonObject, object, text } from "./json.ts";
import { isLabelValue, isQualifiedName, nameProblem } from "./names.ts";
import { apiVersionOf, type KubeObject, type Resource } from "./resource.ts";
import { withDefaults } from "./schema/default.ts";
import { prune } from "./schema/prune.ts";
import { show, validate } from "./schema/validate.ts";
import { badRequest, type Cause, invalid } from "./status.ts";

/** What becomes of fields that the schema does not know. **Source:** Kubernetes API concepts, "Field validation". */
export type FieldValidation = "Strict" | "Warn" | "Ignore";

/** A body that was read. */
export interface Decoded {
  readonly value: unknown;
  /** Paths of keys that the text says twice. */
  readonly duplicates: readonly string[];
}

/** The most that the annotations of an object may hold, keys and values, in bytes. */
const MOST_ANNOTATION_BYTES = 256 * 1024;

/**
 * The object with unknown fields pruned and defaults filled in.
 * @throws {StatusError} 400 when it is of another kind, or has unknown fields in the strict mode.
 */
export function conform(
  { value, duplicates }: Decoded,
  resource: Resource,
  mode: FieldValidation,
  warnings: string[],
): KubeObject {
  if (!isObject(value)) throw badRequest(`the body must be an object of kind ${resource.kind}`);
  const apiVersion = apiVersionOf(resource);
  const given = { apiVersion: value.apiVersion ?? apiVersion, kind: value.kind ?? resource.kind };
  if (given.apiVersion !== apiVersion)
    throw badRequest(
      `the API version in the data (${text(given.apiVersion)}) does not match the expected API version (${apiVersion})`,
    );
  if (given.kind !== resource.kind)
    throw badRequest(`the kind in the data (${text(given.kind)}) does not match the expected kind (${resource.kind})`);
  const unknown: string[] = [];
  const pruned = prune({ ...value, ...given, metadata: value.metadata ?? {} }, resource.schema, "", unknown);
  const problems = [
    ...unknown.map((path) => `unknown field "${path}"`),
    ...duplicates.map((path) => `duplicate field "${path}"`),
  ];
  if (problems.length > 0 && mode === "Strict") {
    const what = `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}`;
    throw badRequest(`${what}: strict decoding error: ${problems.join(", ")}`);
  }
  if (mode === "Warn") warnings.push(...problems);
  const shape: Cause[] = [];
  validate(object(pruned).metadata, resource.schema.properties?.metadata ?? {}, "metadata", shape);
  if (shape.length > 0) throw invalid(resource, nameOf(value), shape);
  return withDefaults(pruned, resource.schema) as KubeObject;
}

/** @throws {StatusError} 422 with everything that is wrong with the object. Parts that are as in `old` are let be. */
export function check(object_: KubeObject, resource: Resource, old?: KubeObject): void {
  const causes: Cause[] = [];
  checkName(object_, resource, causes);
  checkMetadata(object_, causes);
  validate(object_, resource.schema, "", causes, old);
  if (causes.length === 0) causes.push(...(rulesOf(resource.key).check?.(object_, old) ?? []));
  if (causes.length > 0) throw invalid(resource, object_.metadata.name, causes);
}

function nameOf(value: JsonObject): string {
  const { name, generateName } = object(value.metadata);
  return text(name) || text(generateName);
}

function checkName({ metadata }: KubeObject, { nameRule }: Resource, causes: Cause[]): void {
  if (metadata.name === "") {
    const message = "Required value: name or generateName is required";
    causes.push({ reason: "FieldValueRequired", field: "metadata.name", message });
    return;
  }
  const problem = nameProblem(metadata.name, nameRule);
  if (problem === undefined) return;
  const message = `Invalid value: ${show(metadata.name)}: ${problem}`;
  causes.push({ reason: "FieldValueInvalid", field: "metadata.name", message });
}

function checkMetadata({ metadata }: KubeObject, causes: Cause[]): void {
  const { labels, annotations, finalizers = [], ownerReferences = [] } = metadata;
  const invalidValue = (field: string, value: string, why: string) =>
    causes.push({ reason: "FieldValueInvalid", field, message: `Invalid value: ${show(value)}: ${why}` });
  const qualified =
    "name part must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS prefix and '/'";
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (!isQualifiedName(key)) invalidValue("metadata.labels", key, qualified);
    if (!isLabelValue(value))
      invalidValue(
        "metadata.labels",
        value,
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and be no more than 63 characters",
      );
  }
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    if (!isQualifiedName(key.toLowerCase())) invalidValue("metadata.annotations", key, qualified);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > MOST_ANNOTATION_BYTES) {
    const message = `Too long: may not be more than ${MOST_ANNOTATION_BYTES} bytes`;
    causes.push({ reason: "FieldValueTooLong", field: "metadata.annotations", message });
  }
  for (const finalizer of finalizers ?? [])
    if (!isQualifiedName(finalizer)) invalidValue("metadata.finalizers", finalizer, qualified);
  const controllers = (ownerReferences ?? []).filter(({ controller }) => controller === true);
  if (controllers.length > 1)
    invalidValue(
      "metadata.ownerReferences",
      controllers[1]?.name ?? "",
      "only one reference can have controller set to true",
    );
}
