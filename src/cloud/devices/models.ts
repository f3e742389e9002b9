import { type Condition, condition, modelKind } from "#devices/crd";
import type { Schemas } from "#devices/expand";
import type { Kube } from "../kube/client.ts";
import type { ApiObject } from "../kube/objects.ts";
import { isRefused } from "../kube/refusal.ts";
import { modelVerdict } from "./verdict.ts";

/** Says in the cluster whether devices can be made of a model; writes nothing when it says so already. */
export async function conditionModel(
  kube: Pick<Kube, "patchStatus">,
  { metadata, spec, status }: ApiObject,
  schemas: Schemas | undefined,
  nowMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace = "", generation = 0 } = metadata;
  const verdict = modelVerdict(spec, schemas);
  const before = acceptedIn(status);
  if (
    before?.status === verdict.status &&
    before.message === verdict.message &&
    before.observedGeneration === generation
  )
    return;
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  const lastTransitionTime = before?.status === verdict.status ? before.lastTransitionTime : now;
  const accepted = { type: "Accepted", ...verdict, lastTransitionTime, observedGeneration: generation };
  try {
    const status = { observedGeneration: generation, conditions: [accepted] };
    await kube.patchStatus(modelKind, { name, namespace }, status, signal);
  } catch (error) {
    // It went meanwhile, which is what the next look would say.
    if (!isRefused(error, "NotFound")) throw error;
  }
}

function acceptedIn(status: unknown): Condition | undefined {
  const { conditions } = (status ?? {}) as { conditions?: unknown };
  const found = Array.isArray(conditions) ? conditions.find(({ type }) => type === "Accepted") : undefined;
  const { success, data } = condition.safeParse(found);
  return success ? data : undefined;
}
