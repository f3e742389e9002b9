/** Devices and their models in a cluster as they are declared, for import and export. */
import type { ApiObject } from "#cloud/kube/objects";
import { deviceKind, modelKind } from "#devices/crd";
import { GROUP, VERSION } from "#devices/model";
import { kubeconfigOf } from "../devices/source.ts";
import { openNamedKube } from "../named-kube.ts";
import type { World } from "../world.ts";
import type { Change } from "./difference.ts";
import type { Tagged } from "./tagged.ts";

/** What is declared in one namespace. */
export interface Cluster extends AsyncDisposable {
  /** Models first. */
  list(signal: AbortSignal): Promise<readonly Tagged[]>;
  /** Creates or changes an object. */
  apply(change: Change, signal: AbortSignal): Promise<void>;
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
  return {
    async list(signal) {
      const found = await Promise.all([modelKind, deviceKind].map((kind) => kube.list(kind, { namespace }, signal)));
      return found.flatMap(({ items }, i) => items.map((item) => taggedOf(i === 0 ? "DeviceModel" : "Device", item)));
    },
    async apply({ kind, name, spec, change }, signal) {
      if (change === "unchanged") return;
      const metadata = { name, namespace };
      if (change === "changed") {
        // Replaced and not merged: a link over another transport has none of the old one's fields.
        const old = await kube.get(kinds[kind], metadata, signal);
        await kube.update(kinds[kind], { ...old, spec }, signal);
      } else await kube.create(kinds[kind], { apiVersion: `${GROUP}/${VERSION}`, kind, metadata, spec }, signal);
    },
    [Symbol.asyncDispose]: () => kube[Symbol.asyncDispose](),
  };
}
