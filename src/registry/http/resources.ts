/** Requests about resources: which verb they mean, whether it is allowed, and what is answered. */
import { type Intent, isAllowed, refusal } from "../access.ts";
import type { Api } from "../api.ts";
import { jsonPatch } from "../patch/json-patch.ts";
import { mergePatch } from "../patch/merge.ts";
import { strategicPatch } from "../patch/strategic.ts";
import { apiVersionOf, type KubeObject, type Resource } from "../resource.ts";
import { SCALE, scaleOf, withScale } from "../scale.ts";
import { badRequest, forbidden, noSuchResource, notAllowed, qualified, unsupportedMedia } from "../status.ts";
import { change, type Edit, type Target } from "../verbs/change.ts";
import { create } from "../verbs/create.ts";
import { get, list } from "../verbs/list.ts";
import { writeOptions } from "../verbs/options.ts";
import { deleteOptions, remove, removeAll } from "../verbs/remove.ts";
import { selectionOf } from "../verbs/selection.ts";
import { watch, watchOptions } from "../verbs/watch.ts";
import { view } from "../view.ts";
import { decodeBody } from "./decode.ts";
import { type Call, json, type Reply } from "./message.ts";
import { mediaType } from "./negotiate.ts";
import { printEvents, printObject, printPage, printStored } from "./print.ts";
import { review } from "./reviews.ts";
import type { Route } from "./route.ts";

const PATCHES = ["application/json-patch+json", "application/merge-patch+json"];
const STRATEGIC = "application/strategic-merge-patch+json";
const APPLY = "application/apply-patch+yaml";

/** Answers a request about a resource. @throws {StatusError} */
export async function answerResource(api: Api, call: Call, route: Route): Promise<Reply> {
  const verb = verbOf(call, route);
  const { group, plural, subresource, namespace = "", name = "" } = route;
  const intent: Intent = { on: "resource", verb, group, plural, subresource, namespace, name };
  if (!isAllowed(call.user, intent)) throw forbidden(route, name, refusal(call.user, intent));
  const resource = resourceAt(api, route);
  if (!(resource.verbs as readonly string[]).includes(verb))
    throw notAllowed(`${verb} is not supported on resources of kind "${qualified(route)}"`);
  const reply = await act(api, call, resource, route, verb);
  const { deprecation } = resource;
  return deprecation === undefined ? reply : { ...reply, warnings: [...(reply.warnings ?? []), deprecation] };
}

/** The served resource of a route. @throws {StatusError} 404, 405. */
function resourceAt(api: Api, { group, version, plural, namespace, name, subresource }: Route): Resource {
  const resource = api.catalog().find(group, version, plural);
  if (!resource) throw noSuchResource();
  if (!resource.namespaced && namespace !== undefined) throw noSuchResource();
  if (resource.namespaced && namespace === undefined && name !== undefined) throw noSuchResource();
  const parts = ["", ...(resource.status ? ["status"] : []), ...(resource.scale ? ["scale"] : [])];
  if (!parts.includes(subresource)) throw noSuchResource();
  return resource;
}

function verbOf({ method, query }: Call, { name }: Route): string {
  const watching = query.get("watch") === "true" || query.get("watch") === "1";
  switch (method) {
    case "GET":
    case "HEAD":
      if (watching) return "watch";
      return name === undefined ? "list" : "get";
    case "POST":
      return name === undefined ? "create" : "post";
    case "PUT":
      return name === undefined ? "put" : "update";
    case "PATCH":
      return name === undefined ? "put" : "patch";
    case "DELETE":
      return name === undefined ? "deletecollection" : "delete";
    default:
      return method.toLowerCase();
  }
}

