/** Tells clients what is served, in the aggregated form and in the older one. */
import type { Catalog, Group } from "./catalog.ts";
import type { JsonObject } from "./json.ts";
import { apiVersionOf, type Resource } from "./resource.ts";

/** All groups at once: `core` for `/api`, the others for `/apis`. **Source:** Kubernetes, apidiscovery.k8s.io/v2. */
export function aggregated({ groups }: Catalog, core: boolean, version: "v2" | "v2beta1"): JsonObject {
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.filter(({ name }) => (name === "") === core).map(aggregatedGroup),
  };
}

function aggregatedGroup({ name, versions }: Group): JsonObject {
  return {
    metadata: { ...(name === "" ? {} : { name }), creationTimestamp: null },
    versions: versions.map(({ version, resources }) => ({
      version,
      freshness: "Current",
      resources: resources.map(aggregatedResource),
    })),
  };
}

function aggregatedResource(resource: Resource): JsonObject {
  const { group, version, kind, plural, singular, namespaced, verbs, shortNames, categories } = resource;
  const parts = subresources(resource).map(({ name, kind, verbs }) => ({
    subresource: name,
    responseKind: kind,
    verbs,
  }));
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? "Namespaced" : "Cluster",
    singularResource: singular,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
    ...(parts.length > 0 ? { subresources: parts } : {}),
  };
}

function subresources({ group, version, kind, status, scale }: Resource) {
  const verbs = ["get", "patch", "update"];
  return [
    ...(status ? [{ name: "status", kind: { group, version, kind }, verbs }] : []),
    ...(scale ? [{ name: "scale", kind: { group: "autoscaling", version: "v1", kind: "Scale" }, verbs }] : []),
  ];
}

/** `/api` for clients that do not know the aggregated form. **Source:** Kubernetes, meta/v1 APIVersions. */
export function coreVersions(address: string): JsonObject {
  const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress: address }];
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs };
}

/** `/apis` in the older form. **Source:** Kubernetes, meta/v1 APIGroupList. */
export function groupList({ groups }: Catalog): JsonObject {
  return { kind: "APIGroupList", apiVersion: "v1", groups: groups.filter(({ name }) => name !== "").map(groupOf) };
}

/** `/apis/<group>`; undefined when it is not served. **Source:** Kubernetes, meta/v1 APIGroup. */
export function groupDetail({ groups }: Catalog, name: string): JsonObject | undefined {
  const group = groups.find((one) => one.name === name && name !== "");
  return group && { kind: "APIGroup", apiVersion: "v1", ...groupOf(group) };
}

function groupOf({ name, versions }: Group): JsonObject {
  const named = versions.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: named, preferredVersion: named[0] };
}

/** `/api/v1` and `/apis/<group>/<version>`; undefined when it is not served. **Source:** Kubernetes, meta/v1 APIResourceList. */
export function resourceList({ groups }: Catalog, group: string, version: string): JsonObject | undefined {
  const found = groups.find(({ name }) => name === group)?.versions.find((one) => one.version === version);
  if (!found) return undefined;
  const groupVersion = apiVersionOf({ group, version });
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion, resources: found.resources.flatMap(listed) };
}

function listed(resource: Resource): readonly JsonObject[] {
  const { kind, plural, singular, namespaced, verbs, shortNames, categories } = resource;
  const main = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(categories.length > 0 ? { categories } : {}),
  };
  const parts = subresources(resource).map(({ name, kind, verbs }) => ({
    name: `${plural}/${name}`,
    singularName: "",
    namespaced,
    ...(name === "scale" ? { group: kind.group, version: kind.version } : {}),
    kind: kind.kind,
    verbs,
  }));
  return [main, ...parts];
}
