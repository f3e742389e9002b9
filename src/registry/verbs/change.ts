/** Changing an object, by replacement or patch: the one place where updates are decided. */
import { check, conform, type Decoded } from "../admit.ts";
import { type Api, timestamp } from "../api.ts";
import { rulesOf, type Surroundings } from "../builtin/rules.ts";
import { fieldOf } from "../field-selector.ts";
import { equal, object } from "../json.ts";
import type { KubeObject, Metadata, Resource } from "../resource.ts";
import { badRequest, conflict, invalid, notFound } from "../status.ts";
import type { Row, Transaction } from "../store.ts";
import { toStored, view } from "../view.ts";
import { freeMetadata } from "./create.ts";
import type { WriteOptions } from "./options.ts";
import { surroundings } from "./surroundings.ts";

/** Which object is changed, and which part of it. */
export interface Target {
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
  readonly part: "main" | "status";
}

/** Makes the wished object of the present one. What it throws refuses the change. */
export type Edit = (current: KubeObject) => Decoded;

/**
 * Reads, edits and stores an object in one piece, so a patch can never lose against another. An edit that changes
 * nothing stores nothing: no version, no event.
 * @throws {StatusError} 400, 404, 409, 422 and whatever the edit throws.
 */
export async function change(api: Api, target: Target, edit: Edit, options: WriteOptions): Promise<KubeObject> {
  const { resource, namespace, name } = target;
  const now = timestamp(api.clock);
  let version = "";
  const row = await api.store.write((tx) => {
    const row = tx.get(resource.key, namespace, name);
    if (!row) throw notFound(resource, name);
    const old = view(row, resource);
    version = old.metadata.resourceVersion;
    const wish = conform(edit(old), resource, options.fieldValidation, options.warnings);
    checkIdentity(wish, old, target);
    return store(tx, row, old, merged(wish, old, target), target, surroundings(api.store, now));
  }, options.dryRun);
  const changed = view(row, resource);
  // What a dry run did has no version of its own, and `kubectl diff` should not show one.
  return options.dryRun ? { ...changed, metadata: { ...changed.metadata, resourceVersion: version } } : changed;
}

/** Stores an object that was changed by the server itself or by a client. Removes it when its last finalizer is gone. */
function store(
  tx: Transaction,
  row: Row,
  old: KubeObject,
  wish: KubeObject,
  { resource, part }: Target,
  around: Surroundings,
): Row {
  const rules = rulesOf(resource.key);
  const prepared = rules.prepare?.(wish, old) ?? wish;
  check(prepared, resource, old);
  if (part === "main") checkFinalizers(prepared, old, resource);
  const settled = rules.settle?.(prepared, old, around) ?? prepared;
  const counted = withGeneration(settled, old, resource);
  if (equal(counted, old)) return row;
  const { metadata } = counted;
  const stored = toStored(counted, resource);
  if (
    metadata.deletionTimestamp !== undefined &&
    (metadata.finalizers ?? []).length === 0 &&
    resource.key !== "namespaces"
  ) {
    tx.remove(row, stored);
    return { ...row, doc: JSON.stringify(stored) };
  }
  return tx.put(resource.key, stored, { row, prev: distinguishable(counted, old, resource) ? row.doc : null });
}

/** True when a selector could tell the two apart. */
export function distinguishable(now: KubeObject, old: KubeObject, { watchedFields }: Resource): boolean {
  if (!equal(now.metadata.labels ?? {}, old.metadata.labels ?? {})) return true;
  return watchedFields.some((field) => fieldOf(now, field) !== fieldOf(old, field));
}

function checkIdentity({ metadata }: KubeObject, old: KubeObject, { resource, name, namespace }: Target): void {
  if (metadata.name !== undefined && metadata.name !== name)
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  if (metadata.namespace !== undefined && metadata.namespace !== "" && metadata.namespace !== namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  if (metadata.uid !== undefined && metadata.uid !== "" && metadata.uid !== old.metadata.uid)
    throw conflict(
      resource,
      name,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.metadata.uid}`,
    );
  const { resourceVersion = "" } = metadata;
  if (resourceVersion === "" && resource.custom) {
    const message = "Invalid value: 0x0: must be specified for an update";
    throw invalid(resource, name, [{ reason: "FieldValueInvalid", field: "metadata.resourceVersion", message }]);
  }
  if (resourceVersion !== "" && resourceVersion !== old.metadata.resourceVersion)
    throw conflict(
      resource,
      name,
      "the object has been modified; please apply your changes to the latest version and try again",
    );
}

/** The wish where the target's part is concerned, the old object elsewhere. */
function merged(wish: KubeObject, old: KubeObject, { resource, part }: Target): KubeObject {
  const { apiVersion, kind } = old;
  if (part === "status") {
    const { status: _, ...rest } = old;
    return {
      ...rest,
      apiVersion,
      kind,
      metadata: old.metadata,
      ...(wish.status === undefined ? {} : { status: wish.status }),
    };
  }
  const { labels, annotations, finalizers, ownerReferences, ...system } = old.metadata;
  const given = wish.metadata;
  const free = freeMetadata({
    labels: given.labels,
    annotations: given.annotations,
    finalizers: given.finalizers,
    ownerReferences: given.ownerReferences,
  });
  const metadata: Metadata = { ...system, ...free };
  const { status, ...rest } = wish;
  const kept = resource.status ? old.status : status;
  return { ...rest, apiVersion, kind, metadata, ...(kept === undefined ? {} : { status: kept }) };
}

function checkFinalizers({ metadata }: KubeObject, old: KubeObject, resource: Resource): void {
  if (old.metadata.deletionTimestamp === undefined) return;
  const before = old.metadata.finalizers ?? [];
  const added = (metadata.finalizers ?? []).filter((one) => !before.includes(one));
  if (added.length === 0) return;
  const found = `[]string{${added.map((one) => JSON.stringify(one)).join(", ")}}`;
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${found}`;
  throw invalid(resource, metadata.name, [{ reason: "FieldValueForbidden", field: "metadata.finalizers", message }]);
}

/** Counts a change of the desired state. **Source:** Kubernetes API conventions, "Metadata", generation. */
function withGeneration(now: KubeObject, old: KubeObject, { generation, status }: Resource): KubeObject {
  if (!generation || equal(desired(now, status), desired(old, status))) return now;
  return { ...now, metadata: { ...now.metadata, generation: (old.metadata.generation ?? 0) + 1 } };
}

function desired({ metadata: _, ...rest }: KubeObject, hasStatus: boolean): object {
  return hasStatus ? { ...object(rest), status: undefined } : rest;
}