async function act(api: Api, call: Call, resource: Resource, route: Route, verb: string): Promise<Reply> {
  const { namespace, name = "", subresource } = route;
  const { query } = call;
  const place = namespace ?? "";
  if (subresource === SCALE) return await actOnScale(api, call, resource, route);
  switch (verb) {
    case "get":
      return { status: 200, body: printStored(api, call, resource, get(api, resource, place, name)) };
    case "list":
      return {
        status: 200,
        body: printPage(
          api,
          call,
          resource,
          list(api, resource, selectionOf(resource, namespace, undefined, query), query),
        ),
      };
    case "watch": {
      const options = watchOptions(selectionOf(resource, namespace, route.name, query), query);
      const events = watch(api, resource, options, call.signal);
      return { status: 200, type: "application/json;stream=watch", body: printEvents(api, call, resource, events) };
    }
    case "create":
      return await actCreate(api, call, resource, namespace);
    case "update":
    case "patch": {
      const options = writeOptions(query);
      const edit = await editOf(call, resource);
      const part = subresource === "status" ? "status" : "main";
      const changed = await change(api, { resource, namespace: place, name, part }, edit, options);
      return { status: 200, warnings: options.warnings, body: printObject(api, call, resource, changed) };
    }
    case "delete": {
      const { object, removed } = await remove(api, resource, place, name, await optionsOf(call));
      if (!removed) return { status: 200, body: printObject(api, call, resource, object) };
      const details = { name, group: resource.group, kind: resource.plural, uid: object.metadata.uid };
      return json({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details });
    }
    default: {
      const selection = selectionOf(resource, namespace, undefined, query);
      const items = await removeAll(api, resource, selection, await optionsOf(call));
      const metadata = { resourceVersion: String(api.store.head()) };
      return json({ kind: resource.listKind, apiVersion: apiVersionOf(resource), metadata, items });
    }
  }
}

async function actCreate(api: Api, call: Call, resource: Resource, namespace: string | undefined): Promise<Reply> {
  const options = writeOptions(call.query);
  const body = decodeBody(await call.body(), call.headers["content-type"]);
  const answer = review(resource, body.value, call.user);
  if (answer) return json(answer, 201);
  if (resource.namespaced && namespace === undefined) throw notAllowed("a namespace is needed to create this");
  const created = await create(api, resource, namespace ?? "", body, options);
  return { status: 201, warnings: options.warnings, body: printObject(api, call, resource, created) };
}

async function optionsOf(call: Call) {
  const bytes = await call.body();
  const body = bytes.length === 0 ? undefined : decodeBody(bytes, call.headers["content-type"]).value;
  return deleteOptions(body, call.query);
}

/** What a PUT or PATCH does to an object. @throws {StatusError} 415 for patches that this resource does not take. */
async function editOf(call: Call, resource: Resource): Promise<Edit> {
  const type = mediaType(call.headers["content-type"]);
  const bytes = await call.body();
  if (call.method === "PUT") {
    const body = decodeBody(bytes, type);
    return () => body;
  }
  const accepted = resource.custom ? PATCHES : [...PATCHES, STRATEGIC];
  if (type === APPLY)
    throw unsupportedMedia(
      `server-side apply is not supported by this server, use client-side apply; accepted media types include: ${accepted.join(", ")}`,
    );
  if (!accepted.includes(type))
    throw unsupportedMedia(
      `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
    );
  const { value, duplicates } = decodeBody(bytes, type);
  if (type !== PATCHES[0] && (typeof value !== "object" || value === null || Array.isArray(value)))
    throw badRequest("a merge patch must be an object");
  const patched = (current: KubeObject) => {
    if (type === PATCHES[0]) return jsonPatch(current, value);
    return type === STRATEGIC ? strategicPatch(current, value, resource.schema) : mergePatch(current, value);
  };
  return (current) => ({ value: patched(current), duplicates });
}

async function actOnScale(api: Api, call: Call, resource: Resource, route: Route): Promise<Reply> {
  const { namespace = "", name = "" } = route;
  if (call.method === "GET") return json(scaleOf(resource, view(get(api, resource, namespace, name), resource)));
  const options = writeOptions(call.query);
  const edit = await editOf(call, resource);
  const target: Target = { resource, namespace, name, part: "main" };
  const changed = await change(
    api,
    target,
    (current) => withScale(resource, current, edit(scaleOf(resource, current))),
    options,
  );
  return { ...json(scaleOf(resource, changed)), warnings: options.warnings };
}
