import { isChange } from "#devices/change";
import { decode, same } from "#devices/codec";
import type { Driver, Point, Pushed, Raw, Reading } from "#devices/driver";
import type { Device } from "#devices/expand";
import type { PropertySpec } from "#devices/model";
import { type PropertyTwin, type Report, settle } from "#devices/twin";
import type { Value } from "#devices/value";
import { Fault } from "#std/fault";
import { type Layout, layoutOf, packText } from "#wire/pack";
import type { DeviceTwin } from "../device-twin.ts";

/** Some properties of one device that are read together, because they have the same period. */
export interface Visit {
  readonly periodMs: number;
  readonly twin: DeviceTwin;
  readonly device: Device;
  /** Index of property i of the visit within the device. */
  readonly indexes: readonly number[];
  /** Kept by identity, so that the driver can keep its plan. */
  readonly points: readonly Point[];
  /** JSON text of property i's name with a colon. */
  readonly keys: readonly string[];
  readonly layout: Layout;
  /** What was made of the last reading of property i, for as long as the device says the same. */
  readonly slots: (Slot | undefined)[];
}

/** A good reading that was taken before. Most values of a plant are the same as at the last visit. */
interface Slot {
  readonly raw: Raw;
  /** The value as JSON, and with its name before it. */
  readonly said: string;
  readonly member: string;
  /** The report that stood then. When another stands, the reading is looked at afresh. */
  readonly reported: Report | undefined;
}

/** What a visit brought. */
export interface Taken {
  /** Body of the telemetry topic. */
  readonly telemetry: string;
  /** The same by the visit's layout, for those who keep it; empty when nobody does. */
  readonly packed: string;
  /** When the last answer arrived, in milliseconds since the epoch. */
  readonly at: number;
  /** Since when readings were dropped on the way here; absent when none were. */
  readonly lostSince?: number;
  /** Properties whose report changed, by their index in the device. */
  readonly changed: readonly number[];
  /** Properties whose wish was settled or is pending again, and their next twins. */
  readonly settled: readonly (readonly [index: number, next: PropertyTwin])[];
}

/** What a device wants of its bus: visits by period, the quickest first, and what it pushes by itself. */
export interface Wanted {
  readonly visits: readonly Visit[];
  /** Undefined when nothing is pushed. */
  readonly pushed: Visit | undefined;
}

/** Sorts the readable properties of a device into visits. */
export function wantedOf(twin: DeviceTwin, driver: Pick<Driver, "isPushed">): Wanted {
  const { device } = twin;
  if (!device) return { visits: [], pushed: undefined };
  const { polled, pushed } = sortProperties(device, driver);
  return {
    visits: [...polled].sort(([a], [b]) => a - b).map(([every, indexes]) => visitOf(twin, device, every, indexes)),
    pushed: pushed.length > 0 ? visitOf(twin, device, 0, pushed) : undefined,
  };
}

/** The indexes of the readable properties of a device: polled ones by their period, and those that come by themselves. */
export function sortProperties(
  { properties, points, station }: Pick<Device, "properties" | "points" | "station">,
  { isPushed }: Pick<Driver, "isPushed">,
): { readonly polled: ReadonlyMap<number, readonly number[]>; readonly pushed: readonly number[] } {
  const pushed: number[] = [];
  const polled = new Map<number, number[]>();
  for (const [index, { every, access }] of properties.entries()) {
    if (access === "write") continue;
    if (isPushed?.(station, points[index]?.address)) pushed.push(index);
    else if (!polled.get(every)?.push(index)) polled.set(every, [index]);
  }
  return { polled, pushed };
}

function visitOf(twin: DeviceTwin, device: Device, periodMs: number, indexes: readonly number[]): Visit {
  return {
    periodMs,
    twin,
    device,
    indexes,
    points: indexes.flatMap((index) => device.points[index] ?? []),
    keys: indexes.map((index) => `${JSON.stringify(device.properties[index]?.name)}:`),
    layout: layoutOf(indexes.map((index) => device.properties[index]?.name ?? "")),
    slots: [],
  };
}

