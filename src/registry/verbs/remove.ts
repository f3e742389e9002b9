/** Deleting one object, or many. */
import { type Api, timestamp } from "../api.ts";
import { isObject, type JsonObject, object, text } from "../json.ts";
import type { KubeObject, Resource } from "../resource.ts";
import { badRequest, conflict, forbidden, notFound, StatusError } from "../status.ts";
import type { Position, Row } from "../store.ts";
import { view } from "../view.ts";
import { type Disposed, dispose, type Propagation } from "./dispose.ts";
import { dryRun } from "./options.ts";
import { isSelected, type Selection } from "./selection.ts";
import { surroundings } from "./surroundings.ts";

/** How a deletion is meant. **Source:** Kubernetes, meta/v1 DeleteOptions. */
export interface DeleteOptions {
  readonly propagation: Propagation;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
}

const POLICIES: readonly Propagation[] = ["Background", "Foreground", "Orphan"];
const PROTECTED = new Set(["default", "kube-system"]);
/** Objects that one transaction deletes, so that a large collection does not hold up the others. */
const CHUNK = 100;

/** Options from the body and the query of a DELETE. @throws {StatusError} 400 for what is not known. */
export function deleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  if (body !== undefined && !isObject(body)) throw badRequest("the body of a deletion must be DeleteOptions");
  const given = object(body);
  const policy = given.propagationPolicy ?? query.get("propagationPolicy") ?? legacy(given, query);
  const propagation = POLICIES.find((one) => one === policy);
  if (!propagation)
    throw badRequest(
      `propagationPolicy: Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan"`,
    );
  const { uid, resourceVersion } = object(given.preconditions);
  const asked = [...(Array.isArray(given.dryRun) ? given.dryRun : []), ...query.getAll("dryRun")];
  return {
    propagation,
    uid: text(uid) || undefined,
    resourceVersion: text(resourceVersion) || undefined,
    dryRun: dryRun(asked),
  };
}

function legacy(given: JsonObject, query: URLSearchParams): Propagation {
  const orphan = given.orphanDependents ?? query.get("orphanDependents");
  return orphan === true || orphan === "true" ? "Orphan" : "Background";
}

/** Deletes one object. @throws {StatusError} 403, 404, 409. */
export async function remove(
  api: Api,
  resource: Resource,
  namespace: string,
  name: string,
  options: DeleteOptions,
): Promise<Disposed> {
  if (resource.key === "namespaces" && PROTECTED.has(name))
    throw forbidden(resource, name, "this namespace may not be deleted");
  const around = surroundings(api.store, timestamp(api.clock));
  return await api.store.write((tx) => {
    const row = tx.get(resource.key, namespace, name);
    if (!row) throw notFound(resource, name);
    checkPreconditions(row, resource, options);
    return dispose(tx, row, resource, options.propagation, around);
  }, options.dryRun);
}

/** Deletes every object of a selection and returns what they were. */
export async function removeAll(
  api: Api,
  resource: Resource,
  selection: Selection,
  options: DeleteOptions,
): Promise<readonly KubeObject[]> {
  if (!resource.verbs.includes("deletecollection"))
    throw new StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
  const around = surroundings(api.store, timestamp(api.clock));
  const removed: KubeObject[] = [];
  let after: Position | undefined;
  for (;;) {
    const rows = api.store.page(resource.key, selection.namespace, after, CHUNK);
    const last = rows.at(-1);
    if (!last) return removed;
    after = { ns: last.ns, name: last.name };
    const chosen = rows.filter((row) => isSelected(view(row, resource), selection));
    await api.store.write((tx) => {
      for (const { ns, name, uid } of chosen) {
        const row = tx.get(resource.key, ns, name);
        if (row?.uid === uid) removed.push(dispose(tx, row, resource, options.propagation, around).object);
      }
    }, options.dryRun);
  }
}

function checkPreconditions(row: Row, resource: Resource, { uid, resourceVersion }: DeleteOptions): void {
  if (uid !== undefined && uid !== row.uid)
    throw conflict(
      resource,
      row.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${row.uid}`,
    );
  if (resourceVersion !== undefined && resourceVersion !== String(row.rv))
    throw conflict(
      resource,
      row.name,
      `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${row.rv}`,
    );
}
