import type { Quality, Value } from "#devices/value";
import { type FaultCode, faults } from "#std/fault";
import type { DeviceTwin } from "../device-twin.ts";
import type { Inspection } from "./inspect.ts";

/** A property whose value can not be relied on, or whose wish is not fulfilled. */
export interface Complaint {
  readonly property: string;
  /** Absent when it was never read. */
  readonly quality?: Quality;
  readonly reason: string;
  readonly value?: Value;
  readonly at?: number;
}

/** Why a device is as it is: everything that a node knows about it, for one look. */
export interface Why {
  readonly device: string;
  readonly model: string;
  readonly online: boolean;
  readonly reason: string;
  readonly message: string;
  /** What somebody can do about the reason; absent when all is well. */
  readonly hint?: string;
  readonly lastSeen?: number;
  /** Properties that can be read, and how many of them are good. */
  readonly readable: number;
  readonly good: number;
  readonly complaints: readonly Complaint[];
  /** What the device said of itself; absent when it has no such thing or was not asked yet. */
  readonly identity?: Readonly<Record<string, string>>;
  /** Absent when the declaration can not be driven: then `message` says why. */
  readonly bus?: Inspection;
}

/** Puts together why a device is as it is. */
export function whyOf(twin: DeviceTwin, bus: Inspection | undefined): Why {
  const { declared, device, health, lastSeen, identity, properties } = twin;
  const readable = (device?.properties ?? []).filter(({ access }) => access !== "write");
  const good = readable.filter(({ name }) => reportOf(twin, name)?.quality === "good").length;
  const wishes = (device?.properties ?? []).flatMap(({ name }, i): readonly Complaint[] => {
    const { state, value, reason = "the device has not confirmed it yet" } = properties[i]?.desired ?? {};
    if (state === undefined || state === "applied") return [];
    return [{ property: name, reason: `wish ${JSON.stringify(value)} is ${state}: ${reason}` }];
  });
  return {
    device: declared.name,
    model: modelOf(declared.spec),
    ...health,
    ...(Object.hasOwn(faults, health.reason) ? { hint: faults[health.reason as FaultCode].hint } : {}),
    ...(lastSeen === undefined ? {} : { lastSeen }),
    readable: readable.length,
    good,
    complaints: [...readable.flatMap(({ name }) => complaintOf(twin, name)), ...wishes],
    ...(identity && Object.keys(identity).length > 0 ? { identity } : {}),
    ...(bus ? { bus } : {}),
  };
}

function complaintOf(twin: DeviceTwin, property: string): readonly Complaint[] {
  const report = reportOf(twin, property);
  if (!report) return [{ property, reason: "not read yet" }];
  const { quality, reason = "the driver does not say why", value, at } = report;
  if (quality === "good") return [];
  return [{ property, quality, reason, at, ...(value === undefined ? {} : { value }) }];
}

function reportOf({ indexOf, properties }: DeviceTwin, property: string) {
  return properties[indexOf.get(property) ?? -1]?.reported;
}

/** Name of the model of a device as it was declared; empty when it names none. */
export function modelOf(spec: unknown): string {
  return typeof spec === "object" && spec !== null && "model" in spec ? String(spec.model) : "";
}
