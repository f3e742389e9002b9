/** Reading one object or a list of them. */
import type { Api } from "../api.ts";
import { isObject } from "../json.ts";
import type { KubeObject, Resource } from "../resource.ts";
import { badRequest, expired, notFound } from "../status.ts";
import type { Position, Row } from "../store.ts";
import { view } from "../view.ts";
import { isSelected, type Selection, selectsAll } from "./selection.ts";

/** One page of a list. */
export interface Page {
  readonly rows: readonly Row[];
  /** Fields of the list's metadata. */
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
}

/** Rows that are read at once. */
const CHUNK = 500;

/** The row of an object. @throws {StatusError} 404. */
export function get({ store }: Api, resource: Resource, namespace: string, name: string): Row {
  const row = store.get(resource.key, namespace, name);
  if (!row) throw notFound(resource, name);
  return row;
}

/**
 * A page of a list. Pages are not a snapshot, but each names the version of the first one: a watch from there tells
 * what changed in between, so list and watch together miss nothing.
 * @throws {StatusError} 400, or 410 when the history since the first page is compacted.
 */
export function list({ store }: Api, resource: Resource, selection: Selection, query: URLSearchParams): Page {
  const limit = limitOf(query.get("limit"));
  const token = query.get("continue") ?? "";
  const from = token === "" ? undefined : parseToken(token);
  if (from && !store.follows(from.rv))
    throw expired(
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
    );
  if (!from) checkVersion(query, store.head());
  const rv = from?.rv ?? store.head();
  const rows: Row[] = [];
  let after: Position | undefined = from;
  for (;;) {
    const chunk = store.page(resource.key, selection.namespace, after, CHUNK);
    for (const row of chunk) {
      if (rows.length >= limit) break;
      if (selectsAll(selection) || isSelected(view(row, resource), selection)) rows.push(row);
      after = { ns: row.ns, name: row.name };
    }
    if (!after || chunk.length < CHUNK || rows.length >= limit) break;
  }
  if (!after) return { rows, metadata: { resourceVersion: String(rv) } };
  const left = store.count(resource.key, selection.namespace, after);
  if (left === 0) return { rows, metadata: { resourceVersion: String(rv) } };
  const metadata = { resourceVersion: String(rv), continue: printToken({ rv, ...after }) };
  return { rows, metadata: selectsAll(selection) ? { ...metadata, remainingItemCount: left } : metadata };
}

/** The objects of a list as its selection and limit cut it. */
export function objects(page: Page, resource: Resource): readonly KubeObject[] {
  return page.rows.map((row) => view(row, resource));
}

function limitOf(given: string | null): number {
  if (given === null || given === "" || given === "0") return Number.POSITIVE_INFINITY;
  if (!/^\d{1,9}$/.test(given))
    throw badRequest(`limit: Invalid value: ${JSON.stringify(given)}: must be a positive integer`);
  return Number(given);
}

/** **Source:** Kubernetes API concepts, "Resource versions", semantics for get and list. */
function checkVersion(query: URLSearchParams, head: number): void {
  const version = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  if (!/^\d*$/.test(version)) throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(version)}`);
  if (match !== "" && match !== "Exact" && match !== "NotOlderThan")
    throw badRequest(`resourceVersionMatch: Unsupported value: ${JSON.stringify(match)}`);
  if (match !== "" && version === "")
    throw badRequest("resourceVersionMatch is forbidden unless resourceVersion is provided");
  if (match === "Exact" && Number(version) !== head)
    throw expired(`The resourceVersion ${version} for the provided list is not available any more.`);
  if (Number(version) > head) throw expired(`The resourceVersion ${version} was never given by this server.`);
}

interface Token extends Position {
  readonly rv: number;
}

function printToken({ rv, ns, name }: Token): string {
  return Buffer.from(JSON.stringify({ v: 1, rv, ns, name })).toString("base64url");
}

function parseToken(token: string): Token {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (isObject(value) && value.v === 1) {
      const { rv, ns, name } = value;
      if (typeof rv === "number" && typeof ns === "string" && typeof name === "string") return { rv, ns, name };
    }
  } catch {
    // It is refused below, as any other text that is no token.
  }
  throw badRequest("continue key is not valid");
}
