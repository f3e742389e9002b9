import { crds, deviceKind, modelKind } from "#devices/crd";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { Kube } from "./client.ts";
import { type ApiObject, crdKind } from "./objects.ts";
import { isRefused } from "./refusal.ts";

export interface CrdPorts {
  readonly kube: Kube;
  readonly log: Log;
  readonly clock: Clock;
}

const LOOK_MS = 100;
const MOST_LOOKS = 300;

/**
 * Sees to it that the cluster knows our kinds: creates the definitions, or updates them when they differ, and returns
 * when they are served. Where only an administrator may do that, what is there has to do.
 *
 * @throws {Fault} `CLUSTER_UNREACHABLE`; `CLUSTER_REFUSED` when a definition is missing and may not be created.
 */
export async function applyCrds({ kube, log, clock }: CrdPorts, signal: AbortSignal): Promise<void> {
  for (const [i, wanted] of (crds() as readonly ApiObject[]).entries()) {
    const { name } = wanted.metadata;
    try {
      if (await applyOne(kube, wanted, signal)) log.info("CRD applied", { crd: name });
      await established(kube, name, clock, signal);
    } catch (error) {
      if (!isRefused(error, "Forbidden")) throw error;
      log.warn("CRD can not be applied, using what is there", { crd: name, error });
      // Who may not see the definition may still use what it defines.
      await kube.list(i === 0 ? modelKind : deviceKind, {}, signal);
    }
  }
}

/** True when something was written. */
async function applyOne(kube: Kube, wanted: ApiObject, signal: AbortSignal): Promise<boolean> {
  const { name } = wanted.metadata;
  const present = await kube.get(crdKind, { name }, signal).catch((error: unknown) => {
    if (isRefused(error, "NotFound")) return undefined;
    throw error;
  });
  if (present && covers(present.spec, wanted.spec)) return false;
  try {
    if (present) await kube.update(crdKind, { ...present, spec: wanted.spec }, signal);
    else await kube.create(crdKind, wanted, signal);
    return true;
  } catch (error) {
    // Another replica was first; it wrote the same.
    if (isRefused(error, "AlreadyExists", "Conflict")) return false;
    throw error;
  }
}

async function established(kube: Kube, name: string, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let look = 0; look < MOST_LOOKS; look++) {
    const { status } = await kube.get(crdKind, { name }, signal);
    const { conditions = [] } = (status ?? {}) as { conditions?: readonly { type: string; status: string }[] };
    if (conditions.some(({ type, status }) => type === "Established" && status === "True")) return;
    await clock.sleep(LOOK_MS, signal);
  }
  throw new Fault("CLUSTER_UNREACHABLE", `${name} was not established within ${(MOST_LOOKS * LOOK_MS) / 1000} s`);
}

/** Whether what is there is what is wanted; servers add defaults, which is no difference, but no properties. */
export function covers(present: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted))
    return (
      Array.isArray(present) && present.length === wanted.length && wanted.every((item, i) => covers(present[i], item))
    );
  if (typeof wanted !== "object" || wanted === null) return present === wanted;
  if (typeof present !== "object" || present === null || Array.isArray(present)) return false;
  return Object.entries(wanted).every(([key, value]) => {
    const there = (present as Record<string, unknown>)[key];
    return covers(there, value) && (key !== "properties" || size(there) === size(value));
  });
}

function size(value: unknown): number {
  return Object.keys(value ?? {}).length;
}
