/** Creating an object. */
import { randomUUID } from "node:crypto";
import { check, conform, type Decoded } from "../admit.ts";
import { type Api, timestamp } from "../api.ts";
import { rulesOf } from "../builtin/rules.ts";
import { DEFINITIONS_KEY } from "../definition.ts";
import { generatedName } from "../names.ts";
import type { KubeObject, Metadata, Resource } from "../resource.ts";
import { alreadyExists, badRequest, forbidden, noSuchResource, notAllowed, notFound } from "../status.ts";
import type { Transaction } from "../store.ts";
import { toStored, view } from "../view.ts";
import type { WriteOptions } from "./options.ts";
import { surroundings } from "./surroundings.ts";

/** Creates the object and returns it as it is stored. @throws {StatusError} 400, 403, 404, 409, 422. */
export async function create(
  api: Api,
  resource: Resource,
  namespace: string,
  body: Decoded,
  options: WriteOptions,
): Promise<KubeObject> {
  const now = timestamp(api.clock);
  const incoming = conform(body, resource, options.fieldValidation, options.warnings);
  const { metadata } = incoming;
  if (metadata.namespace !== undefined && metadata.namespace !== "" && metadata.namespace !== namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== "")
    throw badRequest("resourceVersion should not be set on objects to be created");
  const { status, ...rest } = incoming;
  const kept = resource.status || status === undefined ? rest : { ...rest, status };
  const born: KubeObject = {
    ...kept,
    ...identity(incoming),
    metadata: newMetadata(metadata, namespace, now, resource),
  };
  const prepared = rulesOf(resource.key).prepare?.(born, undefined) ?? born;
  check(prepared, resource);
  const row = await api.store.write((tx) => {
    checkPlace(tx, resource, namespace, prepared.metadata.name);
    const settled = rulesOf(resource.key).settle?.(prepared, undefined, surroundings(api.store, now)) ?? prepared;
    return tx.put(resource.key, toStored(settled, resource));
  }, options.dryRun);
  const created = view(row, resource);
  if (!options.dryRun) return created;
  // What a dry run would have stored has no version.
  const { resourceVersion: _, ...versionless } = created.metadata;
  return { ...created, metadata: versionless as Metadata };
}

function identity({ apiVersion, kind }: KubeObject): Pick<KubeObject, "apiVersion" | "kind"> {
  return { apiVersion, kind };
}

function newMetadata(given: Metadata, namespace: string, now: string, { generation }: Resource): Metadata {
  const { labels, annotations, finalizers, ownerReferences, generateName = "" } = given;
  return {
    name: given.name || (generateName === "" ? "" : generatedName(generateName)),
    ...(generateName === "" ? {} : { generateName }),
    ...(namespace === "" ? {} : { namespace }),
    uid: randomUUID(),
    resourceVersion: "",
    ...(generation ? { generation: 1 } : {}),
    creationTimestamp: now,
    ...freeMetadata({ labels, annotations, finalizers, ownerReferences }),
  };
}

/** The part of metadata that belongs to the clients. Empty maps and lists count as absent. */
export function freeMetadata(given: { readonly [field: string]: unknown }): Partial<Metadata> {
  return Object.fromEntries(
    Object.entries(given).filter(
      ([, value]) => typeof value === "object" && value !== null && Object.keys(value).length > 0,
    ),
  );
}

/** Looks whether there is a place for the object. It runs within the write, so that nobody can remove it meanwhile. */
function checkPlace(tx: Transaction, resource: Resource, namespace: string, name: string): void {
  if (tx.get(resource.key, namespace, name)) throw alreadyExists(resource, name);
  if (resource.custom && !tx.get(DEFINITIONS_KEY, "", resource.key)) throw noSuchResource();
  if (resource.terminating) throw notAllowed("create not allowed while custom resource definition is terminating");
  if (namespace === "") return;
  const home = tx.get("namespaces", "", namespace);
  if (!home) throw notFound({ group: "", plural: "namespaces" }, namespace);
  if (!home.doc.includes('"deletionTimestamp"')) return;
  const { metadata } = JSON.parse(home.doc) as KubeObject;
  if (metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const cause = {
    reason: "NamespaceTerminating",
    message: `namespace ${namespace} is being terminated`,
    field: "metadata.namespace",
  };
  throw forbidden(resource, name, why, { causes: [cause] });
}
