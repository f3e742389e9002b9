/** What an import would change. Pure. */
import { equal, type Value } from "#devices/value";
import type { Tagged } from "./tags.ts";

/** One object of an import, and what becomes of it. */
export interface Change extends Tagged {
  readonly change: "created" | "changed" | "unchanged";
  /** Paths in the spec that change; empty unless it is changed. */
  readonly fields: readonly string[];
}

type Spec = Readonly<Record<string, unknown>>;
type Named = { readonly name: string; readonly report?: object };

/**
 * Compares what a list says with what is there. A list adds and changes: what it does not speak of, such as desired
 * values, descriptions and other properties of a model, stays.
 */
export function differenceOf(wanted: readonly Tagged[], present: readonly Tagged[]): readonly Change[] {
  return wanted.map((one) => {
    const old = present.find(({ kind, name }) => kind === one.kind && name === one.name);
    if (!old) return { ...one, change: "created", fields: [] };
    const spec = one.kind === "Device" ? { ...old.spec, ...one.spec } : mergedModel(old.spec, one.spec);
    const fields = fieldsOf(old.spec, spec);
    return { ...one, spec, fields, change: fields.length === 0 ? "unchanged" : "changed" };
  });
}

function mergedModel(old: Spec, wanted: Spec): Spec {
  const [before, after] = [old, wanted].map(({ properties }) => (properties ?? []) as readonly Named[]);
  const kept = (before ?? []).map((property) => {
    const next = after?.find(({ name }) => name === property.name);
    const report = next?.report && { report: { ...property.report, ...next.report } };
    return { ...property, ...next, ...report };
  });
  const added = (after ?? []).filter(({ name }) => !kept.some((property) => property.name === name));
  return { ...old, ...wanted, properties: [...kept, ...added] };
}

function fieldsOf(old: Spec, spec: Spec): readonly string[] {
  return Object.keys(spec).flatMap((field) => {
    const [before, after] = [old[field], spec[field]];
    if (equal(before as Value, after as Value)) return [];
    if (field !== "properties") return [field];
    const known = new Map(((before ?? []) as readonly Named[]).map((property) => [property.name, property]));
    return (after as readonly Named[])
      .filter((property) => !equal(known.get(property.name) as Value | undefined, property as unknown as Value))
      .map(({ name }) => name);
  });
}

/** A line for each object. */
export function changeRows(changes: readonly Change[]): readonly (readonly string[])[] {
  return changes.map(({ kind, name, change, fields }) => [kind, name, change, fields.join(", ")]);
}
