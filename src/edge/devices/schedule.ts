import type { Driver } from "#devices/driver";
import type { DeviceTwin } from "../device-twin.ts";
import { Turns } from "./turns.ts";
import { type Visit, wantedOf } from "./visit.ts";

/** The devices of a link and what they want of it. Another one takes its place when the declarations change. */
export interface Schedule {
  readonly devices: readonly DeviceTwin[];
  readonly visits: readonly Visit[];
  /** What devices say by themselves, one of each device. */
  readonly pushed: readonly Visit[];
  /** Whose turn it is among the visits. */
  readonly turns: Turns<Visit>;
}

/** Makes the schedule of a link; every visit is due at once. */
export function scheduleOf(devices: readonly DeviceTwin[], driver: Pick<Driver, "isPushed">, nowMs: number): Schedule {
  const wanted = devices.map((twin) => wantedOf(twin, driver));
  const visits = wanted.flatMap(({ visits }) => visits);
  const pushed = wanted.flatMap(({ pushed }) => pushed ?? []);
  return { devices, visits, pushed, turns: new Turns(visits, nowMs, devices.length > 1) };
}

/** False for a device that can only be written: nothing but a write shows whether it is there. */
export function isRead({ visits, pushed }: Schedule, twin: DeviceTwin): boolean {
  return [...visits, ...pushed].some((visit) => visit.twin === twin);
}
