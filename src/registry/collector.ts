/**
 * Removes what has nobody to live for: objects whose owners are gone, the contents of namespaces and the objects of
 * definitions that are being deleted.
 *
 * It is told what happened and looks up the truth itself; after a restart it looks at everything that was unfinished.
 */
import { Bell } from "#std/bell";
import { isAbort } from "#std/scope";
import { type Api, timestamp } from "./api.ts";
import { rulesOf, type Surroundings } from "./builtin/rules.ts";
import { CLEANUP_FINALIZER, DEFINITIONS_KEY } from "./definition.ts";
import { equal } from "./json.ts";
import type { KubeObject, OwnerReference, Resource } from "./resource.ts";
import type { Change, Row, Transaction } from "./store.ts";
import { dispose, FOREGROUND, ORPHAN, release } from "./verbs/dispose.ts";
import { allDefinitions, surroundings } from "./verbs/surroundings.ts";
import { toStored, view } from "./view.ts";

/** Objects that one transaction removes, so that a large namespace does not hold up the others. */
const CHUNK = 100;
/** Even when it is told nothing, it looks again after this time. */
const AGAIN_MS = 60_000;

/** Collects until the signal aborts. What it has to do is noted from the call on. */
export function serveCollector(api: Api, signal: AbortSignal): Promise<void> {
  const { store } = api;
  const bell = new Bell();
  /** Uids of owners that do not exist. */
  const gone = new Set<string>(store.missingOwners());
  /** Objects that wait until others are gone, by uid. */
  const waiting = new Map<string, { readonly key: string; readonly ns: string; readonly name: string }>();

  const note = (change: Pick<Change, "key" | "ns" | "name" | "doc" | "type">) => {
    if (change.type === "DELETED") {
      const { uid } = (JSON.parse(change.doc) as KubeObject).metadata;
      waiting.delete(uid);
      gone.add(uid);
    } else if (change.doc.includes('"deletionTimestamp"') || change.doc.includes('"ownerReferences"')) {
      const { metadata } = JSON.parse(change.doc) as KubeObject;
      if (waits(change.key, metadata)) waiting.set(metadata.uid, change);
      for (const { uid } of metadata.ownerReferences ?? []) gone.add(uid);
    } else return;
    bell.ring();
  };
  const deaf = store.listen((changes) => changes.forEach(note));
  for (const row of store.mentioning('"deletionTimestamp"')) note({ ...row, type: "MODIFIED" });
  bell.ring();

  async function pass(): Promise<void> {
    for (const uid of gone) {
      gone.delete(uid);
      await collectDependents(api, uid);
    }
    for (const [uid, { key, ns, name }] of waiting) {
      const resource = api.catalog().byKey(key);
      const row = store.get(key, ns, name);
      if (!resource || row?.uid !== uid) waiting.delete(uid);
      else await advance(api, row, resource);
    }
  }

  return (async () => {
    try {
      for (;;) {
        await bell.wait(signal, AGAIN_MS);
        try {
          await pass();
        } catch (error) {
          if (isAbort(error, signal)) throw error;
          // The next pass looks again; nothing is lost but time.
          api.log.error("collection failed", { error });
        }
      }
    } catch (error) {
      if (!isAbort(error, signal)) throw error;
    } finally {
      deaf();
    }
  })();
}

/** True for an object whose deletion waits for the collector. */
function waits(key: string, { deletionTimestamp, finalizers = [] }: KubeObject["metadata"]): boolean {
  if (deletionTimestamp === undefined) return false;
  if (key === "namespaces") return true;
  return [FOREGROUND, ORPHAN, CLEANUP_FINALIZER].some((one) => finalizers.includes(one));
}

function around({ store, clock }: Api): Surroundings {
  return surroundings(store, timestamp(clock));
}

/** Deletes what lived for this owner alone; others lose the reference. Does nothing when the owner exists. */
async function collectDependents(api: Api, uid: string): Promise<void> {
  for (;;) {
    const done = await api.store.write((tx) => {
      if (tx.byUid(uid)) return true;
      const rows = api.store.dependents(uid, CHUNK);
      const changed = rows.filter((row) => collect(api, tx, row, uid));
      return rows.length < CHUNK || changed.length === 0;
    });
    if (done) return;
  }
}

function collect(api: Api, tx: Transaction, row: Row, uid: string): boolean {
  const resource = api.catalog().byKey(row.key);
  if (!resource) return false;
  const { metadata } = view(row, resource);
  const left = (metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid && exists(tx, owner, row.ns));
  if (left.length > 0) disown(tx, row, resource, uid);
  else if (metadata.deletionTimestamp === undefined) dispose(tx, row, resource, "Background", around(api));
  else return false;
  return true;
}

