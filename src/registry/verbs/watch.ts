/**
 * Watching: what happened since a version, and whatever happens from now on.
 *
 * The log in the store is the buffer. A watch reads it page by page, and waits for the next commit where it ends, so
 * there is no gap and no repeat between the past and the present, and a slow reader costs nobody any memory. One that
 * is so slow that its place was compacted gets a 410 and lists again.
 */
import { Bell } from "#std/bell";
import type { Api } from "../api.ts";
import { DEFINITIONS_KEY } from "../definition.ts";
import type { KubeObject, Resource } from "../resource.ts";
import { apiVersionOf } from "../resource.ts";
import { badRequest, expired, invalid, type StatusError } from "../status.ts";
import type { Change } from "../store.ts";
import { view } from "../view.ts";
import { isSelected, type Selection } from "./selection.ts";

/** What a watch tells. */
export type WatchEvent =
  | { readonly on: "ADDED" | "MODIFIED" | "DELETED"; readonly object: KubeObject }
  | { readonly on: "BOOKMARK"; readonly resourceVersion: string; readonly initialEnd: boolean }
  | { readonly on: "ERROR"; readonly error: StatusError };

/** How a watch was asked for. */
export interface WatchOptions {
  readonly selection: Selection;
  /** Where to begin; undefined for the present state. */
  readonly from: number | undefined;
  /** Tell the present state first, then its end by a bookmark. */
  readonly initial: boolean;
  readonly bookmarks: boolean;
  readonly timeoutMs: number;
}

const PAGE = 100;
const BOOKMARK_MS = 60_000;
const SHORTEST_TIMEOUT_MS = 30 * 60_000;

/** The options of a request. **Source:** Kubernetes API concepts, "Efficient detection of changes"; KEP-3157 for the initial events. */
export function watchOptions(selection: Selection, query: URLSearchParams): WatchOptions {
  const version = query.get("resourceVersion") ?? "";
  if (!/^\d*$/.test(version)) throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(version)}`);
  const bookmarks = isTrue(query.get("allowWatchBookmarks"));
  const initial = isTrue(query.get("sendInitialEvents"));
  if (initial && query.get("resourceVersionMatch") !== "NotOlderThan")
    throw invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", [
      {
        reason: "FieldValueForbidden",
        field: "sendInitialEvents",
        message: "Forbidden: sendInitialEvents is forbidden for watch unless resourceVersionMatch is NotOlderThan",
      },
    ]);
  const seconds = Number(query.get("timeoutSeconds") ?? 0);
  // Watches that began together should not end together.
  const timeoutMs = seconds > 0 ? seconds * 1000 : SHORTEST_TIMEOUT_MS * (1 + Math.random());
  const from = initial || version === "" || version === "0" ? undefined : Number(version);
  return { selection, from, initial, bookmarks, timeoutMs };
}

function isTrue(value: string | null): boolean {
  return value === "true" || value === "1";
}

/** The events of a watch, until its time is over, the resource is no longer served, or the signal aborts. */
export async function* watch(
  api: Api,
  resource: Resource,
  options: WatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent, void, void> {
  const { store, clock } = api;
  const { selection, bookmarks, initial, timeoutMs } = options;
  const bell = new Bell();
  const end = clock.monotonic() + timeoutMs;
  const deaf = store.listen((changes) => {
    if (changes.some(({ key }) => key === resource.key || key === DEFINITIONS_KEY)) bell.ring();
  });
  try {
    let last = options.from ?? store.head();
    if (options.from === undefined) yield* present(api, resource, selection);
    if (initial && bookmarks) yield { on: "BOOKMARK", resourceVersion: String(last), initialEnd: true };
    let bookmarkAt = clock.monotonic() + BOOKMARK_MS;
    for (;;) {
      if (!store.follows(last)) {
        yield { on: "ERROR", error: expired(`too old resource version: ${last} (${store.compacted()})`) };
        return;
      }
      const head = store.head();
      const changes = store.since(resource.key, last, PAGE);
      for (const change of changes) {
        const event = translate(change, resource, selection);
        if (event) yield event;
        last = change.rv;
      }
      if (changes.length === PAGE) continue;
      last = Math.max(last, head);
      const now = clock.monotonic();
      const ending =
        signal.aborted || now >= end || !api.catalog().find(resource.group, resource.version, resource.plural);
      if (bookmarks && (ending || now >= bookmarkAt)) {
        yield { on: "BOOKMARK", resourceVersion: String(last), initialEnd: false };
        bookmarkAt = now + BOOKMARK_MS;
      }
      if (ending) return;
      // An idle watch looks up now and then, so that its place is never older than the history.
      await bell.wait(signal, Math.min(end - now, BOOKMARK_MS)).catch(() => false);
    }
  } finally {
    deaf();
  }
}

/** The objects of now. They are read in one piece, so that the log tells exactly what came after. */
function* present({ store }: Api, resource: Resource, selection: Selection): Generator<WatchEvent, void, void> {
  for (const row of store.page(resource.key, selection.namespace, undefined, Number.MAX_SAFE_INTEGER)) {
    const object = view(row, resource);
    if (isSelected(object, selection)) yield { on: "ADDED", object };
  }
}

/** What a change is to this selection: an object that leaves it is deleted there, one that enters it is new. */
function translate(change: Change, resource: Resource, selection: Selection): WatchEvent | undefined {
  if (selection.namespace !== undefined && selection.namespace !== change.ns) return undefined;
  const object = view(change, resource);
  const selected = isSelected(object, selection);
  if (change.type !== "MODIFIED" || change.prev === null) return selected ? { on: change.type, object } : undefined;
  const before = view({ rv: change.rv, doc: change.prev }, resource);
  const was = isSelected(before, selection);
  if (selected) return { on: was ? "MODIFIED" : "ADDED", object };
  if (!was) return undefined;
  // It leaves as it was, under the version of the change.
  return { on: "DELETED", object: { ...before, metadata: { ...before.metadata, resourceVersion: String(change.rv) } } };
}

/** A bookmark as an object of the resource. */
export function bookmark(resource: Resource, resourceVersion: string, initialEnd: boolean): KubeObject {
  const annotations = initialEnd ? { annotations: { "k8s.io/initial-events-end": "true" } } : {};
  return {
    kind: resource.kind,
    apiVersion: apiVersionOf(resource),
    metadata: { resourceVersion, creationTimestamp: null, ...annotations },
  } as unknown as KubeObject;
}
