/** Objects, lists and watch events in the form that the client wants. */
import type { Api } from "../api.ts";
import { type JsonObject, without } from "../json.ts";
import { apiVersionOf, type KubeObject, type Resource } from "../resource.ts";
import { badRequest } from "../status.ts";
import { partial, row, type TableForm, table } from "../table.ts";
import { objects, type Page } from "../verbs/list.ts";
import { bookmark, type WatchEvent } from "../verbs/watch.ts";
import { type Stored, view, viewText } from "../view.ts";
import type { Call } from "./message.ts";
import { type Form, formOf } from "./negotiate.ts";

/** The table that a request wants; undefined when it wants none. @throws {StatusError} 400. */
function tableForm(form: Form, { query }: Call): TableForm | undefined {
  if (form.as !== "Table") return undefined;
  const include = query.get("includeObject") || "Metadata";
  if (include !== "None" && include !== "Metadata" && include !== "Object")
    throw badRequest(`includeObject: Unsupported value: ${JSON.stringify(include)}`);
  return { version: form.version, include };
}

/** One stored object. */
export function printStored(api: Api, call: Call, resource: Resource, stored: Stored): string {
  const form = formOf(call.headers.accept);
  return form.as === "Object" ? viewText(stored, resource) : printObject(api, call, resource, view(stored, resource));
}

/** One object. */
export function printObject(api: Api, call: Call, resource: Resource, object: KubeObject): string {
  const form = formOf(call.headers.accept);
  const wanted = tableForm(form, call);
  if (wanted) {
    const { resourceVersion } = object.metadata;
    const rows = [row(object, resource.columns, wanted, api.clock.now())];
    return JSON.stringify(table(rows, resource.columns, { resourceVersion }, wanted));
  }
  return JSON.stringify(form.as === "Partial" ? partial(object, form.version) : object);
}

/** A page of a list. The objects of a plain list are glued together as text. */
export function printPage(api: Api, call: Call, resource: Resource, page: Page): string {
  const form = formOf(call.headers.accept);
  const wanted = tableForm(form, call);
  const now = api.clock.now();
  if (wanted) {
    const rows = objects(page, resource).map((object) => row(object, resource.columns, wanted, now));
    return JSON.stringify(table(rows, resource.columns, page.metadata, wanted));
  }
  const { kind, apiVersion } =
    form.as === "Partial"
      ? { kind: "PartialObjectMetadataList", apiVersion: `meta.k8s.io/${form.version}` }
      : { kind: resource.listKind, apiVersion: apiVersionOf(resource) };
  const items =
    form.as === "Partial"
      ? objects(page, resource).map((object) => JSON.stringify(partial(object, form.version)))
      : page.rows.map((stored) => viewText(stored, resource));
  const head = JSON.stringify({ kind, apiVersion, metadata: page.metadata });
  return `${head.slice(0, -1)},"items":[${items.join(",")}]}`;
}

/** Watch events as lines. A table tells its columns with the first event only. */
export async function* printEvents(
  api: Api,
  call: Call,
  resource: Resource,
  events: AsyncIterable<WatchEvent>,
): AsyncGenerator<string, void, void> {
  const form = formOf(call.headers.accept);
  const wanted = tableForm(form, call);
  let columns: Resource["columns"] | undefined = resource.columns;
  for await (const event of events) {
    yield `${JSON.stringify({ type: event.on, object: shape(event) })}\n`;
  }

  function shape(event: WatchEvent): JsonObject {
    if (event.on === "ERROR") return event.error.body();
    const told = event.on === "BOOKMARK" ? bookmark(resource, event.resourceVersion, event.initialEnd) : event.object;
    if (form.as === "Partial") return partial(told, form.version);
    if (!wanted) return told;
    const rows = event.on === "BOOKMARK" ? [] : [row(told, resource.columns, wanted, api.clock.now())];
    const shown = table(rows, columns, { resourceVersion: told.metadata.resourceVersion }, wanted);
    if (columns) {
      columns = undefined;
      return shown;
    }
    return without(shown, "columnDefinitions");
  }
}
