import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Access } from "#cloud/kube/kubeconfig";
import { type ApiObject, keyOf, pathOf } from "#cloud/kube/objects";
import type { Kind } from "#devices/crd";
import { listen } from "#std/listen";

/** As much of a Kubernetes API as the cloud uses, in memory, with the faults that a real one has. */
export interface FakeCluster extends AsyncDisposable {
  readonly access: Access;
  /** Creates or replaces an object as a user would; its generation grows when the spec differs. */
  apply(kind: Kind, object: { metadata: { name: string; namespace?: string }; spec?: unknown }): ApiObject;
  remove(kind: Kind, key: string): void;
  get(kind: Kind, key: string): ApiObject | undefined;
  all(kind: Kind): readonly ApiObject[];
  /** Requests so far, as `PATCH /apis/...`. */
  readonly requests: string[];
  /** Answers every request with this status until it is undefined. */
  failWith: number | undefined;
  /** Ends every watch. */
  dropWatches(): void;
  /** Forgets the past: watches end, and those from an old version get 410. */
  compact(): void;
}

interface Watcher {
  readonly path: string;
  readonly response: ServerResponse;
}

export async function openFakeCluster(): Promise<FakeCluster> {
  const objects = new Map<string, Map<string, ApiObject>>();
  const log: { readonly version: number; readonly path: string; readonly line: string }[] = [];
  const watchers = new Set<Watcher>();
  const requests: string[] = [];
  let version = 1;
  let oldest = 1;
  let failWith: number | undefined;

  const of = (path: string) => {
    const found = objects.get(path) ?? new Map<string, ApiObject>();
    objects.set(path, found);
    return found;
  };
  function put(path: string, object: ApiObject): ApiObject {
    const key = keyOf(object.metadata);
    const before = of(path).get(key);
    const now = {
      ...object,
      metadata: {
        uid: before?.metadata.uid ?? randomUUID(),
        creationTimestamp: before?.metadata.creationTimestamp ?? new Date().toISOString(),
        ...object.metadata,
        resourceVersion: String(++version),
        generation: (before?.metadata.generation ?? 0) + (same(before?.spec, object.spec) ? 0 : 1),
      },
      ...(path.includes("customresourcedefinitions")
        ? { status: { conditions: [{ type: "Established", status: "True" }] } }
        : {}),
    };
    of(path).set(key, now);
    tell(path, before ? "MODIFIED" : "ADDED", now);
    return now;
  }
  function remove(path: string, key: string): ApiObject | undefined {
    const before = of(path).get(key);
    if (!before) return undefined;
    of(path).delete(key);
    tell(path, "DELETED", { ...before, metadata: { ...before.metadata, resourceVersion: String(++version) } });
    return before;
  }
  function tell(path: string, type: string, object: ApiObject): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    log.push({ version, path, line });
    for (const watcher of watchers) if (watcher.path === path) watcher.response.write(line);
  }
  function watch(path: string, from: number, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (from < oldest) {
      const status = {
        kind: "Status",
        code: 410,
        reason: "Expired",
        message: "too old resource version",
        metadata: {},
      };
      response.end(`${JSON.stringify({ type: "ERROR", object: status })}\n`);
      return;
    }
    for (const entry of log) if (entry.version > from && entry.path === path) response.write(entry.line);
    const watcher = { path, response };
    watchers.add(watcher);
    response.on("close", () => watchers.delete(watcher));
  }
  function list(path: string, namespace: string | undefined, query: URLSearchParams): object {
    const all = [...of(path).values()].filter(
      ({ metadata }) => (namespace ?? metadata.namespace) === metadata.namespace,
    );
    const start = Number(query.get("continue") ?? 0);
    const end = start + Number(query.get("limit") ?? all.length);
    const more = end < all.length ? { continue: String(end) } : {};
    return { items: all.slice(start, end), metadata: { resourceVersion: String(version), ...more } };
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://cluster");
    const { method = "GET" } = request;
    requests.push(`${method} ${url.pathname}`);
    const send = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const refuse = (code: number, reason: string) =>
      send(code, { kind: "Status", code, reason, message: `${reason}: ${url.pathname}` });
    if (failWith !== undefined) return refuse(failWith, "InternalError");
    const { path, namespace, key, isStatus } = split(url.pathname);
    const body = JSON.parse((await read(request)) || "{}") as ApiObject;
    if (key === undefined) {
      if (method === "POST") {
        if (of(path).has(keyOf(body.metadata))) return refuse(409, "AlreadyExists");
        return send(201, put(path, body));
      }
      if (url.searchParams.has("watch")) return watch(path, Number(url.searchParams.get("resourceVersion")), response);
      return send(200, list(path, namespace, url.searchParams));
    }
    const present = of(path).get(key);
    if (!present) return refuse(404, "NotFound");
    if (method === "GET") return send(200, present);
    if (method === "DELETE") return send(200, remove(path, key) ?? {});
    if (method === "PUT") {
      const { resourceVersion } = body.metadata;
      if (resourceVersion !== undefined && resourceVersion !== present.metadata.resourceVersion)
        return refuse(409, "Conflict");
      return send(200, put(path, body));
    }
    const { status, ...rest } = body;
    return send(200, put(path, merge(present, isStatus ? { status } : rest) as ApiObject));
  }

  const server = createServer((request, response) => void answer(request, response));
  const { port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the fake cluster");
  return {
    access: { url: `http://127.0.0.1:${port}`, credentials: async () => ({ tls: {}, headers: {} }) },
    requests,
    get failWith() {
      return failWith;
    },
    set failWith(status) {
      failWith = status;
    },
    apply(kind, { metadata, ...rest }) {
      const before = of(pathOf(kind)).get(keyOf(metadata));
      return put(pathOf(kind), { ...before, ...rest, metadata: { ...before?.metadata, ...metadata } });
    },
    remove: (kind, key) => void remove(pathOf(kind), key),
    get: (kind, key) => of(pathOf(kind)).get(key),
    all: (kind) => [...of(pathOf(kind)).values()],
    dropWatches() {
      for (const { response } of watchers) response.destroy();
    },
    compact() {
      oldest = ++version;
      log.length = 0;
      for (const { response } of watchers) response.destroy();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Collection, object and subresource in a path such as `/apis/g/v/namespaces/ns/devices/name/status`. */
function split(pathname: string) {
  const match = /^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(\/status)?$/;
  const [, base = "", namespace, plural = "", name, status] = match.exec(pathname) ?? [];
  const key = name === undefined ? undefined : namespace === undefined ? name : `${namespace}/${name}`;
  return { path: `${base}/${plural}`, namespace, key, isStatus: status !== undefined };
}

/** Merge patch. **Source:** RFC 7396, section 2. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> =
    typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
