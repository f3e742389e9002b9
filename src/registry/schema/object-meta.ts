/** The schema of metadata, which every object has. */
import type { Schema } from "./schema.ts";

const text = (description: string): Schema => ({ type: "string", description });
const texts = (description: string): Schema => ({
  type: "object",
  description,
  additionalProperties: { type: "string" },
});

/** **Source:** Kubernetes, meta/v1 OwnerReference. */
export const ownerReference: Schema = {
  type: "object",
  description: "OwnerReference names an object that this one lives for, in the same namespace or cluster-scoped.",
  required: ["apiVersion", "kind", "name", "uid"],
  properties: {
    apiVersion: text("API version of the owner."),
    kind: text("Kind of the owner."),
    name: text("Name of the owner."),
    uid: text("UID of the owner."),
    controller: { type: "boolean", description: "If true, this owner is the managing controller." },
    blockOwnerDeletion: {
      type: "boolean",
      description: "If true, the owner is not removed by a foreground deletion before this object is.",
    },
  },
  "x-kubernetes-map-type": "atomic",
};

/** **Source:** Kubernetes, meta/v1 ObjectMeta. */
export const objectMeta: Schema = {
  type: "object",
  description: "ObjectMeta is metadata that all persisted resources must have.",
  properties: {
    name: text("Name must be unique within a namespace. It can not be updated."),
    generateName: text("A prefix from which the server makes a unique name, if no name is given."),
    namespace: text("Namespace defines the space within which each name must be unique. It can not be updated."),
    uid: text("UID is the unique in time and space value for this object. Populated by the system. Read-only."),
    resourceVersion: text(
      "An opaque value that represents the internal version of this object. Clients may give it back to have a write refused if the object changed meanwhile.",
    ),
    generation: {
      type: "integer",
      format: "int64",
      description: "Counts the changes of the desired state. Read-only.",
    },
    creationTimestamp: {
      type: "string",
      nullable: true,
      format: "date-time",
      description: "The time when the object was created. Read-only.",
    },
    deletionTimestamp: {
      type: "string",
      nullable: true,
      format: "date-time",
      description: "The time at which the deletion of the object was asked for. Read-only.",
    },
    deletionGracePeriodSeconds: { type: "integer", format: "int64", description: "Seconds of grace. Read-only." },
    labels: { ...texts("Map of string keys and values to organise and select objects."), nullable: true },
    annotations: { ...texts("Map of string keys and values for tools; it can not be queried."), nullable: true },
    ownerReferences: {
      type: "array",
      nullable: true,
      description: "Objects that this one lives for. When all of them are gone, it is deleted.",
      items: ownerReference,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["uid"],
      "x-kubernetes-patch-strategy": "merge",
      "x-kubernetes-patch-merge-key": "uid",
    },
    finalizers: {
      type: "array",
      nullable: true,
      description: "Names of those who have something to do before the object may go. It goes when the list is empty.",
      items: { type: "string" },
      "x-kubernetes-list-type": "set",
      "x-kubernetes-patch-strategy": "merge",
    },
    managedFields: {
      type: "array",
      nullable: true,
      description: "Who set which field. This server does not keep track of it.",
      items: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    },
    selfLink: text("Deprecated: it is no longer populated."),
  },
};

const IDENTITY: Readonly<Record<string, Schema>> = {
  apiVersion: text("APIVersion defines the versioned schema of this representation of an object."),
  kind: text("Kind is a string value representing the REST resource this object represents."),
};

/** The schema of a whole object: its own fields and what every object has. */
export function wholeSchema(own: Schema): Schema {
  const { properties = {}, ...rest } = own;
  return { ...rest, type: "object", properties: { ...properties, ...IDENTITY, metadata: objectMeta } };
}
