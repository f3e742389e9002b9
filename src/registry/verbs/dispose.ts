/** What a deletion does to one object: it goes, or it waits for those who have something to do first. */
import { rulesOf, type Surroundings } from "../builtin/rules.ts";
import type { KubeObject, Metadata, Resource } from "../resource.ts";
import type { Row, Transaction } from "../store.ts";
import { toStored, view } from "../view.ts";
import { distinguishable } from "./change.ts";

/** What becomes of the objects that live for the deleted one. **Source:** Kubernetes, "Garbage Collection". */
export type Propagation = "Background" | "Foreground" | "Orphan";

/** Holds an owner until what it blocks is gone; the collector serves it. */
export const FOREGROUND = "foregroundDeletion";
/** Holds an owner until its dependents are free of it; the collector serves it. */
export const ORPHAN = "orphan";

/** The object after the deletion: removed, or marked and still there. */
export interface Disposed {
  readonly object: KubeObject;
  readonly removed: boolean;
}

/** Removes an object, or marks it as being deleted when somebody must be done first. */
export function dispose(
  tx: Transaction,
  row: Row,
  resource: Resource,
  propagation: Propagation,
  around: Surroundings,
): Disposed {
  const old = view(row, resource);
  const { deletionTimestamp, generation } = old.metadata;
  const finalizers = new Set(old.metadata.finalizers ?? []);
  if (deletionTimestamp === undefined && propagation === "Foreground") finalizers.add(FOREGROUND);
  if (deletionTimestamp === undefined && propagation === "Orphan") finalizers.add(ORPHAN);
  if (finalizers.size === 0 && resource.key !== "namespaces") {
    tx.remove(row, toStored(old, resource));
    return { object: old, removed: true };
  }
  if (deletionTimestamp !== undefined) return { object: old, removed: false };
  const marked: KubeObject = {
    ...old,
    metadata: {
      ...old.metadata,
      ...(generation === undefined ? {} : { generation: generation + 1 }),
      deletionTimestamp: around.now,
      deletionGracePeriodSeconds: 0,
      ...(finalizers.size === 0 ? {} : { finalizers: [...finalizers] }),
    },
  };
  const settled = rulesOf(resource.key).settle?.(marked, old, around) ?? marked;
  const stored = tx.put(resource.key, toStored(settled, resource), {
    row,
    prev: distinguishable(settled, old, resource) ? row.doc : null,
  });
  return { object: view(stored, resource), removed: false };
}

/** Takes a finalizer away, and the object too when it was the last one of an object that is being deleted. */
export function release(tx: Transaction, row: Row, resource: Resource, finalizer: string): void {
  const old = view(row, resource);
  const finalizers = (old.metadata.finalizers ?? []).filter((one) => one !== finalizer);
  const { finalizers: _, ...rest } = old.metadata;
  const metadata: Metadata = finalizers.length === 0 ? rest : { ...rest, finalizers };
  const stored = toStored({ ...old, metadata }, resource);
  if (finalizers.length === 0 && metadata.deletionTimestamp !== undefined) tx.remove(row, stored);
  else tx.put(resource.key, stored, { row, prev: null });
}
