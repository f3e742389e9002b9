/** Which objects a list, a watch or a deletion is about. */
import { type FieldRequirement, matchesFields, parseFieldSelector } from "../field-selector.ts";
import { matchesLabels, parseLabelSelector, type Requirement } from "../label-selector.ts";
import type { KubeObject, Resource } from "../resource.ts";

/** A namespace, if not all of them, and what labels and fields must be. */
export interface Selection {
  readonly namespace: string | undefined;
  readonly labels: readonly Requirement[];
  readonly fields: readonly FieldRequirement[];
}

/** The selection of a request. @throws {StatusError} 400. */
export function selectionOf(
  resource: Resource,
  namespace: string | undefined,
  name: string | undefined,
  query: URLSearchParams,
): Selection {
  const fields = parseFieldSelector(query.get("fieldSelector") ?? "", resource);
  return {
    namespace,
    labels: parseLabelSelector(query.get("labelSelector") ?? ""),
    fields: name === undefined ? fields : [...fields, { field: "metadata.name", equal: true, value: name }],
  };
}

/** True when every object of the namespace is meant, so that none needs to be parsed. */
export function selectsAll({ labels, fields }: Selection): boolean {
  return labels.length === 0 && fields.length === 0;
}

/** True when the object is meant; its namespace was looked at already. */
export function isSelected(object: KubeObject, { labels, fields }: Selection): boolean {
  return matchesLabels(object.metadata.labels ?? {}, labels) && matchesFields(object, fields);
}
