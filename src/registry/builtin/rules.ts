/** What built-in kinds do beyond their schema, by storage key. */

import { CLEANUP_FINALIZER, claimedNames, DEFINITIONS_KEY, definitionStatus } from "../definition.ts";
import { checkDefinition } from "../definition-check.ts";
import { equal, isObject, type JsonObject, object, text } from "../json.ts";
import type { KubeObject } from "../resource.ts";
import type { Cause } from "../status.ts";

/** What a rule may look at. */
export interface Surroundings {
  /** The other definitions of the same group. */
  readonly siblings: (definition: KubeObject) => readonly KubeObject[];
  readonly now: string;
}

/** The rules of one kind. */
export interface Rules {
  /** Completes an object before it is checked. */
  readonly prepare?: (object: KubeObject, old: KubeObject | undefined) => KubeObject;
  readonly check?: (object: KubeObject, old: KubeObject | undefined) => readonly Cause[];
  /** Fills in what the server itself says about an object that is about to be stored. */
  readonly settle?: (object: KubeObject, old: KubeObject | undefined, around: Surroundings) => KubeObject;
}

/** What keeps a namespace until it is empty, in `spec.finalizers`. */
const NAMESPACE_FINALIZER = "kubernetes";

const namespace: Rules = {
  settle(object_, old) {
    const spec = {
      ...object(object_.spec),
      finalizers: object(old?.spec ?? { finalizers: [NAMESPACE_FINALIZER] }).finalizers,
    };
    const phase = object_.metadata.deletionTimestamp === undefined ? "Active" : "Terminating";
    const labels = { ...object_.metadata.labels, "kubernetes.io/metadata.name": object_.metadata.name };
    const metadata = { ...object_.metadata, labels };
    return { ...object_, metadata, spec, status: { ...object(object_.status), phase } };
  },
};

const secret: Rules = {
  prepare(object_) {
    const { stringData, ...rest } = object_;
    const typed = { ...rest, type: text(object_.type) || "Opaque" } as KubeObject;
    if (!isObject(stringData)) return typed;
    const added = Object.entries(stringData).map(([key, value]) => [key, Buffer.from(text(value)).toString("base64")]);
    return { ...typed, data: { ...object(object_.data), ...Object.fromEntries(added) } };
  },
  check: (object_, old) => [
    ...immutable(object_, old, ["data", "type"]),
    ...(old && object_.type !== old.type ? [fixed("type", object_.type)] : []),
    ...keys(object_, ["data"]),
  ],
};

const configMap: Rules = {
  check: (object_, old) => [
    ...immutable(object_, old, ["data", "binaryData"]),
    ...keys(object_, ["data", "binaryData"]),
  ],
};

function fixed(field: string, value: unknown): Cause {
  const message = `Invalid value: ${JSON.stringify(value) ?? "null"}: field is immutable`;
  return { reason: "FieldValueInvalid", field, message };
}

function immutable(now: JsonObject, old: JsonObject | undefined, fields: readonly string[]): readonly Cause[] {
  if (old?.immutable !== true) return [];
  const why = "Forbidden: field is immutable when `immutable` is set";
  return [...fields, "immutable"]
    .filter((field) => !equal(now[field], old[field]))
    .map((field) => ({ reason: "FieldValueForbidden", field, message: why }));
}

function keys(object_: JsonObject, fields: readonly string[]): readonly Cause[] {
  return fields.flatMap((field) =>
    Object.keys(object(object_[field]))
      .filter((key) => !/^[-._a-zA-Z0-9]{1,253}$/.test(key) || key === "." || key === "..")
      .map((key) => ({
        reason: "FieldValueInvalid",
        field: `${field}[${key}]`,
        message: `Invalid value: ${JSON.stringify(key)}: a valid config key must consist of alphanumeric characters, '-', '_' or '.'`,
      })),
  );
}

const event: Rules = {
  check(object_) {
    const field = object_.regarding === undefined ? "involvedObject" : "regarding";
    const about = text(object(object_[field]).namespace);
    const { namespace = "" } = object_.metadata;
    if (about === namespace || (about === "" && namespace === "default")) return [];
    const message = `Invalid value: ${JSON.stringify(about)}: does not match event.namespace`;
    return [{ reason: "FieldValueInvalid", field: `${field}.namespace`, message }];
  },
};

const definition: Rules = {
  prepare(object_) {
    const spec = object(object_.spec);
    const { singular, listKind } = claimedNames(object_);
    return { ...object_, spec: { ...spec, names: { ...object(spec.names), singular, listKind } } };
  },
  check: checkDefinition,
  settle(object_, _old, { siblings, now }) {
    const finalizers = new Set(object_.metadata.finalizers ?? []);
    if (object_.metadata.deletionTimestamp === undefined) finalizers.add(CLEANUP_FINALIZER);
    const metadata = { ...object_.metadata, finalizers: [...finalizers] };
    const whole = { ...object_, metadata };
    return { ...whole, status: definitionStatus(whole, siblings(whole), now) };
  },
};

const rules: Readonly<Record<string, Rules>> = {
  namespaces: namespace,
  secrets: secret,
  configmaps: configMap,
  events: event,
  [DEFINITIONS_KEY]: definition,
};

const none: Rules = {};

/** The rules of what is stored under a key. */
export function rulesOf(key: string): Rules {
  return rules[key] ?? none;
}
