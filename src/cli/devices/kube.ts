/** Devices as the Kubernetes API knows them: what is declared, and the status that the cloud writes. */
import type { Kube } from "#cloud/kube/client";
import type { ApiObject } from "#cloud/kube/objects";
import { isRefused } from "#cloud/kube/refusal";
import { Mirror } from "#cloud/kube/watch";
import { type DeviceStatus, deviceKind, modelKind } from "#devices/crd";
import { type DeviceSpec, modelSpec, type PropertySpec } from "#devices/model";
import { conflictRule } from "#devices/twin";
import { equal } from "#devices/value";
import { Bell } from "#std/bell";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { silent } from "#std/log";
import { Scope } from "#std/scope";
import { openNamedKube } from "../named-kube.ts";
import { type DeviceSource, type DeviceView, type Outcome, outcomeOf, type PropertyView, type Wish } from "./view.ts";

export interface KubeSourceOptions {
  /** Path of a kubeconfig. */
  readonly kubeconfig: string;
  /** Undefined for all. */
  readonly namespace: string | undefined;
  readonly clock: Clock;
}

const LOOK_MS = 150;
const FOLLOW_MS = 1_000;

/** Opens the devices of a cluster. */
export async function openKubeDevices({ kubeconfig, namespace, clock }: KubeSourceOptions): Promise<DeviceSource> {
  const kube = await openNamedKube(kubeconfig, clock);
  const where = namespace === undefined ? {} : { namespace };

  async function get(name: string, signal: AbortSignal): Promise<ApiObject> {
    if (namespace === undefined) {
      const found = (await kube.list(deviceKind, where, signal)).items.filter(({ metadata }) => metadata.name === name);
      if (found.length > 1)
        throw new Fault("USAGE_INVALID", `there are ${found.length} devices ${name}`, {
          hint: "Name one with --namespace.",
        });
      if (found[0]) return found[0];
      throw unknownDevice(name, "any namespace");
    }
    return kube.get(deviceKind, { name, namespace }, signal).catch((error: unknown) => {
      throw isRefused(error, "NotFound") ? unknownDevice(name, `namespace ${namespace}`) : error;
    });
  }

  async function list(signal: AbortSignal): Promise<readonly DeviceView[]> {
    const [devices, models] = await Promise.all([
      kube.list(deviceKind, where, signal),
      kube.list(modelKind, where, signal),
    ]);
    return viewsOf(devices.items, models.items);
  }

  return {
    list,
    async get(name, signal) {
      const device = await get(name, signal);
      return viewOf(device, await modelOf(kube, device, signal));
    },
    wish: (device, wishes, waitMs, signal) => wish({ kube, clock }, device, { wishes, waitMs }, signal),
    async *follow(signal) {
      await using scope = new Scope(signal);
      const bell = new Bell();
      const ring = () => bell.ring();
      const options = { kube, namespace, changed: ring, listed: ring, log: silent, clock };
      const devices = new Mirror({ ...options, kind: deviceKind });
      const models = new Mirror({ ...options, kind: modelKind });
      // The first look fails loudly when nobody is there; what comes later is retried for as long as it takes.
      yield await list(signal);
      for (const mirror of [devices, models]) scope.run("mirror", (signal) => mirror.serve(signal));
      for (;;) {
        await bell.wait(signal);
        if (devices.hasListed && models.hasListed)
          yield viewsOf([...devices.objects.values()], [...models.objects.values()]);
        await clock.sleep(FOLLOW_MS, signal);
      }
    },
    [Symbol.asyncDispose]: () => kube[Symbol.asyncDispose](),
  };
}

interface Asked {
  readonly wishes: readonly Wish[];
  readonly waitMs: number;
}

/**
 * Merges the wishes into `spec.desired`, each with its time, so that a value that is desired already is wished again,
 * and looks at the status until it speaks of them. An end that an earlier wish had is not this one's.
 */