/** An owner in another namespace counts as absent: references reach the own namespace and the cluster only. */
function exists(tx: Transaction, { uid }: OwnerReference, ns: string): boolean {
  const owner = tx.byUid(uid);
  return owner !== undefined && (owner.ns === "" || owner.ns === ns);
}

function disown(tx: Transaction, row: Row, resource: Resource, uid: string): void {
  const object = view(row, resource);
  const { ownerReferences = [], ...rest } = object.metadata;
  const left = ownerReferences.filter((owner) => owner.uid !== uid);
  const metadata = left.length === 0 ? rest : { ...rest, ownerReferences: left };
  tx.put(resource.key, toStored({ ...object, metadata }, resource), { row, prev: null });
}

/** Does what the deletion of this object waits for, as far as that is possible now. */
async function advance(api: Api, row: Row, resource: Resource): Promise<void> {
  const { finalizers = [] } = view(row, resource).metadata;
  if (row.key === "namespaces") return await emptyNamespace(api, row);
  if (row.key === DEFINITIONS_KEY) return await emptyDefinition(api, row, resource);
  const orphan = finalizers.includes(ORPHAN);
  for (;;) {
    const again = await api.store.write((tx) => {
      const now = tx.get(row.key, row.ns, row.name);
      if (now?.uid !== row.uid) return false;
      const rows = api.store.dependents(row.uid, CHUNK);
      const open = rows.filter((one) => (orphan ? true : !isLeaving(one) && blocks(one, row.uid)));
      for (const one of open) {
        const kind = api.catalog().byKey(one.key);
        if (!kind) continue;
        if (orphan) disown(tx, one, kind, row.uid);
        else
          dispose(
            tx,
            one,
            kind,
            api.store.dependents(one.uid, 1).length > 0 ? "Foreground" : "Background",
            around(api),
          );
      }
      if (open.length > 0) return true;
      if (orphan) release(tx, now, resource, ORPHAN);
      else if (!rows.some((one) => blocks(one, row.uid))) release(tx, now, resource, FOREGROUND);
      return false;
    });
    if (!again) return;
  }
}

function isLeaving({ doc }: Row): boolean {
  return (JSON.parse(doc) as KubeObject).metadata.deletionTimestamp !== undefined;
}

/** True when a foreground deletion of the owner waits for this object. */
function blocks({ doc }: Row, owner: string): boolean {
  const { ownerReferences = [] } = (JSON.parse(doc) as KubeObject).metadata;
  return ownerReferences.some(({ uid, blockOwnerDeletion }) => uid === owner && blockOwnerDeletion === true);
}

async function emptyNamespace(api: Api, namespace: Row): Promise<void> {
  for (const key of api.store.keysIn(namespace.name)) await disposeAll(api, key, namespace.name);
  await api.store.write((tx) => {
    const row = tx.get(namespace.key, "", namespace.name);
    if (row?.uid !== namespace.uid || api.store.keysIn(namespace.name).length > 0) return;
    tx.remove(row, JSON.parse(row.doc) as KubeObject);
  });
}

async function emptyDefinition(api: Api, definition: Row, resource: Resource): Promise<void> {
  await disposeAll(api, definition.name, undefined);
  await api.store.write((tx) => {
    const row = tx.get(definition.key, "", definition.name);
    if (row?.uid !== definition.uid || api.store.page(definition.name, undefined, undefined, 1).length > 0) return;
    release(tx, row, resource, CLEANUP_FINALIZER);
    resettle(api, tx, resource);
  });
}

/** The names of the one that went are free: another definition may have waited for them. */
function resettle(api: Api, tx: Transaction, resource: Resource): void {
  for (const old of allDefinitions(api.store)) {
    const settled = rulesOf(DEFINITIONS_KEY).settle?.(old, old, around(api)) ?? old;
    const row = tx.get(DEFINITIONS_KEY, "", old.metadata.name);
    if (row && !equal(settled, old)) tx.put(DEFINITIONS_KEY, toStored(settled, resource), { row, prev: null });
  }
}

/** Deletes every object of a key, in one namespace or all; those with finalizers stay until they are done. */
async function disposeAll(api: Api, key: string, ns: string | undefined): Promise<void> {
  const resource = api.catalog().byKey(key);
  if (!resource) return;
  let after = { ns: "", name: "" };
  for (;;) {
    const last = await api.store.write((tx) => {
      const rows = api.store.page(key, ns, after, CHUNK);
      for (const row of rows) if (!isLeaving(row)) dispose(tx, row, resource, "Background", around(api));
      return rows.at(-1);
    });
    if (!last) return;
    after = { ns: last.ns, name: last.name };
  }
}
