/** OpenAPI documents, from which kubectl explains, checks and edits. */
import type { Catalog } from "./catalog.ts";
import { isObject, type JsonObject } from "./json.ts";
import { apiVersionOf, type Resource } from "./resource.ts";
import { objectMeta, ownerReference } from "./schema/object-meta.ts";

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
const REF = "#/components/schemas/";
const info = { title: "Skerry", version: "v1.32.0" };

/** Paths of the documents below `/openapi/v3/`, with the resources of each. */
export function documentPaths({ groups }: Catalog): ReadonlyMap<string, readonly Resource[]> {
  return new Map(
    groups.flatMap(({ name, versions }) =>
      versions.map(({ version, resources }) => [name === "" ? `api/${version}` : `apis/${name}/${version}`, resources]),
    ),
  );
}

/** The document of one group and version. **Source:** OpenAPI 3.0.0; Kubernetes, "The Kubernetes API", section "OpenAPI V3". */
export function openApiV3(path: string, resources: readonly Resource[]): JsonObject {
  const schemas = resources.map((resource) => [schemaName(resource), kindSchema(resource)] as const);
  const paths = resources.flatMap((resource) => pathsOf(path, resource));
  return {
    openapi: "3.0.0",
    info,
    paths: Object.fromEntries(paths),
    components: { schemas: { ...Object.fromEntries(schemas), ...metaSchemas() } },
  };
}

/** Everything in the older form, for tools that still ask for it. **Source:** OpenAPI 2.0. */
export function openApiV2(catalog: Catalog): JsonObject {
  const all = [...documentPaths(catalog).values()].flat();
  const schemas = { ...Object.fromEntries(all.map((one) => [schemaName(one), kindSchema(one)])), ...metaSchemas() };
  const definitions: unknown = JSON.parse(JSON.stringify(schemas).replaceAll(REF, "#/definitions/"));
  return { swagger: "2.0", info, paths: {}, definitions };
}

/** `dev.example.v1.Widget`, `io.k8s.api.core.v1.ConfigMap`. */
function schemaName({ group, version, kind, custom }: Resource): string {
  if (!custom) return `io.k8s.api.${group.replace(/\..*$/, "") || "core"}.${version}.${kind}`;
  return `${group.split(".").toReversed().join(".")}.${version}.${kind}`;
}

function metaSchemas(): JsonObject {
  const owners = { ...objectMeta.properties?.ownerReferences, items: { $ref: `${REF}${META}.OwnerReference` } };
  const properties = { ...objectMeta.properties, ownerReferences: owners };
  return {
    [`${META}.ObjectMeta`]: { ...objectMeta, properties },
    [`${META}.OwnerReference`]: ownerReference,
  };
}

function kindSchema(resource: Resource): JsonObject {
  const { group, version, kind, schema } = resource;
  const metadata = {
    description: "Standard object's metadata.",
    default: {},
    allOf: [{ $ref: `${REF}${META}.ObjectMeta` }],
  };
  return {
    ...published(schema),
    properties: { ...(published(schema).properties as JsonObject), metadata },
    "x-kubernetes-group-version-kind": [{ group, kind, version }],
  };
}

/** A schema as clients may read it: OpenAPI has no node that says int or string by an extension alone. */
function published(schema: unknown): JsonObject {
  if (!isObject(schema)) return {};
  const entries = Object.entries(schema).map(([key, value]) => [key, publishedPart(key, value)] as const);
  const shown: JsonObject = Object.fromEntries(entries);
  if (shown["x-kubernetes-int-or-string"] === true)
    return { ...shown, oneOf: [{ type: "integer" }, { type: "string" }] };
  return shown;
}

function publishedPart(key: string, value: unknown): unknown {
  if (key === "properties" && isObject(value))
    return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, published(child)]));
  if ((key === "items" || key === "additionalProperties") && isObject(value)) return published(value);
  return value;
}

/** The paths of a resource. kubectl looks for a PATCH of the kind with `fieldValidation` before it sends anything. */
function pathsOf(root: string, resource: Resource): readonly (readonly [string, JsonObject])[] {
  const { group, version, kind, plural, namespaced, custom, verbs } = resource;
  const base = `/${root}/${namespaced ? "namespaces/{namespace}/" : ""}${plural}`;
  const schema = { $ref: `${REF}${schemaName(resource)}` };
  const body = (types: readonly string[], content: JsonObject) => ({
    content: Object.fromEntries(types.map((type) => [type, { schema: content }])),
    required: true,
  });
  const operation = (action: string, parameters: readonly JsonObject[], requestBody?: JsonObject): JsonObject => ({
    operationId: `${action}${apiVersionOf(resource).replaceAll(/\W/g, "_")}${kind}`,
    parameters,
    ...(requestBody ? { requestBody } : {}),
    responses: { "200": { description: "OK", content: { "application/json": { schema } } } },
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": { group, kind, version },
  });
  const json = ["application/json", "application/yaml"];
  const patches = ["application/json-patch+json", "application/merge-patch+json"];
  const patchTypes = custom ? patches : [...patches, "application/strategic-merge-patch+json"];
  const collection = {
    ...(verbs.includes("list") ? { get: operation("list", []) } : {}),
    post: operation("post", WRITING, body(json, schema)),
  };
  if (!verbs.includes("patch")) return [[base, collection]];
  const item = {
    get: operation("get", []),
    put: operation("put", WRITING, body(json, schema)),
    patch: operation("patch", WRITING, body(patchTypes, { type: "object" })),
    delete: operation("delete", [parameter("dryRun")]),
  };
  return [
    [base, collection],
    [`${base}/{name}`, item],
    ...(resource.status
      ? [[`${base}/{name}/status`, { get: item.get, put: item.put, patch: item.patch }] as const]
      : []),
  ];
}

function parameter(name: string): JsonObject {
  return { name, in: "query", schema: { type: "string", uniqueItems: true } };
}

const WRITING = ["dryRun", "fieldManager", "fieldValidation"].map(parameter);
