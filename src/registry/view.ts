/** Stored objects as one served version shows them. */
import type { KubeObject, Resource } from "./resource.ts";
import { apiVersionOf } from "./resource.ts";
import { withDefaults } from "./schema/default.ts";
import { prune } from "./schema/prune.ts";

/** What is stored of an object: its text and version. */
export interface Stored {
  readonly rv: number;
  readonly doc: string;
}

const HEAD = '{"apiVersion":"';

/** The object in the resource's version. */
export function view({ rv, doc }: Stored, resource: Resource): KubeObject {
  const stored = JSON.parse(doc) as KubeObject;
  const shown = resource.conversion ? (resource.conversion.fromStored(stored) as KubeObject) : stored;
  shown.apiVersion = apiVersionOf(resource);
  if (!outdated(rv, resource)) return shown;
  return withDefaults(prune(shown, resource.schema, "", []), resource.schema) as KubeObject;
}

/**
 * The same as text. Mostly that is the stored text itself: a list of 5,000 objects is glued together, not parsed,
 * which takes milliseconds in place of a tenth of a second.
 */
export function viewText(stored: Stored, resource: Resource): string {
  const { doc } = stored;
  if (resource.conversion || outdated(stored.rv, resource)) return JSON.stringify(view(stored, resource));
  const apiVersion = apiVersionOf(resource);
  if (doc.startsWith(`${HEAD}${apiVersion}"`)) return doc;
  return `${HEAD}${apiVersion}${doc.slice(doc.indexOf('"', HEAD.length))}`;
}

/** An object of the resource's version in the form in which it is stored. */
export function toStored(object: KubeObject, resource: Resource): KubeObject {
  const stored = resource.conversion ? (resource.conversion.toStored(object) as KubeObject) : object;
  return { ...stored, apiVersion: resource.storedAs };
}

/** True when the schema may have changed since the object was stored: it can name other fields and defaults. */
function outdated(rv: number, { schemaSince }: Resource): boolean {
  return rv < schemaSince;
}