async function wish(
  { kube, clock }: { readonly kube: Kube; readonly clock: Clock },
  { name, namespace }: DeviceView,
  { wishes, waitMs }: Asked,
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const at = { name, ...(namespace === undefined ? {} : { namespace }) };
  const allOf = <T>(of: (wish: Wish) => T) => Object.fromEntries(wishes.map((wish) => [wish.property, of(wish)]));
  const now = new Date(clock.now()).toISOString();
  const { desiredUntil } = (await kube.get(deviceKind, at, signal)).spec as Partial<DeviceSpec>;
  const spec = {
    desired: allOf(({ value }) => value),
    desiredAt: allOf(() => now),
    ...(desiredUntil ? { desiredUntil: allOf(() => null) } : {}),
  };
  const until = clock.monotonic() + waitMs;
  let device = await kube.patch(deviceKind, at, { spec }, signal);
  const { generation = 0 } = device.metadata;
  for (;;) {
    const status = (device.status ?? {}) as DeviceStatus;
    const isRun = (status.observedGeneration ?? 0) >= generation;
    const view = viewOf(device, undefined);
    const outcomes = wishes.map((it) => {
      const property = view.properties.find(({ name }) => name === it.property);
      const isHeard = isRun && equal(property?.desired, it.value);
      const outcome = outcomeOf(property, it, isHeard);
      // The rule of the property kept the other: this one is not a wish that waits.
      if (!isRun || isHeard || property?.by !== "site") return outcome;
      return { ...outcome, reason: `the site's wish ${JSON.stringify(property.desired)} stands` };
    });
    if (outcomes.every(({ state }) => state !== "pending") || clock.monotonic() >= until) return outcomes;
    await clock.sleep(LOOK_MS, signal);
    device = await kube.get(deviceKind, at, signal);
  }
}

async function modelOf(kube: Kube, device: ApiObject, signal: AbortSignal): Promise<ApiObject | undefined> {
  const { namespace } = device.metadata;
  const { model } = device.spec as DeviceSpec;
  const name = { name: model, ...(namespace === undefined ? {} : { namespace }) };
  return kube.get(modelKind, name, signal).catch((error: unknown) => {
    if (isRefused(error, "NotFound")) return undefined;
    throw error;
  });
}

function viewsOf(devices: readonly ApiObject[], models: readonly ApiObject[]): readonly DeviceView[] {
  const key = (namespace: string | undefined, name: string) => `${namespace ?? ""}/${name}`;
  const known = new Map(models.map((it) => [key(it.metadata.namespace, it.metadata.name), it]));
  const views = devices.map((it) => viewOf(it, known.get(key(it.metadata.namespace, (it.spec as DeviceSpec).model))));
  return views.sort((a, b) => (key(a.namespace, a.name) < key(b.namespace, b.name) ? -1 : 1));
}

/** A Device and its model as commands show them. */
export function viewOf({ metadata, spec, status }: ApiObject, model: ApiObject | undefined): DeviceView {
  const { model: modelName, node, desired = {} } = spec as DeviceSpec;
  const { conditions = [], lastSeen, properties = [] } = (status ?? {}) as DeviceStatus;
  const ready = conditions.find(({ type }) => type === "Ready");
  const accepted = conditions.find(({ type }) => type === "Accepted");
  const told = new Map(properties.map((it) => [it.name, it]));
  const specs: readonly Partial<PropertySpec>[] = modelSpec.safeParse(model?.spec).data?.properties ?? [];
  const names = new Set([...specs.map(({ name = "" }) => name), ...told.keys(), ...Object.keys(desired)]);
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    model: modelName,
    node,
    online: ready?.status === "True",
    reason: ready?.reason ?? "Unknown",
    message: ready?.message ?? "the cloud has not heard of it yet",
    ...(accepted?.status === "False" ? { notAccepted: `${accepted.reason}, ${accepted.message}` } : {}),
    ...(lastSeen === undefined ? {} : { lastSeen: Date.parse(lastSeen) }),
    properties: [...names].map((name) => {
      const { type, access, unit, minimum, maximum } = specs.find((it) => it.name === name) ?? {};
      const { name: _, reported, at, until, conflict, ...twin } = told.get(name) ?? { name };
      const wished = desired[name];
      return {
        name,
        type,
        access,
        unit,
        minimum,
        maximum,
        ...(wished === undefined ? {} : { desired: wished, state: "pending" as const }),
        ...twin,
        value: reported,
        ...(at === undefined ? {} : { at: Date.parse(at) }),
        ...(until === undefined ? {} : { until: Date.parse(until) }),
        ...(conflict === undefined ? {} : { conflict: conflictOf(conflict) }),
      };
    }),
  };
}

type StatusConflict = NonNullable<NonNullable<DeviceStatus["properties"]>[number]["conflict"]>;

/** Statuses come from outside and may have been written by anybody. */
function conflictOf({ rule, at, kept, lost }: StatusConflict): NonNullable<PropertyView["conflict"]> {
  const side = ({ by, value = null }: StatusConflict["kept"]) =>
    ({ by: by === "site" ? "site" : "cloud", value }) as const;
  return { rule: conflictRule.catch("cloud").parse(rule), at: Date.parse(at), kept: side(kept), lost: side(lost) };
}

function unknownDevice(name: string, where: string): Fault {
  return new Fault("DEVICE_UNKNOWN", `there is no device ${name} in ${where}`);
}
