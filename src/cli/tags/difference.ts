/** What an import would change. Pure. */
import { equal, type Value } from "#devices/value";
import { finderOf, type Part, partsOf, type Spec, type Tagged } from "./tagged.ts";

/** One object of an import, and what becomes of it. */
export interface Change extends Tagged {
  /** What the list says, without what is there already. */
  readonly wanted: Spec;
  readonly change: "created" | "changed" | "unchanged";
  /** Paths in the spec that change; empty unless it is changed. */
  readonly fields: readonly string[];
}

/**
 * Compares what a list says with what is there. A list adds and changes: what it does not speak of, such as desired
 * values, descriptions and other properties of a model, stays.
 */
export function differenceOf(wanted: readonly Tagged[], present: readonly Tagged[]): readonly Change[] {
  const find = finderOf(present);
  return wanted.map((one) => {
    const old = find(one.kind, one.name);
    if (!old) return { ...one, wanted: one.spec, change: "created", fields: [] };
    const spec = merged(one.kind, old.spec, one.spec);
    const fields = fieldsOf(old.spec, spec);
    return { ...one, spec, wanted: one.spec, fields, change: fields.length === 0 ? "unchanged" : "changed" };
  });
}

/** A spec with what a list says of it. */
export function merged(kind: Tagged["kind"], old: Spec, wanted: Spec): Spec {
  return kind === "Device" ? mergedDevice(old, wanted) : mergedModel(old, wanted);
}

function mergedDevice(old: Spec, wanted: Spec): Spec {
  const both = (field: string) => {
    return wanted[field] && old[field] ? { [field]: { ...(old[field] as Spec), ...(wanted[field] as Spec) } } : {};
  };
  return { ...old, ...wanted, ...both("addresses"), ...both("telemetry") };
}

/** A model with what a list adds to it and changes. */
export function mergedModel(old: Spec, wanted: Spec): Spec {
  const parts = (field: "properties" | "commands") => {
    const [before, after] = [partsOf(old, field), partsOf(wanted, field)];
    const kept = before.map((part) => {
      const next = after.find(({ name }) => name === part.name);
      const report = next?.report ? { report: { ...(part.report as Spec), ...(next.report as Spec) } } : {};
      return { ...part, ...next, ...report };
    });
    const all = [...kept, ...after.filter(({ name }) => !before.some((part) => part.name === name))];
    return all.length === 0 ? {} : { [field]: all };
  };
  return { ...old, ...wanted, ...parts("properties"), ...parts("commands") };
}

function fieldsOf(old: Spec, spec: Spec): readonly string[] {
  return Object.keys(spec).flatMap((field) => {
    const [before, after] = [old[field], spec[field]];
    if (field !== "properties" && field !== "commands") return equal(before as Value, after as Value) ? [] : [field];
    const known = new Map(partsOf(old, field).map((part) => [part.name, part]));
    // Values are equal whatever the order of their fields, but a command writes in an order.
    const isNew = (part: Part) =>
      !equal(known.get(part.name) as Value | undefined, part as unknown as Value) ||
      JSON.stringify(known.get(part.name)?.writes) !== JSON.stringify(part.writes);
    return partsOf(spec, field)
      .filter(isNew)
      .map(({ name }) => name);
  });
}

/** A line for each object. */
export function changeRows(changes: readonly Change[]): readonly (readonly string[])[] {
  return changes.map(({ kind, name, change, fields }) => [kind, name, change, fields.join(", ")]);
}
