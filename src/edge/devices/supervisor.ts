import type { Driver, DriverTable } from "#devices/driver";
import { type Device, expand } from "#devices/expand";
import { type Declaration, modelSpec } from "#devices/model";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";
import type { Database } from "#std/sqlite";
import type { DeviceTwin } from "../device-twin.ts";
import { Bus } from "./bus.ts";
import type { Ports } from "./outcomes.ts";

interface Running {
  readonly bus: Bus;
  readonly scope: Scope;
}

/**
 * Keeps the buses true to the declarations: one bus per link, started with its first device and ended with its last.
 * A declaration is on disk before it counts as taken; one that can not be driven costs itself alone.
 */
export class Supervisor implements AsyncDisposable {
  readonly #db: Database;
  readonly #sql;
  readonly #drivers: DriverTable;
  readonly #ports: Ports;
  readonly #log: Log;
  readonly #buses = new Map<string, Running>();
  readonly #loaded = new Map<string, Driver>();

  constructor(db: Database, drivers: DriverTable, ports: Ports) {
    this.#db = db;
    this.#drivers = drivers;
    this.#ports = ports;
    this.#log = ports.log;
    this.#sql = {
      all: db.prepare<[], { json: string }>("select json from declaration"),
      get: db.prepare<[string], { json: string }>("select json from declaration where uid = ?"),
      set: db.prepare("insert into declaration values (?, ?) on conflict do update set json = excluded.json"),
      remove: db.prepare("delete from declaration where uid = ?"),
    };
  }

  /** Buses that run. */
  get buses(): number {
    return this.#buses.size;
  }

  /** Runs what was declared before the last end. */
  async resume(): Promise<void> {
    for (const { json } of this.#sql.all.all()) await this.#run(JSON.parse(json) as Declaration);
  }

  /** Takes a declaration; resolves when it is on disk and runs, or is known not to. */
  async declare(declared: Declaration): Promise<void> {
    const json = JSON.stringify(declared);
    // The cloud tells all of them at each connection; only what is new has to wait for the disk.
    if (this.#sql.get.get(declared.uid)?.json !== json)
      await this.#db.commit(() => this.#sql.set.run(declared.uid, json));
    await this.#run(declared);
  }

  async remove(uid: string): Promise<void> {
    const linkKey = this.#ports.twins.get(uid)?.device?.linkKey;
    await this.#db.commit(() => this.#sql.remove.run(uid));
    this.#ports.twins.remove(uid);
    if (linkKey !== undefined) await this.#arrange(linkKey);
  }

  /** Removes every device that is not in the roster. */
  async keepOnly(uids: ReadonlySet<string>): Promise<void> {
    const stray = [...this.#ports.twins.all].map(({ declared }) => declared.uid).filter((uid) => !uids.has(uid));
    for (const uid of stray) await this.remove(uid);
  }

  /** Tells the bus of a device that there is a wish to write. */
  hasten(linkKey: string): void {
    this.#buses.get(linkKey)?.bus.hasten();
  }

  /** The bus that a device is on. @throws {Fault} `DEVICE_UNKNOWN` when it does not run. */
  busOf({ declared, device, health }: DeviceTwin): Bus {
    const running = device && this.#buses.get(device.linkKey);
    if (!running) throw new Fault("DEVICE_UNKNOWN", `${declared.name} does not run: ${health.message}`);
    return running.bus;
  }

  /** The same, or undefined when it does not run. */
  findBus({ device }: Pick<DeviceTwin, "device">): Bus | undefined {
    return device && this.#buses.get(device.linkKey)?.bus;
  }

  /** The driver of a device that runs. */
  driverOf({ protocol }: Pick<Device, "protocol">): Driver | undefined {
    return this.#loaded.get(protocol);
  }

  /** Looks for values that are too old on every bus. */
  doubtStale(): void {
    for (const { bus } of this.#buses.values()) bus.doubtStale();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = [...this.#buses.values()];
    this.#buses.clear();
    await Promise.all(running.map(({ scope }) => scope[Symbol.asyncDispose]()));
  }

  async #run(declared: Declaration): Promise<void> {
    const { twins } = this.#ports;
    const before = twins.get(declared.uid)?.device?.linkKey;
    const device = await this.#expand(declared);
    if (device instanceof Fault)
      this.#log.warn("device can not run", { device: declared.name, code: device.code, message: device.message });
    twins.declare(declared, device);
    if (before) await this.#arrange(before);
    if (device instanceof Fault || device.linkKey === before) return;
    await this.#arrange(device.linkKey);
  }

  async #expand(declared: Declaration): Promise<Device | Fault> {
    try {
      return expand(declared, await this.#driver(declared));
    } catch (error) {
      if (Fault.is(error)) return error;
      this.#log.error("device can not be expanded", { device: declared.name, error });
      return new Fault("CONFIG_INVALID", `Device ${declared.name}: ${String(error)}`, { cause: error });
    }
  }

  async #driver({ name, model }: Declaration): Promise<Driver> {
    const parsed = modelSpec.pick({ protocol: true }).safeParse(pick(model));
    // Without a model there is no protocol; the expansion says so better than a missing driver would.
    const protocol = parsed.success ? parsed.data.protocol : Object.keys(this.#drivers)[0];
    const load = protocol && Object.hasOwn(this.#drivers, protocol) ? this.#drivers[protocol] : undefined;
    if (!protocol || !load) {
      const known = Object.keys(this.#drivers).join(", ");
      throw new Fault("DRIVER_UNKNOWN", `Device ${name}: there is no driver ${protocol}, but ${known}`);
    }
    const driver = this.#loaded.get(protocol) ?? (await load());
    this.#loaded.set(protocol, driver);
    return driver;
  }

  /** Starts, updates or ends the bus of a link, as its devices want. */
  async #arrange(linkKey: string): Promise<void> {
    const { twins } = this.#ports;
    const devices = [...twins.all].filter(({ device }) => device?.linkKey === linkKey);
    const running = this.#buses.get(linkKey);
    const first = devices[0]?.device;
    if (!first) {
      this.#buses.delete(linkKey);
      running?.bus.set([]);
      await running?.scope[Symbol.asyncDispose]();
      return;
    }
    if (running) return running.bus.set(devices);
    const driver = this.#loaded.get(first.protocol);
    if (!driver) return;
    const bus = new Bus(driver, first.link, this.#ports);
    bus.set(devices);
    const scope = new Scope();
    scope.run(linkKey, (signal) => bus.serve(signal));
    scope.done().catch((error: unknown) => this.#log.error("bus broke", { link: linkKey, error }));
    this.#buses.set(linkKey, { bus, scope });
  }
}

function pick(model: unknown): unknown {
  return typeof model === "object" && model !== null && "protocol" in model ? { protocol: model.protocol } : undefined;
}
