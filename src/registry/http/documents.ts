/** Requests that are not about resources: health, version, discovery and the OpenAPI documents. */
import { createHash } from "node:crypto";
import { isAllowed, refusal } from "../access.ts";
import type { Api } from "../api.ts";
import type { Catalog } from "../catalog.ts";
import { aggregated, coreVersions, groupDetail, groupList, resourceList } from "../discovery.ts";
import { documentPaths, openApiV2, openApiV3 } from "../openapi.ts";
import { noSuchResource, StatusError } from "../status.ts";
import type { Call, Reply } from "./message.ts";
import { acceptsJson, discoveryFormOf } from "./negotiate.ts";

/** kubectl's dispatcher chooses the client of this version; 1.29 to 1.33 work. **Source:** Kubernetes, "Version Skew Policy". */
const VERSION = {
  major: "1",
  minor: "32",
  gitVersion: "v1.32.0+skerry",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "node",
  platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
} as const;

/** Answers for paths that need no identity; undefined for all others. */
export function answerPublic(path: string, query: URLSearchParams): Reply | undefined {
  if (path === "/version" || path === "/version/") return { status: 200, body: JSON.stringify(VERSION) };
  const [, check = "", part] = path.split("/");
  if (!["healthz", "livez", "readyz"].includes(check)) return undefined;
  if (part !== undefined && part !== "ping" && part !== "store") return undefined;
  const verbose = query.has("verbose") && part === undefined;
  const body = verbose ? `[+]ping ok\n[+]store ok\n${check} check passed\n` : "ok";
  return { status: 200, type: "text/plain; charset=utf-8", body };
}

/** Answers for all other paths. @throws {StatusError} 403, 404, 405, 406. */
export function answerDocument(api: Api, call: Call): Reply {
  const intent = {
    on: "path",
    verb: call.method === "HEAD" ? "get" : call.method.toLowerCase(),
    path: call.path,
  } as const;
  if (!isAllowed(call.user, intent))
    throw new StatusError(403, "Forbidden", `forbidden: ${refusal(call.user, intent)}`);
  if (call.method !== "GET" && call.method !== "HEAD") throw noSuchResource();
  const path = call.path.replace(/\/$/, "");
  const catalog = api.catalog();
  if (path.startsWith("/openapi/")) return openApi(catalog, call, path);
  if (path === "/api" || path === "/apis") return discovery(catalog, call, path === "/api");
  const found = detail(catalog, path);
  if (found === undefined) throw noSuchResource();
  return { status: 200, body: JSON.stringify(found) };
}

function detail(catalog: Catalog, path: string): unknown {
  if (path === "")
    return { paths: ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"] };
  const [, root, ...rest] = path.split("/");
  if (root === "api" && rest.length === 1) return resourceList(catalog, "", rest[0] ?? "");
  if (root !== "apis") return undefined;
  const [group = "", version, ...more] = rest;
  if (more.length > 0) return undefined;
  return version === undefined ? groupDetail(catalog, group) : resourceList(catalog, group, version);
}

function discovery(catalog: Catalog, call: Call, core: boolean): Reply {
  const form = discoveryFormOf(call.headers.accept);
  const legacy = () =>
    core ? coreVersions(String(call.headers.host ?? call.headers[":authority"] ?? "")) : groupList(catalog);
  const body = JSON.stringify(form === "legacy" ? legacy() : aggregated(catalog, core, form));
  const type =
    form === "legacy"
      ? "application/json"
      : `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`;
  return tagged(call, body, { type, headers: { vary: "Accept" } });
}

/** The answer with its hash, or 304 when the client has it already. */
function tagged(call: Call, body: string, rest: Partial<Reply>): Reply {
  const etag = `"${hash(body)}"`;
  const headers = { ...rest.headers, etag };
  if (call.headers["if-none-match"] === etag) return { ...rest, status: 304, headers, body: "" };
  return { ...rest, status: 200, headers, body };
}

interface Document {
  readonly text: string;
  readonly hash: string;
}

/** Documents are made when first asked for, and kept as long as their catalog. */
const made = new WeakMap<Catalog, Map<string, Document>>();

function documentsOf(catalog: Catalog): ReadonlyMap<string, Document> {
  const known = made.get(catalog);
  if (known) return known;
  const documents = new Map(
    [...documentPaths(catalog)].map(([path, resources]) => {
      const text = JSON.stringify(openApiV3(path, resources));
      return [path, { text, hash: hash(text) }] as const;
    }),
  );
  made.set(catalog, documents);
  return documents;
}

function openApi(catalog: Catalog, call: Call, path: string): Reply {
  if (path === "/openapi/v2") {
    if (!acceptsJson(call.headers.accept)) return tagged(call, EMPTY_V2, { type: PROTOBUF_V2 });
    return tagged(call, JSON.stringify(openApiV2(catalog)), {});
  }
  const documents = documentsOf(catalog);
  if (path === "/openapi/v3") {
    const paths = [...documents].map(([name, { hash }]) => [
      name,
      { serverRelativeURL: `/openapi/v3/${name}?hash=${hash}` },
    ]);
    return tagged(call, JSON.stringify({ paths: Object.fromEntries(paths) }), {});
  }
  const document = documents.get(path.slice("/openapi/v3/".length));
  if (!path.startsWith("/openapi/v3/") || !document) throw noSuchResource();
  const current = call.query.get("hash") === document.hash;
  const headers = current
    ? { "cache-control": "public, immutable", expires: new Date(Date.now() + YEAR_MS).toUTCString() }
    : {};
  return tagged(call, document.text, { headers });
}

/** Clients ask for it with an `@` before the version, which is no MIME type; this is how it is answered. */
const PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/**
 * The older form without any path, in protobuf: a version, an info, no paths. kubectl reads it when somebody applies a
 * `kind: List`, which the newer form can not describe; it finds nothing to check there and leaves that to the server.
 * **Source:** gnostic, openapiv2/OpenAPIv2.proto, message Document: swagger = 1, info = 2, paths = 8.
 */
const EMPTY_V2 = [field(1, "2.0"), field(2, field(1, "Skerry") + field(2, "v1")), field(8, "")].join("");

/** A length-delimited field. All bytes are below 128, so text carries them as they are. */
function field(number: number, content: string): string {
  return String.fromCharCode((number << 3) | 2, content.length) + content;
}

const YEAR_MS = 365 * 86_400_000;

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 40).toUpperCase();
}
