/** The kinds of the core group, except events. **Source:** Kubernetes API reference 1.32, core v1. */
import { ageColumn, column, nameColumn } from "../columns.ts";
import { object } from "../json.ts";
import type { Column, Resource } from "../resource.ts";
import type { Schema } from "../schema/schema.ts";
import { builtin, fields, string, strings } from "./kind.ts";

const core = { group: "", version: "v1" };

const texts = (description: string): Schema => ({
  type: "array",
  nullable: true,
  description,
  items: { type: "string" },
});

const references = (description: string, properties: Readonly<Record<string, Schema>>): Schema => ({
  type: "array",
  nullable: true,
  description,
  items: { type: "object", properties },
  "x-kubernetes-patch-strategy": "merge",
  "x-kubernetes-patch-merge-key": "name",
});

function countColumn(name: string, count: (object: Record<string, unknown>) => number, description: string): Column {
  return { name, type: "integer", description, priority: 0, cell: (object) => count(object) };
}

const size = (value: unknown) => Object.keys(object(value)).length;

/** Namespaces: what is in one goes when it goes. */
export const namespaces: Resource = builtin(
  {
    ...core,
    kind: "Namespace",
    plural: "namespaces",
    shortNames: ["ns"],
    namespaced: false,
    status: true,
    nameRule: "label",
    fields: ["status.phase"],
    verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
    columns: [
      nameColumn,
      column({
        name: "Status",
        type: "string",
        jsonPath: ".status.phase",
        description: "The status of the namespace.",
      }),
      ageColumn,
    ],
  },
  {
    description: "Namespace provides a scope for names.",
    properties: {
      spec: fields("Spec defines the behaviour of the namespace.", {
        finalizers: texts("Who must be done before the namespace is removed."),
      }),
      status: fields("Status describes the current status of the namespace.", {
        phase: string("Active or Terminating."),
        conditions: {
          type: "array",
          nullable: true,
          description: "The latest observations of the namespace's state.",
          items: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
          "x-kubernetes-patch-strategy": "merge",
          "x-kubernetes-patch-merge-key": "type",
        },
      }),
    },
  },
);

/** Configuration as texts. */
export const configMaps: Resource = builtin(
  {
    ...core,
    kind: "ConfigMap",
    plural: "configmaps",
    shortNames: ["cm"],
    columns: [
      nameColumn,
      countColumn("Data", ({ data, binaryData }) => size(data) + size(binaryData), "Number of entries."),
      ageColumn,
    ],
  },
  {
    description: "ConfigMap holds configuration data for others to consume.",
    properties: {
      data: strings("Data contains the configuration data as texts."),
      binaryData: strings("BinaryData contains binary data in base64.", "byte"),
      immutable: { type: "boolean", description: "If true, the data can not be updated." },
    },
  },
);

/** Secrets. They are kept as they come, in a file that only its user can read. */
export const secrets: Resource = builtin(
  {
    ...core,
    kind: "Secret",
    plural: "secrets",
    fields: ["type"],
    columns: [
      nameColumn,
      column({ name: "Type", type: "string", jsonPath: ".type", description: "What the secret is used for." }),
      countColumn("Data", ({ data }) => size(data), "Number of entries."),
      ageColumn,
    ],
  },
  {
    description: "Secret holds secret data of a certain type.",
    properties: {
      data: strings("Data contains the secret data in base64.", "byte"),
      stringData: strings("Secret data as plain texts; write-only, it goes into data."),
      immutable: { type: "boolean", description: "If true, the data can not be updated." },
      type: { type: "string", default: "Opaque", description: "What the secret is used for." },
    },
  },
);

/** Service accounts, as names to refer to. This server issues no tokens for them. */
export const serviceAccounts: Resource = builtin(
  {
    ...core,
    kind: "ServiceAccount",
    plural: "serviceaccounts",
    shortNames: ["sa"],
    columns: [
      nameColumn,
      countColumn("Secrets", ({ secrets }) => (Array.isArray(secrets) ? secrets.length : 0), "Number of secrets."),
      ageColumn,
    ],
  },
  {
    description: "ServiceAccount binds together a name and the secrets that belong to it.",
    properties: {
      automountServiceAccountToken: { type: "boolean", description: "Kept and not used here." },
      secrets: references("Secrets that those who run as this account may use.", {
        apiVersion: string("API version of the referent."),
        kind: string("Kind of the referent."),
        name: string("Name of the referent."),
        namespace: string("Namespace of the referent."),
        uid: string("UID of the referent."),
        fieldPath: string("A part of the referent."),
        resourceVersion: string("Version of the referent."),
      }),
      imagePullSecrets: references("Secrets for pulling images.", { name: string("Name of the secret.") }),
    },
  },
);
