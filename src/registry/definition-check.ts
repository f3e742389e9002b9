/** What a CustomResourceDefinition must keep to, beyond its own schema. */
import { builtins } from "./builtin/all.ts";
import { claimedNames } from "./definition.ts";
import { equal, isObject, type JsonObject, list, object, text } from "./json.ts";
import { parsePath } from "./json-path.ts";
import { nameProblem } from "./names.ts";
import type { KubeObject } from "./resource.ts";
import { checkStructural } from "./schema/structural.ts";
import type { Cause } from "./status.ts";

const RESERVED = new Set(builtins.map(({ group }) => group));
const APPROVED = "api-approved.kubernetes.io";
const COLUMN_TYPES = ["integer", "number", "string", "boolean", "date"];

/**
 * Everything that is wrong with a definition.
 * **Source:** Kubernetes, apiextensions.k8s.io/v1 and "Extend the API with CustomResourceDefinitions".
 */
export function checkDefinition(definition: KubeObject, old: KubeObject | undefined): readonly Cause[] {
  const spec = object(definition.spec);
  const group = text(spec.group);
  const names = claimedNames(definition);
  const causes: Cause[] = [];
  const invalid = (field: string, value: unknown, why: string) =>
    causes.push({ reason: "FieldValueInvalid", field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` });

  if (definition.metadata.name !== `${names.plural}.${group}`)
    invalid("metadata.name", definition.metadata.name, 'must be spec.names.plural+"."+spec.group');
  if (nameProblem(group, "subdomain") !== undefined || !group.includes("."))
    invalid("spec.group", group, "should be a domain with at least one dot");
  const guarded = /(^|\.)(k8s|kubernetes)\.io$/.test(group);
  if (RESERVED.has(group) || (guarded && definition.metadata.annotations?.[APPROVED] === undefined))
    invalid("spec.group", group, `protected groups must have approval annotation "${APPROVED}"`);
  for (const field of ["plural", "singular"] as const)
    if (nameProblem(names[field], "label") !== undefined)
      invalid(`spec.names.${field}`, names[field], "must be a DNS label");
  for (const [index, name] of names.shortNames.entries())
    if (nameProblem(name, "label") !== undefined)
      invalid(`spec.names.shortNames[${index}]`, name, "must be a DNS label");
  if (nameProblem(names.kind.toLowerCase(), "label") !== undefined)
    invalid("spec.names.kind", names.kind, "may have mixed case, but should otherwise match a DNS label");
  if (names.listKind === names.kind)
    invalid("spec.names.listKind", names.listKind, "kind and listKind may not be the same");
  if (spec.preserveUnknownFields === true)
    invalid(
      "spec.preserveUnknownFields",
      true,
      "cannot set to true, set x-kubernetes-preserve-unknown-fields to true instead",
    );
  const strategy = object(spec.conversion).strategy;
  if (strategy !== undefined && strategy !== "None")
    causes.push({
      reason: "FieldValueNotSupported",
      field: "spec.conversion.strategy",
      message: `Unsupported value: ${JSON.stringify(strategy)}: supported values: "None"`,
    });
  checkVersions(list(spec.versions).filter(isObject), causes);
  if (old) checkUnchanged(definition, old, causes);
  return causes;
}

function checkVersions(versions: readonly JsonObject[], causes: Cause[]): void {
  const storage = versions.filter((version) => version.storage === true).length;
  const told = JSON.stringify(versions.map(({ name }) => name));
  if (storage !== 1)
    causes.push({
      reason: "FieldValueInvalid",
      field: "spec.versions",
      message: `Invalid value: ${told}: must have exactly one version marked as storage version`,
    });
  if (new Set(versions.map(({ name }) => name)).size !== versions.length)
    causes.push({
      reason: "FieldValueInvalid",
      field: "spec.versions",
      message: `Invalid value: ${told}: must contain unique version names`,
    });
  for (const [index, version] of versions.entries()) checkVersion(version, `spec.versions[${index}]`, causes);
}

function checkVersion(version: JsonObject, path: string, causes: Cause[]): void {
  const problem = nameProblem(text(version.name), "label");
  if (problem !== undefined)
    causes.push({
      reason: "FieldValueInvalid",
      field: `${path}.name`,
      message: `Invalid value: ${JSON.stringify(version.name)}: ${problem}`,
    });
  causes.push(...checkStructural(object(version.schema).openAPIV3Schema, `${path}.schema.openAPIV3Schema`));
  const paths = [
    ...list(version.additionalPrinterColumns).map((one, index) => [
      `additionalPrinterColumns[${index}].jsonPath`,
      object(one).jsonPath,
    ]),
    ...list(version.selectableFields).map((one, index) => [
      `selectableFields[${index}].jsonPath`,
      object(one).jsonPath,
    ]),
  ];
  for (const [field, value] of paths)
    if (!text(value).startsWith(".") || parsePath(text(value)) === undefined)
      causes.push({
        reason: "FieldValueInvalid",
        field: `${path}.${String(field)}`,
        message: `Invalid value: ${JSON.stringify(value)}: must be a JSON path of fields, indices and simple filters, with a leading dot`,
      });
  for (const [index, one] of list(version.additionalPrinterColumns).entries()) {
    const { type } = object(one);
    if (!COLUMN_TYPES.includes(text(type)))
      causes.push({
        reason: "FieldValueNotSupported",
        field: `${path}.additionalPrinterColumns[${index}].type`,
        message: `Unsupported value: ${JSON.stringify(type)}: supported values: ${COLUMN_TYPES.map((one) => `"${one}"`).join(", ")}`,
      });
  }
}

function checkUnchanged(definition: KubeObject, old: KubeObject, causes: Cause[]): void {
  const [now, before] = [object(definition.spec), object(old.spec)];
  const [names, namesBefore] = [object(now.names), object(before.names)];
  const fixed: readonly (readonly [string, unknown, unknown])[] = [
    ["spec.group", now.group, before.group],
    ["spec.scope", now.scope, before.scope],
    ["spec.names.plural", names.plural, namesBefore.plural],
    ["spec.names.kind", names.kind, namesBefore.kind],
  ];
  for (const [field, value, was] of fixed)
    if (!equal(value, was))
      causes.push({
        reason: "FieldValueInvalid",
        field,
        message: `Invalid value: ${JSON.stringify(value)}: field is immutable`,
      });
  const served = new Set(list(now.versions).map((version) => text(object(version).name)));
  for (const [index, stored] of list(object(old.status).storedVersions).entries())
    if (!served.has(String(stored)))
      causes.push({
        reason: "FieldValueInvalid",
        field: `status.storedVersions[${index}]`,
        message: `Invalid value: ${JSON.stringify(stored)}: must appear in spec.versions`,
      });
}
