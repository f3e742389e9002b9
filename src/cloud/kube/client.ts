import type { Kind } from "#devices/crd";
import { type Clock, systemClock } from "#std/clock";
import type { HttpRequest } from "#std/undici";
import { Door, PROGRAM } from "./door.ts";
import type { Access } from "./kubeconfig.ts";
import { type ApiObject, type Name, pathOf } from "./objects.ts";

/** The verbs of a Kubernetes API that we use, and nothing that only one of them can do. */
export interface Kube extends AsyncDisposable {
  get(kind: Kind, name: Name, signal: AbortSignal): Promise<ApiObject>;
  /** All objects of a kind, in one namespace or in every one, and the version to watch from. */
  list(kind: Kind, where: Place, signal: AbortSignal): Promise<Listed>;
  create(kind: Kind, object: ApiObject, signal: AbortSignal): Promise<ApiObject>;
  /** Replaces an object; a resource version in it that is not the present one is a `Conflict`. */
  update(kind: Kind, object: ApiObject, signal: AbortSignal): Promise<ApiObject>;
  /** Merges into an object (RFC 7396). */
  patch(kind: Kind, name: Name, merge: object, signal: AbortSignal): Promise<ApiObject>;
  /** Merges into the status alone. */
  patchStatus(kind: Kind, name: Name, status: object, signal: AbortSignal): Promise<ApiObject>;
  delete(kind: Kind, name: Name, signal: AbortSignal): Promise<void>;
  /** What happens after a version, as it happens. Ends when the server ends it, at the latest after `timeoutMs`. */
  watch(kind: Kind, from: WatchFrom, signal: AbortSignal): AsyncIterable<WatchEvent>;
}

export interface Listed {
  readonly items: readonly ApiObject[];
  /** Opaque: it is given to `watch` and compared with nothing. */
  readonly resourceVersion: string;
}

/** Where to look. Without a namespace everywhere, which takes the right to see everything. */
export type Place = Pick<Partial<Name>, "namespace">;

export interface WatchFrom extends Place {
  readonly resourceVersion: string;
  readonly timeoutMs: number;
}

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: ApiObject;
}

const PAGE = 500;

/** Opens a client of a cluster. Nothing is asked until it is used. */
export function openKube(access: Access, clock: Pick<Clock, "monotonic"> = systemClock): Kube {
  const door = new Door(access, clock);

  function ask(what: string, request: HttpRequest, signal: AbortSignal): Promise<unknown> {
    return door.ask(what, request, signal);
  }
  function write(method: "POST" | "PUT" | "PATCH", path: string, body: object, signal: AbortSignal) {
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const request = { method, path: `${path}?fieldManager=${PROGRAM}`, body: JSON.stringify(body) };
    return ask(`${method} ${path}`, { ...request, headers: { "content-type": type } }, signal) as Promise<ApiObject>;
  }

  return {
    get: (kind, name, signal) => {
      const path = pathOf(kind, name);
      return ask(`GET ${path}`, { method: "GET", path }, signal) as Promise<ApiObject>;
    },
    async list(kind, where, signal) {
      const path = pathOf(kind, where);
      const items: ApiObject[] = [];
      let next = "";
      let resourceVersion: string | undefined;
      for (;;) {
        const query = `?limit=${PAGE}${next === "" ? "" : `&continue=${encodeURIComponent(next)}`}`;
        const page = (await ask(`GET ${path}`, { method: "GET", path: path + query }, signal)) as Page;
        items.push(...(page.items ?? []));
        next = page.metadata?.continue ?? "";
        // Later pages may show a later moment; a watch from the first one's misses nothing.
        resourceVersion ??= page.metadata?.resourceVersion ?? "";
        if (next === "") return { items, resourceVersion };
      }
    },
    create: (kind, object, signal) => write("POST", pathOf(kind, placeOf(object)), object, signal),
    update: (kind, object, signal) => write("PUT", pathOf(kind, nameOf(object)), object, signal),
    patch: (kind, name, merge, signal) => write("PATCH", pathOf(kind, name), merge, signal),
    patchStatus: (kind, name, status, signal) => write("PATCH", `${pathOf(kind, name)}/status`, { status }, signal),
    async delete(kind, name, signal) {
      const path = pathOf(kind, name);
      await ask(`DELETE ${path}`, { method: "DELETE", path }, signal);
    },
    async *watch(kind, { resourceVersion, timeoutMs, ...where }, signal) {
      const path = pathOf(kind, where);
      const query = new URLSearchParams({
        watch: "true",
        allowWatchBookmarks: "true",
        resourceVersion,
        timeoutSeconds: String(Math.ceil(timeoutMs / 1000)),
      });
      const what = `watch ${path}`;
      const request = { method: "GET", path: `${path}?${query}`, silenceMs: 0 } as const;
      for await (const event of door.stream(what, request, signal)) yield event as WatchEvent;
    },
    [Symbol.asyncDispose]: () => door[Symbol.asyncDispose](),
  };
}

interface Page {
  readonly items?: readonly ApiObject[];
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string };
}

function nameOf(object: ApiObject): Name {
  return { name: object.metadata.name, ...placeOf(object) };
}

function placeOf({ metadata: { namespace } }: ApiObject): Place {
  return namespace === undefined ? {} : { namespace };
}
