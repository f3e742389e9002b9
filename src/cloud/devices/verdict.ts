import type { Condition, DeviceStatus } from "#devices/crd";
import { expand, modelProblems, type Schemas } from "#devices/expand";
import { type Declaration, deviceSpec } from "#devices/model";
import { Fault } from "#std/fault";
import { type Problem, problems, tell } from "#std/schema";
import type { ApiObject } from "../kube/objects.ts";
import { readStatus } from "./status.ts";

/** A Device as the cluster has it, with what decides where it runs. */
export interface Declared {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** RFC 3339; the older of two with one name runs. */
  readonly createdAt: string;
  /** Empty when the spec does not say. */
  readonly node: string;
  /** Key of the DeviceModel. */
  readonly model: string;
  readonly spec: unknown;
  /** When this generation was first seen here, in milliseconds since the epoch. */
  readonly at: number;
  /** Versions of the site's wishes that its author could see in the status, by property. */
  readonly seen: Readonly<Record<string, number>>;
}

/** Whether a node may be told of a device, and why not. */
export type Verdict =
  | { readonly ok: true; readonly declaration: Declaration }
  /** `reason` is the code of a fault, or `NameTaken`. */
  | { readonly ok: false; readonly reason: string; readonly message: string };

/** Reads a Device of a generation that is new here; undefined for one that is on its way out. */
export function declared({ metadata, spec, status }: ApiObject, nowMs: number): Declared | undefined {
  const { namespace = "", name, uid = "", generation = 0, creationTimestamp = "", deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined) return undefined;
  const { node, model } = (spec ?? {}) as { node?: unknown; model?: unknown };
  return {
    key: `${namespace}/${name}`,
    namespace,
    name,
    uid,
    generation,
    createdAt: creationTimestamp,
    node: typeof node === "string" ? node : "",
    model: `${namespace}/${typeof model === "string" ? model : ""}`,
    spec,
    at: nowMs,
    seen: seenIn(readStatus(status)),
  };
}

function seenIn({ properties = [] }: DeviceStatus): Record<string, number> {
  return Object.fromEntries(
    properties.flatMap(({ name, version }) => (version === undefined ? [] : [[name, version]])),
  );
}

/** Of several devices with one name on one node, the one that runs: the oldest, and by uid when they are of one second. */
export function holder(rivals: readonly Declared[]): Declared | undefined {
  return rivals.toSorted((a, b) => compare(a.createdAt, b.createdAt) || compare(a.uid, b.uid))[0];
}

/**
 * Decides what can be decided without the node. With the driver's schemas, links, stations and addresses too; a
 * protocol that this cloud does not know is left to the node.
 */
export function judge(
  device: Declared,
  model: ApiObject | undefined,
  rivals: readonly Declared[],
  schemas: Schemas | undefined,
): Verdict {
  const first = holder(rivals);
  if (first && first.key !== device.key) {
    const message = `${first.key} is older and has the name ${device.name} on node ${device.node}`;
    return { ok: false, reason: "NameTaken", message };
  }
  const wrong = problems(deviceSpec, device.spec);
  if (wrong.length > 0) return invalid(`Device ${device.name}`, wrong, "spec.");
  const { namespace, name, uid, generation, spec, at, seen } = device;
  if (!model) {
    const message = `there is no DeviceModel ${device.model.slice(namespace.length + 1)} in ${namespace}`;
    return { ok: false, reason: "MODEL_UNKNOWN", message };
  }
  const wrongModel = modelProblems(model.spec, schemas);
  if (wrongModel.length > 0) return invalid(`DeviceModel ${model.metadata.name}`, wrongModel);
  const modelGeneration = model.metadata.generation ?? 0;
  const declaration = { namespace, name, uid, generation, modelGeneration, at, seen, spec, model: model.spec };
  try {
    if (schemas) expand(declaration, schemas);
    return { ok: true, declaration };
  } catch (fault) {
    if (!Fault.is(fault)) throw fault;
    return { ok: false, reason: fault.code, message: fault.message };
  }
}

/** The conditions of a model: whether devices can be made of it. */
export function modelVerdict(
  spec: unknown,
  schemas: Schemas | undefined,
): Pick<Condition, "status" | "reason" | "message"> {
  const wrong = modelProblems(spec, schemas);
  if (wrong.length === 0) return { status: "True", reason: "Valid", message: "devices can use it" };
  return { status: "False", reason: "CONFIG_INVALID", message: wrong.map(tell).join("; ") };
}

function invalid(what: string, wrong: readonly Problem[], prefix = ""): Verdict {
  const text = wrong.map((problem) => tell({ ...problem, path: prefix + problem.path })).join("; ");
  return { ok: false, reason: "CONFIG_INVALID", message: `${what}: ${text}` };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
