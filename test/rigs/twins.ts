import { expand } from "#devices/expand";
import type { Declaration } from "#devices/model";
import type { DeviceTwin, Watcher } from "#edge/device-twin";
import { openStore, type Store } from "#edge/store";
import { Twins } from "#edge/twins";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { silent } from "#std/log";
import { schemas } from "./boiler.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";

export interface TwinsRig<C extends Clock = ManualClock> {
  readonly twins: Twins;
  readonly clock: C;
  /** What the watcher was told, in words such as `desired boiler-1 setpoint`. */
  readonly told: string[];
  /** Takes a declaration as the supervisor would. */
  declare(declared: Declaration): DeviceTwin;
  /** The node starts again on the same disk. */
  restart(): TwinsRig<C>;
}

/** Twins on a database in memory, with a watcher that only remembers. */
export function twinsRig(): TwinsRig;
export function twinsRig<C extends Clock>(store: Store, clock: C): TwinsRig<C>;
export function twinsRig(store: Store = openStore(":memory:", silent), clock: Clock = manualClock()): TwinsRig<Clock> {
  const told: string[] = [];
  const property = (twin: DeviceTwin, index: number) => `${twin.declared.name} ${twin.device?.properties[index]?.name}`;
  const watcher: Watcher = {
    desired: (twin, index) => told.push(`desired ${property(twin, index)}`),
    reported: (twin, index) => told.push(`reported ${property(twin, index)}`),
    health: (twin) => told.push(`health ${twin.declared.name} ${twin.health.reason}`),
    known: (twin) => told.push(`known ${twin.declared.name}`),
    left: (twin, name) => told.push(`left ${twin.declared.name} ${name}`),
    gone: (twin) => told.push(`gone ${twin.declared.name}`),
  };
  const twins = new Twins(store.db, clock, watcher);
  return {
    twins,
    clock,
    told,
    declare(declared) {
      try {
        return twins.declare(declared, expand(declared, schemas));
      } catch (fault) {
        if (!Fault.is(fault)) throw fault;
        return twins.declare(declared, fault);
      }
    },
    restart: () => twinsRig(store, clock),
  };
}

/** The twin of a property by its name. */
export function propertyOf(twin: DeviceTwin, name: string) {
  return twin.properties[twin.indexOf.get(name) ?? -1];
}
