/** How the properties of a device are read, and what that costs its link: for people who set devices up. */
import type { Driver, Experience, Lesson, Plan } from "#devices/driver";
import type { Device } from "#devices/expand";
import { Fault } from "#std/fault";
import { addressOf } from "./inspect.ts";
import { sortProperties } from "./visit.ts";

/** The plan of the properties that are read with one period. */
export interface PlannedVisit extends Plan {
  readonly everyMs: number;
  readonly properties: readonly string[];
  /** Part of the link's time that these visits take; undefined when nobody knows how long one lasts. */
  readonly load: number | undefined;
}

/** The plans of a device. */
export interface DevicePlan {
  readonly device: string;
  readonly protocol: string;
  /** Where the link leads. */
  readonly address: string;
  readonly visits: readonly PlannedVisit[];
  /** Properties that come by themselves. */
  readonly pushed: readonly string[];
  /** Part of the link's time that the device takes in all. */
  readonly load: number | undefined;
  readonly learned: readonly Lesson[];
}

/**
 * Plans a device. Asks nobody.
 * @throws {Fault} `USAGE_INVALID` when the driver has no plans.
 */
export function planOf(device: Device, driver: Driver, known: Experience = {}): DevicePlan {
  const { name, link, station, points, protocol } = device;
  if (!driver.plan) throw new Fault("USAGE_INVALID", `the ${protocol} driver plans nothing: it reads as it is asked`);
  const { polled, pushed } = sortProperties(device, driver);
  const nameOf = (index: number) => points[index]?.property ?? "";
  const visits = [...polled]
    .sort(([a], [b]) => a - b)
    .map(([everyMs, indexes]): PlannedVisit => {
      const some = indexes.flatMap((index) => points[index] ?? []);
      const plan = driver.plan?.(link, station, some, known) ?? NOTHING;
      const load = plan.cycleMs === undefined ? undefined : plan.cycleMs / everyMs;
      return { everyMs, properties: indexes.map(nameOf), ...plan, load };
    });
  const loads = visits.flatMap(({ load }) => load ?? []);
  return {
    device: name,
    protocol,
    address: addressOf(link),
    visits,
    pushed: pushed.map(nameOf),
    load: loads.length === visits.length ? loads.reduce((sum, one) => sum + one, 0) : undefined,
    learned: known.lessons ?? [],
  };
}

const NOTHING: Plan = { requests: [], asked: 0, wasted: 0, cycleMs: 0, basis: "" };
