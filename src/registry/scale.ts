/** The scale subresource: how many of something, under paths that the definition names. */

import type { Decoded } from "./admit.ts";
import { isObject, type JsonObject, object, put } from "./json.ts";
import { jsonPath } from "./json-path.ts";
import type { KubeObject, Resource } from "./resource.ts";
import { badRequest } from "./status.ts";

/** Name of the subresource. */
export const SCALE = "scale";

/** An object as a Scale. **Source:** Kubernetes API reference 1.32, autoscaling/v1 Scale. */
export function scaleOf({ scale }: Resource, of: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = of.metadata;
  const number = (path: string | undefined) => (path === undefined ? 0 : (jsonPath(path)(of)[0] ?? 0));
  const selector = scale?.labelSelectorPath === undefined ? undefined : jsonPath(scale.labelSelectorPath)(of)[0];
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: { replicas: number(scale?.specReplicasPath) },
    status: { replicas: number(scale?.statusReplicasPath), ...(selector === undefined ? {} : { selector }) },
  };
}

/** The object with the number that a Scale wishes. @throws {StatusError} 400 when it wishes none. */
export function withScale({ scale }: Resource, current: KubeObject, { value, duplicates }: Decoded): Decoded {
  const wish = object(value);
  const replicas = object(wish.spec).replicas;
  if (typeof replicas !== "number" || !Number.isInteger(replicas) || replicas < 0)
    throw badRequest("spec.replicas of a Scale must be a whole number of at least 0");
  const steps = (scale?.specReplicasPath ?? "").split(".").slice(1);
  const resourceVersion = object(wish.metadata).resourceVersion;
  const metadata = typeof resourceVersion === "string" ? { ...current.metadata, resourceVersion } : current.metadata;
  return { value: { ...withValue(current, steps, replicas), metadata }, duplicates };
}

function withValue(target: unknown, [step, ...rest]: readonly string[], value: unknown): JsonObject {
  const result = isObject(target) ? { ...target } : {};
  if (step !== undefined) put(result, step, rest.length === 0 ? value : withValue(result[step], rest, value));
  return result;
}