/** The part of a pushed visit that a batch speaks of, and its readings. */
export function partOf(visit: Visit, batch: readonly Pushed[]): readonly [Visit, readonly Reading[]] {
  const indexes = batch.map(({ index }) => visit.indexes[index] ?? -1);
  const keys = batch.map(({ index }) => visit.keys[index] ?? "");
  const layout = layoutOf(indexes.map((index) => visit.device.properties[index]?.name ?? ""));
  return [{ ...visit, indexes, keys, layout, slots: [] }, batch.map(({ reading }) => reading)];
}

/**
 * Takes the readings of a visit over into the twin: decodes, judges, compares. This is the hot path, some 100,000 values
 * a second: the telemetry text is joined from parts, because building an object of a thousand keys to stringify it costs
 * three times as much, and what a device says again costs a comparison.
 */
export function take({ twin, device, indexes, keys, slots }: Visit, readings: readonly Reading[], seq: number): Taken {
  const { properties } = twin;
  const changed: number[] = [];
  const settled: [number, PropertyTwin][] = [];
  const members: string[] = [];
  const all: string[] = [];
  const bad: string[] = [];
  const packedBad: string[] = [];
  let at = 0;
  for (let i = 0; i < indexes.length; i++) {
    const index = indexes[i] as number;
    const reading = readings[i];
    const property = device.properties[index];
    if (!reading || !property) throw new Fault("ANSWER_INVALID", `${device.name}: the driver left a point out`);
    at = reading.at;
    const old = properties[index] ?? {};
    const slot = slots[i];
    if (slot && isAgain(slot, reading, old, property.report)) {
      members.push(slot.member);
      all.push(slot.said);
      continue;
    }
    const report = reportOf(property, reading);
    const said = report.value === undefined ? "null" : text(report.value);
    const member = `${keys[i]}${said}`;
    if (report.value !== undefined) members.push(member);
    all.push(said);
    if (report.quality !== "good") {
      const reason = JSON.stringify(report.reason ?? report.quality);
      bad.push(`${keys[i]}${reason}`);
      packedBad.push(`"${i}":${reason}`);
    }
    const isNew = isChange(old.reported, report, property.report);
    if (isNew) {
      properties[index] = { ...old, reported: report };
      changed.push(index);
    }
    const isGood = reading.ok && report.quality === "good";
    slots[i] = isGood ? { raw: reading.raw, said, member, reported: isNew ? report : old.reported } : undefined;
    if (old.desired && isGood && report.value !== undefined) {
      const next = settle(properties[index] ?? {}, report.value, (desired, said) => same(property, desired, said));
      if (next.desired !== old.desired) settled.push([index, next]);
    }
  }
  const told = bad.length > 0 ? `,"bad":{${bad.join(",")}}` : "";
  const telemetry = `{"at":${at},"seq":${seq},"values":{${members.join(",")}}${told}}`;
  const reasons = packedBad.length > 0 ? `{${packedBad.join(",")}}` : "";
  const packed = device.keep === "every" ? packText(seq, all.join(","), reasons) : "";
  return { telemetry, packed, at, changed, settled };
}

/** Whether a reading says what was taken before, and nothing waits for it: no wish, no heartbeat, no doubt. */
function isAgain(
  slot: Slot,
  reading: Reading,
  { reported, desired }: PropertyTwin,
  rule: PropertySpec["report"],
): boolean {
  return (
    reading.ok &&
    reading.raw === slot.raw &&
    reading.doubt === undefined &&
    reported === slot.reported &&
    desired?.state !== "pending" &&
    rule?.heartbeat === undefined
  );
}

function reportOf(property: Device["properties"][number], reading: Reading): Report {
  const { at } = reading;
  if (!reading.ok) {
    const { code, message } = reading.fault;
    return { value: undefined, at, quality: "bad", reason: `${code}: ${message}` };
  }
  const { value, quality, reason } = decode(property, reading.raw);
  if (quality === "good" && reading.doubt !== undefined)
    return { value, at, quality: "uncertain", reason: reading.doubt };
  return reason === undefined ? { value, at, quality } : { value, at, quality, reason };
}

function text(value: Value): string {
  return typeof value === "number" || typeof value === "boolean" ? `${value}` : JSON.stringify(value);
}
