import type { Connection, Driver, Exchange, Pushed, Raw, Reading } from "#devices/driver";
import type { Declaration } from "#devices/model";
import type { DeviceTwin } from "#edge/device-twin";
import { Bus } from "#edge/devices/bus";
import type { Inspection } from "#edge/devices/inspect";
import type { Taken } from "#edge/devices/visit";
import { openStore } from "#edge/store";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { Queue } from "#std/queue";
import { Scope } from "#std/scope";
import { schemas } from "./boiler.ts";
import { type KeptLog, keptLog } from "./log.ts";
import { twinsRig } from "./twins.ts";

/** Devices as a test writes them: what they say by property, and how they break. */
export interface Script {
  /** Called for each read; by default every point says 21. */
  readonly read?: (unit: number, property: string) => Raw | Promise<Raw>;
  readonly write?: (unit: number, property: string, raw: Raw) => void | Promise<void>;
  readonly connect?: () => void | Promise<void>;
  readonly close?: () => void;
  /** The last exchanges of the link, in the hands of the test. Without it, the driver keeps none. */
  readonly exchanges?: readonly Exchange[];
  readonly describe?: (unit: number) => Readonly<Record<string, string>> | Promise<never>;
}

export interface BusRig extends AsyncDisposable {
  /** What was asked of the driver, such as `connect`, `read 1`, `write 1 setpoint=70`. */
  readonly asked: string[];
  /** Times that this was asked. */
  count(what: string): number;
  readonly log: KeptLog;
  readonly twins: ReturnType<typeof twinsRig>["twins"];
  readonly told: readonly string[];
  /** Values that were taken, by device and property. */
  readonly taken: ReadonlyMap<string, unknown>;
  /** The last visit, or push, as it was taken. */
  readonly last: Taken | undefined;
  /** A device says something by itself: addresses with `pushed` are not polled. */
  push(unit: number, ...batch: Pushed[]): void;
  declare(...declared: Declaration[]): DeviceTwin[];
  set(devices: readonly DeviceTwin[]): void;
  /** See `Bus.ask`. */
  readonly ask: Bus["ask"];
  /** What the bus tells of a device. */
  inspect(twin: DeviceTwin): Inspection;
  /** Looks for values that are too old, as the node does each second. */
  doubtStale(): void;
  /** A wish of the site, told to the bus. */
  wish(device: string, property: string, value: number): Promise<void>;
}

/** Never answers; ends with its signal, as a driver does when a device is silent. */
export const silence = Symbol("silence");
/** Never answers, and does not end with its signal either, as no driver should. */
export const hang = Symbol("hang");
/** Such a driver is left behind after this. */
const GIVE_UP_MS = 50;

/** A bus with a scripted driver, running. Station `unit` tells the devices apart. */
export function busRig(script: (signal: AbortSignal) => Script, timeoutMs = 30): BusRig {
  const asked: string[] = [];
  const taken = new Map<string, unknown>();
  const log = keptLog();
  const rig = twinsRig(openStore(":memory:", silent), systemClock);
  const { twins } = rig;
  const ears = new Map<number, Queue<readonly Pushed[]>>();
  let last: Taken | undefined;
  const visited = ({ twin }: { readonly twin: DeviceTwin }, taking: Taken) => {
    last = taking;
    for (const [i, { reported }] of twin.properties.entries())
      taken.set(`${twin.declared.name} ${twin.device?.properties[i]?.name}`, reported?.value);
  };
  const bus = new Bus(
    driverOf(script, asked, ears),
    { timeoutMs },
    { twins, visited, log, clock: systemClock, giveUpMs: GIVE_UP_MS },
  );
  const scope = new Scope();
  scope.run("bus", (signal) => bus.serve(signal));
  return {
    asked,
    count: (what) => asked.filter((one) => one === what).length,
    log,
    twins,
    told: rig.told,
    taken,
    get last() {
      return last;
    },
    push: (unit, ...batch) => ears.get(unit)?.push(batch),
    declare(...declared) {
      const made = declared.map((one) => rig.declare(one));
      bus.set(made);
      return made;
    },
    set: (devices) => bus.set(devices),
    ask: (twin, work, signal) => bus.ask(twin, work, signal),
    inspect: (twin) => bus.inspect(twin),
    doubtStale: () => bus.doubtStale(),
    async wish(device, property, value) {
      await twins.desire(device, property, value);
      bus.hasten();
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

function driverOf(
  script: (signal: AbortSignal) => Script,
  asked: string[],
  ears: Map<number, Queue<readonly Pushed[]>>,
): Driver {
  const unitOf = (station: unknown) => (station as { unit: number }).unit;
  const answer = async <T>(made: T | Promise<T>, signal: AbortSignal): Promise<T> => {
    if ((made as unknown) === hang) return await new Promise<never>(() => undefined);
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    const value = await Promise.race([made, aborted]);
    return (value as unknown) === silence ? aborted : value;
  };
  return {
    ...schemas,
    timeoutMs: (link, station) =>
      (station as { timeoutMs?: number }).timeoutMs ?? (link as { timeoutMs: number }).timeoutMs,
    isWith: (station, { request }) => request instanceof Uint8Array && request[0] === unitOf(station),
    isPushed: (_station, address) => (address as { pushed?: boolean }).pushed === true,
    async connect(_link, signal) {
      asked.push("connect");
      await answer(script(signal).connect?.(), signal);
      const { exchanges } = script(signal);
      return {
        ...(exchanges ? { exchanges } : {}),
        async read(station, points, signal) {
          asked.push(`read ${unitOf(station)}`);
          const { read = () => 21 } = script(signal);
          const readings: Reading[] = [];
          for (const { property } of points) {
            const raw = await answer(read(unitOf(station), property), signal);
            readings.push({ ok: true, raw, at: Date.now() });
          }
          return readings;
        },
        async write(station, { property }, raw, signal) {
          asked.push(`write ${unitOf(station)} ${property}=${raw}`);
          await answer(script(signal).write?.(unitOf(station), property, raw), signal);
        },
        async *watch(station, _points, signal) {
          const unit = unitOf(station);
          asked.push(`watch ${unit}`);
          const ear = new Queue<readonly Pushed[]>(100);
          ears.set(unit, ear);
          signal.addEventListener("abort", () => ear.close(), { once: true });
          yield* ear;
          asked.push(`unwatch ${unit}`);
        },
        async describe(station, signal) {
          asked.push(`describe ${unitOf(station)}`);
          return await answer(script(signal).describe?.(unitOf(station)) ?? {}, signal);
        },
        async [Symbol.asyncDispose]() {
          asked.push("close");
          if ((script(signal).close?.() as unknown) === hang) await new Promise<never>(() => undefined);
        },
      } satisfies Connection;
    },
  };
}
