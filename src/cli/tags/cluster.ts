/** Devices and their models in a cluster as they are declared, for import and export. */
import type { ApiObject } from "#cloud/kube/objects";
import { isRefused } from "#cloud/kube/refusal";
import { deviceKind, modelKind } from "#devices/crd";
import { GROUP, VERSION } from "#devices/model";
import { Fault } from "#std/fault";
import { kubeconfigOf } from "../devices/source.ts";
import { openNamedKube } from "../named-kube.ts";
import type { World } from "../world.ts";
import { type Change, merged } from "./difference.ts";
import type { Spec, Tagged } from "./tagged.ts";

/** Requests at a time: a cluster far away takes long for each, and a registry on disk writes several at once. */
const WORKERS = 16;

const MOST_ATTEMPTS = 10;

/** What is declared in one namespace. */
export interface Cluster extends AsyncDisposable {
  /** Models first. */
  list(signal: AbortSignal): Promise<readonly Tagged[]>;
  /** Creates and changes objects, models first. A fault says how many were applied before it. */
  apply(changes: readonly Change[], signal: AbortSignal): Promise<void>;
}

/** Opens a namespace. @throws {Fault} `CLUSTER_UNREACHABLE`, `CONFIG_INVALID`. */
export async function openCluster(
  { kubeconfig, namespace }: { readonly kubeconfig: string | undefined; readonly namespace: string },
  world: World,
): Promise<Cluster> {
  const kube = await openNamedKube(kubeconfigOf(kubeconfig, world), world.clock);
  const kinds = { DeviceModel: modelKind, Device: deviceKind } as const;
  const taggedOf = (kind: Tagged["kind"], { metadata, spec }: ApiObject): Tagged => {
    return { kind, name: metadata.name, spec: (spec ?? {}) as Tagged["spec"] };
  };
  async function applyOne({ kind, name, spec, wanted, change }: Change, signal: AbortSignal): Promise<void> {
    const metadata = { name, namespace };
    if (change === "created") {
      await kube.create(kinds[kind], { apiVersion: `${GROUP}/${VERSION}`, kind, metadata, spec }, signal);
      return;
    }
    // Replaced and not merged: a link over another transport has none of the old one's fields. What somebody else
    // changed since the list was compared stays.
    for (let attempt = 1; ; attempt++) {
      const old = await kube.get(kinds[kind], metadata, signal);
      try {
        await kube.update(kinds[kind], { ...old, spec: merged(kind, (old.spec ?? {}) as Spec, wanted) }, signal);
        return;
      } catch (error) {
        // Its status was written in between.
        if (!isRefused(error, "Conflict") || attempt === MOST_ATTEMPTS) throw error;
      }
    }
  }

  return {
    async list(signal) {
      const found = await Promise.all([modelKind, deviceKind].map((kind) => kube.list(kind, { namespace }, signal)));
      return found.flatMap(({ items }, i) => items.map((item) => taggedOf(i === 0 ? "DeviceModel" : "Device", item)));
    },
    async apply(changes, signal) {
      const todo = changes.filter(({ change }) => change !== "unchanged");
      const of = (kind: Tagged["kind"]) => todo.filter((one) => one.kind === kind);
      let applied = 0;
      for (const kind of ["DeviceModel", "Device"] as const) {
        const queue = of(kind).values();
        const works = Array.from({ length: WORKERS }, async () => {
          for (const change of queue) {
            await applyOne(change, signal);
            applied++;
          }
        });
        const failed = (await Promise.allSettled(works)).find((one) => one.status === "rejected");
        if (failed) throw partly(failed.reason, applied, todo.length);
      }
    },
    [Symbol.asyncDispose]: () => kube[Symbol.asyncDispose](),
  };
}

function partly(error: unknown, applied: number, all: number): unknown {
  if (!Fault.is(error)) return error;
  const hint = `${applied} of ${all} were applied; mend what is wrong and import the same list again.`;
  return new Fault(error.code, error.message, { ...error.detail, cause: error, hint });
}
