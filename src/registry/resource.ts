/** What the API knows of one served resource: a kind, in a version, under a plural name. */
import type { JsonObject } from "./json.ts";
import type { Schema } from "./schema/schema.ts";

/** What every object has. Times are RFC 3339 texts. */
export interface Metadata {
  name: string;
  generateName?: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

/** Who an object lives for. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** An object as it is stored and served. */
export interface KubeObject extends JsonObject {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
}

/** One column of `kubectl get`. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description: string;
  /** Above 0 it is shown with `-o wide` only. */
  readonly priority: number;
  readonly cell: (object: KubeObject, nowMs: number) => unknown;
}

/** JSON paths of the scale subresource. */
export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
}

/** Turns objects of one served version into the stored form and back. */
export interface Conversion {
  readonly toStored: (object: JsonObject) => JsonObject;
  readonly fromStored: (object: JsonObject) => JsonObject;
}

/** A resource as it is served in one version. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  /** False for a version that is known and can not be used. */
  readonly served: boolean;
  /** True when `/status` is served apart from the rest. */
  readonly status: boolean;
  readonly scale?: ScalePaths;
  readonly schema: Schema;
  readonly columns: readonly Column[];
  /** Under which key its objects are stored; versions of one resource share it. */
  readonly key: string;
  /** apiVersion of the stored objects. */
  readonly storedAs: string;
  /** Fields that a field selector may name, besides name and namespace. */
  readonly fields: readonly string[];
  /** Fields that a field selector of any version may name: a change of one may move an object out of a selection. */
  readonly watchedFields: readonly string[];
  /** A custom resource: no strategic merge patch, and its definition must exist to write it. */
  readonly custom: boolean;
  /** False where any change leaves `metadata.generation` out, as in most of the core kinds. */
  readonly generation: boolean;
  readonly nameRule: "subdomain" | "label" | "path";
  /** The definition is being deleted: nothing may be created. */
  readonly terminating?: boolean;
  /** Objects that were stored before this version are pruned and given defaults when they are read. */
  readonly schemaSince: number;
  readonly deprecation?: string;
  readonly conversion?: Conversion;
}

/** `v1` or `example.dev/v1`. */
export function apiVersionOf({ group, version }: { readonly group: string; readonly version: string }): string {
  return group === "" ? version : `${group}/${version}`;
}
