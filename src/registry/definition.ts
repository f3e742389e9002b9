/** What a CustomResourceDefinition means: the resources that it makes, and the state that it is in. */
import { ALL_VERBS } from "./builtin/kind.ts";
import { ageColumn, type ColumnSource, column, nameColumn } from "./columns.ts";
import { isObject, type JsonObject, list, object, text } from "./json.ts";
import type { Column, KubeObject, Resource, ScalePaths } from "./resource.ts";
import { wholeSchema } from "./schema/object-meta.ts";
import type { Schema } from "./schema/schema.ts";

/** Where the definitions themselves are stored. */
export const DEFINITIONS_KEY = "customresourcedefinitions.apiextensions.k8s.io";
/** Keeps a definition until its objects are gone. */
export const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io";

/** Names that a definition claims within its group. */
export interface ClaimedNames {
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
}

/** The names of a definition, with those left out filled in. */
export function claimedNames(definition: JsonObject): ClaimedNames {
  const names = object(object(definition.spec).names);
  const kind = text(names.kind);
  return {
    plural: text(names.plural),
    singular: text(names.singular) || kind.toLowerCase(),
    kind,
    listKind: text(names.listKind) || `${kind}List`,
    shortNames: list(names.shortNames).map(String),
    categories: list(names.categories).map(String),
  };
}

/** Why the names of a definition collide with others of its group; undefined when they do not. */
function nameConflict(names: ClaimedNames, others: readonly KubeObject[]): string | undefined {
  const taken = others.map((other) => object(object(other.status).acceptedNames));
  const resources = new Set(taken.flatMap((one) => [one.plural, one.singular, ...list(one.shortNames)]));
  const kinds = new Set(taken.flatMap((one) => [one.kind, one.listKind]));
  const resource = [names.plural, names.singular, ...names.shortNames].find((name) => resources.has(name));
  if (resource !== undefined) return `"${resource}" is already in use`;
  const kind = [names.kind, names.listKind].find((name) => kinds.has(name));
  return kind === undefined ? undefined : `"${kind}" is already in use`;
}

/** True when the condition of this type holds. */
function hasCondition(object_: JsonObject, type: string): boolean {
  return list(object(object_.status).conditions).some(
    (one) => object(one).type === type && object(one).status === "True",
  );
}

/**
 * The status of a definition among the others of its group. It is established in the write that creates it, so that
 * `kubectl apply -f definition.yaml -f objects.yaml` never comes too early.
 */
export function definitionStatus(definition: KubeObject, others: readonly KubeObject[], now: string): JsonObject {
  const before = object(definition.status);
  const names = claimedNames(definition);
  const conflict = nameConflict(names, others);
  const accepted = conflict === undefined;
  const established = accepted || hasCondition(definition, "Established");
  const versions = list(object(definition.spec).versions).filter(isObject);
  const storage = versions.find(({ storage }) => storage === true);
  const storedVersions = new Set([...list(before.storedVersions).map(String), text(storage?.name)]);
  const conditions = [
    condition("NamesAccepted", accepted, accepted ? "NoConflicts" : "NameConflict", conflict ?? "no conflicts found"),
    condition(
      "Established",
      established,
      established ? "InitialNamesAccepted" : "NotAccepted",
      established ? "the initial names have been accepted" : "not all names are accepted",
    ),
    ...(definition.metadata.deletionTimestamp === undefined
      ? []
      : [
          condition("Terminating", true, "InstanceDeletionInProgress", "the objects of the resource are being deleted"),
        ]),
  ];
  const old = list(before.conditions).filter(isObject);
  return {
    conditions: conditions.map((one) => {
      const same = old.find(({ type, status }) => type === one.type && status === one.status);
      return { ...one, lastTransitionTime: same?.lastTransitionTime ?? now };
    }),
    acceptedNames: accepted ? names : object(before.acceptedNames),
    storedVersions: [...storedVersions],
  };
}

function condition(type: string, holds: boolean, reason: string, message: string) {
  return { type, status: holds ? "True" : "False", reason, message };
}

/** The resources of a definition, one per version; none before it is established. */
export function resourcesOf(definition: KubeObject): readonly Resource[] {
  if (!hasCondition(definition, "Established")) return [];
  const spec = object(definition.spec);
  const versions = list(spec.versions).filter(isObject);
  const storage = text(versions.find(({ storage }) => storage === true)?.name);
  const watched = [...new Set(versions.flatMap(selectableFields))];
  return versions.map((version) => ({ ...resourceOf(definition, version, storage), watchedFields: watched }));
}

function selectableFields(version: JsonObject): readonly string[] {
  return list(version.selectableFields).map((one) => text(object(one).jsonPath).replace(/^\./, ""));
}

function resourceOf(definition: KubeObject, version: JsonObject, storage: string): Omit<Resource, "watchedFields"> {
  const { group, scope } = object(definition.spec);
  const names = { ...claimedNames(definition), ...acceptedNames(definition) };
  const subresources = object(version.subresources);
  const scale = subresources.scale;
  const name = text(version.name);
  const own = object(object(version.schema).openAPIV3Schema) as Schema;
  return {
    ...names,
    group: text(group),
    version: name,
    namespaced: scope === "Namespaced",
    verbs: ALL_VERBS,
    served: version.served === true,
    status: subresources.status !== undefined,
    ...(isObject(scale) ? { scale: scale as unknown as ScalePaths } : {}),
    schema: wholeSchema(own),
    columns: columnsOf(version),
    key: definition.metadata.name,
    storedAs: `${text(group)}/${storage}`,
    fields: selectableFields(version),
    custom: true,
    generation: true,
    nameRule: "subdomain",
    terminating: definition.metadata.deletionTimestamp !== undefined,
    schemaSince: Number(definition.metadata.resourceVersion),
    ...(version.deprecated === true ? { deprecation: deprecation(names, text(group), version) } : {}),
  };
}

function acceptedNames(definition: KubeObject): Partial<ClaimedNames> {
  const accepted = object(object(definition.status).acceptedNames);
  return accepted.plural === undefined ? {} : claimedNames({ spec: { names: accepted } });
}

function deprecation(names: ClaimedNames, group: string, version: JsonObject): string {
  return text(version.deprecationWarning) || `${group}/${text(version.name)} ${names.kind} is deprecated`;
}

function columnsOf(version: JsonObject): readonly Column[] {
  const given = list(version.additionalPrinterColumns).filter(isObject);
  if (given.length === 0) return [nameColumn, ageColumn];
  return [nameColumn, ...given.map((one) => column(one as unknown as ColumnSource))];
}
