import type { Kind } from "#devices/crd";

/** An object of a Kubernetes API, as far as everybody may rely on it. */
export interface ApiObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: Metadata;
  readonly spec?: unknown;
  readonly status?: unknown;
  readonly [field: string]: unknown;
}

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly generation?: number;
  readonly resourceVersion?: string;
  /** RFC 3339. */
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
}

/** Which object of a kind. Without a namespace it is one of the cluster. */
export interface Name {
  readonly name: string;
  readonly namespace?: string;
}

/** Names an object among all of its kind: `namespace/name`. */
export function keyOf({ namespace, name }: Name): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Path of a kind, or of one of its objects. **Source:** Kubernetes API concepts, "Resource URIs". */
export function pathOf({ group, version, plural }: Kind, { namespace, name }: Partial<Name> = {}): string {
  const base = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const scope = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${base}${scope}/${plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}

export const eventKind: Kind = { group: "", version: "v1", kind: "Event", plural: "events" };
export const crdKind: Kind = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
};
