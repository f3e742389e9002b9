/** What a URL path names. */

/** An API path, taken apart. */
export interface Route {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string;
}

/**
 * The parts of `/api/v1/...` and `/apis/<group>/<version>/...`; undefined for other paths and for discovery.
 * **Source:** Kubernetes API concepts, "Resource URIs".
 */
export function routeOf(path: string): Route | undefined {
  const steps = decode(path);
  if (!steps) return undefined;
  const [root, ...rest] = steps;
  const core = root === "api";
  if (!core && root !== "apis") return undefined;
  const [group = "", version = "", ...tail] = core ? ["", ...rest] : rest;
  if (tail.length === 0) return undefined;
  if (tail[0] === "namespaces" && tail.length > 2 && !NAMESPACE_PARTS.has(tail[2] ?? "")) {
    const [, namespace, plural = "", name, subresource = "", ...more] = tail;
    return more.length > 0 ? undefined : { group, version, plural, namespace, name, subresource };
  }
  const [plural = "", name, subresource = "", ...more] = tail;
  return more.length > 0 ? undefined : { group, version, plural, namespace: undefined, name, subresource };
}

/** Parts of a namespace itself, where others would be resources in it. */
const NAMESPACE_PARTS = new Set(["status", "finalize"]);

function decode(path: string): readonly string[] | undefined {
  try {
    const steps = path.replace(/\/$/, "").split("/").slice(1).map(decodeURIComponent);
    return steps.every((step) => step !== "") ? steps : undefined;
  } catch {
    return undefined;
  }
}
