/** Which resources are served now: the built-in ones and those of the established definitions. */
import { builtins } from "./builtin/all.ts";
import { resourcesOf } from "./definition.ts";
import type { KubeObject, Resource } from "./resource.ts";
import { apiVersionOf } from "./resource.ts";

/** The served versions of one group, the preferred one first. */
export interface Group {
  readonly name: string;
  readonly versions: readonly { readonly version: string; readonly resources: readonly Resource[] }[];
}

/** What is served. A catalog never changes; another definition makes another catalog. */
export interface Catalog {
  readonly groups: readonly Group[];
  find(group: string, version: string, plural: string): Resource | undefined;
  /** Any version of what is stored under a key, also of what is not served. */
  byKey(key: string): Resource | undefined;
}

/** The catalog of the built-in kinds and these definitions. */
export function catalogOf(definitions: readonly KubeObject[]): Catalog {
  const custom = definitions.flatMap(resourcesOf);
  const known = [...builtins, ...custom];
  const all = known.filter(({ served }) => served);
  const byName = new Map(all.map((resource) => [`${apiVersionOf(resource)}/${resource.plural}`, resource]));
  const byKey = new Map(known.toReversed().map((resource) => [resource.key, resource]));
  return {
    groups: groupsOf(all),
    find: (group, version, plural) => byName.get(`${apiVersionOf({ group, version })}/${plural}`),
    byKey: (key) => byKey.get(key),
  };
}

function groupsOf(all: readonly Resource[]): readonly Group[] {
  return [...Map.groupBy(all, ({ group }) => group)].map(([name, resources]) => ({
    name,
    versions: [...Map.groupBy(resources, ({ version }) => version)]
      .toSorted(([a], [b]) => compareVersions(a, b))
      .map(([version, resources]) => ({ version, resources })),
  }));
}

/**
 * Orders versions by preference: v2, v1, v1beta2, v1beta1, v1alpha1, then all others by name.
 * **Source:** Kubernetes, "Versions in CustomResourceDefinitions", section "Version priority".
 */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [rank(a), rank(b)];
  if (!left || !right) return left ? -1 : right ? 1 : a < b ? -1 : a > b ? 1 : 0;
  for (const [index, value] of left.entries()) {
    const difference = (right[index] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return 0;
}

function rank(version: string): readonly number[] | undefined {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (!match) return undefined;
  const [, major, stage, minor = "0"] = match;
  return [stage === undefined ? 2 : stage === "beta" ? 1 : 0, Number(major), Number(minor)];
}
