import { admit, type Device } from "#devices/expand";
import type { Declaration } from "#devices/model";
import type { DeviceReport } from "#devices/status";
import { desireByCloud, desireBySite, looksLike, type PropertyTwin, refuse, release } from "#devices/twin";
import type { Value } from "#devices/value";
import { Bell } from "#std/bell";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Database } from "#std/sqlite";

/** Whether a device answers, and if not, why. */
export interface Health {
  readonly online: boolean;
  /** `Answering`, `Starting`, or the code of a fault. */
  readonly reason: string;
  readonly message: string;
}

/** The twin of a device: what runs, and the twins of its properties by their index. Lives as long as the device. */
export interface DeviceTwin {
  declared: Declaration;
  /** Undefined when the declaration can not be driven; `health` says why. Another object after each declaration. */
  device: Device | undefined;
  properties: PropertyTwin[];
  indexOf: ReadonlyMap<string, number>;
  health: Health;
  lastSeen: number | undefined;
  /** Sequence number of the last telemetry message. */
  seq: number;
}

/** Told of what changed; the twins tell, others publish and send. */
export interface Watcher {
  /** Somebody wished something, or it was settled. */
  desired(twin: DeviceTwin, index: number): void;
  /** What a property said is no longer sure, because its device is away. */
  reported(twin: DeviceTwin, index: number): void;
  /** The device came, went or changed its state. */
  health(twin: DeviceTwin): void;
  /** The node started and knows this of the device from before. */
  known(twin: DeviceTwin): void;
  /** A property is no longer in the model. */
  left(twin: DeviceTwin, property: string): void;
  /** The device is no longer declared. */
  gone(twin: DeviceTwin): void;
}

const STARTING: Health = { online: false, reason: "Starting", message: "not visited yet" };

/**
 * The digital twins of this node and the only place that changes them. Wishes are on disk before they are answered;
 * what a device said is on disk within a second, because the next visit reads it again.
 */
export class Twins {
  /** Rings when a report is due to the cloud; `takeChanged` says whose. */
  readonly bell = new Bell();
  readonly #all = new Map<string, DeviceTwin>();
  readonly #byName = new Map<string, DeviceTwin>();
  readonly #unsaved = new Set<DeviceTwin>();
  #changed = new Set<string>();
  readonly #db: Database;
  readonly #sql;
  readonly #clock: Clock;
  readonly #watcher: Watcher;
  #wishes = 0;

  constructor(db: Database, clock: Clock, watcher: Watcher) {
    this.#db = db;
    this.#clock = clock;
    this.#watcher = watcher;
    this.#sql = prepare(db);
    this.#wishes = Number(this.#sql.meta.get("wishes")?.value ?? 0);
  }

  get all(): Iterable<DeviceTwin> {
    return this.#all.values();
  }

  get(uid: string): DeviceTwin | undefined {
    return this.#all.get(uid);
  }

  /** @throws {Fault} `DEVICE_UNKNOWN` */
  named(name: string): DeviceTwin {
    const twin = this.#byName.get(name);
    if (!twin) throw new Fault("DEVICE_UNKNOWN", `there is no device ${name} on this node`);
    return twin;
  }

  /** Devices whose report changed since the last call. */
  takeChanged(): readonly DeviceTwin[] {
    const uids = this.#changed;
    this.#changed = new Set();
    return [...uids].flatMap((uid) => this.#all.get(uid) ?? []);
  }

  /** Marks every device as changed: a new connection to the cloud tells the whole truth. */
  tellAll(): void {
    for (const uid of this.#all.keys()) this.#changed.add(uid);
    this.bell.ring();
  }

  /**
   * Takes a declaration over: keeps what is known of properties that stay, and hears the cloud's wishes.
   * @param device - the expanded declaration, or the fault that says why there is none.
   */
  declare(declared: Declaration, device: Device | Fault): DeviceTwin {
    const { uid, name } = declared;
    const old = this.#all.get(uid);
    const known = old ? knownOf(old) : this.#load(uid);
    const runs = device instanceof Fault ? undefined : device;
    const names = runs?.properties.map((property) => property.name) ?? [];
    const state = {
      declared,
      device: runs,
      properties: names.map((property) => known.properties.get(property) ?? {}),
      indexOf: new Map(names.map((property, i) => [property, i])),
      health: healthOf(device, old),
    };
    const left = [...(old?.indexOf.keys() ?? [])].filter((property) => !names.includes(property));
    const seq = () => this.#sql.counter.get(uid)?.seq ?? 0;
    const twin: DeviceTwin = old ? Object.assign(old, state) : { ...state, lastSeen: known.lastSeen, seq: seq() };
    this.#all.set(uid, twin);
    this.#byName.set(name, twin);
    for (const property of left) this.#watcher.left(twin, property);
    if (!old) this.#watcher.known(twin);
    if (runs) this.#hear(twin, runs);
    this.#watcher.health(twin);
    this.changed(twin);
    return twin;
  }

  /** Forgets a device that is no longer declared. */
  remove(uid: string): void {
    const twin = this.#all.get(uid);
    if (!twin) return;
    this.#all.delete(uid);
    if (this.#byName.get(twin.declared.name) === twin) this.#byName.delete(twin.declared.name);
    this.#unsaved.delete(twin);
    this.#db.commitNow(() => {
      for (const sql of [this.#sql.dropWishes, this.#sql.dropReport, this.#sql.dropCounter]) sql.run(uid);
    });
    this.#watcher.gone(twin);
  }

  /**
   * Takes a wish of a local application; resolves when it is on disk.
   * @throws {Fault} `DEVICE_UNKNOWN`, `PROPERTY_UNKNOWN`, `PROPERTY_READ_ONLY`, `VALUE_INVALID`, `VALUE_OUT_OF_RANGE`.
   */
  async desire(name: string, property: string, value: Value): Promise<void> {
    const twin = this.named(name);
    if (!twin.device) throw new Fault("DEVICE_UNKNOWN", `${name} does not run: ${twin.health.message}`);
    admit(twin.device, property, value);
    const index = twin.indexOf.get(property) ?? -1;
    const version = ++this.#wishes;
    const at = this.#clock.now();
    await this.#db.commit(() => {
      this.#sql.setMeta.run("wishes", String(version));
      this.#store(twin, index, desireBySite(this.#twinAt(twin, index), value, version, at));
    });
    this.#apply(twin, index, desireBySite(this.#twinAt(twin, index), value, version, at));
  }

  /**
   * Takes a new state of a wish: applied, refused, pending again. It reaches the disk soon after; a kill in between
   * costs nothing, because the next visit finds the same state again.
   */
  settle(twin: DeviceTwin, index: number, next: PropertyTwin): Promise<void> {
    if (next.desired === twin.properties[index]?.desired) return Promise.resolve();
    this.#apply(twin, index, next);
    return this.#db.commit(() => {
      if (this.#all.get(twin.declared.uid) === twin) this.#store(twin, index, this.#twinAt(twin, index));
    });
  }

  /** Says whether a device answers. */
  setHealth(twin: DeviceTwin, health: Health): void {
    const old = twin.health;
    if (old.online === health.online && old.reason === health.reason && old.message === health.message) return;
    const left = old.online && !health.online;
    twin.health = health;
    this.#watcher.health(twin);
    if (left) this.#doubt(twin, `${health.reason}: ${health.message}`);
    this.changed(twin);
  }

  /** The device said something: its report is saved and sent soon. */
  changed(twin: DeviceTwin): void {
    this.#unsaved.add(twin);
    this.#changed.add(twin.declared.uid);
    this.bell.ring();
  }

  /** Writes down what devices said since the last call. */
  async save(): Promise<void> {
    const twins = [...this.#unsaved];
    this.#unsaved.clear();
    if (twins.length === 0) return;
    await this.#db.commit(() => {
      for (const twin of twins) if (this.#all.get(twin.declared.uid) === twin) this.#sql.report.run(...saved(twin));
    });
  }

  /** Puts the sequence number of a device on disk, within the caller's transaction. */
  saveSeq(twin: DeviceTwin): void {
    this.#sql.setCounter.run(twin.declared.uid, twin.seq);
  }

  /** What a device said before it left stays visible, with its time, but is no longer good. */
  #doubt(twin: DeviceTwin, reason: string): void {
    for (const [index, property] of twin.properties.entries()) {
      if (property.reported?.quality !== "good") continue;
      twin.properties[index] = { ...property, reported: { ...property.reported, quality: "uncertain", reason } };
      this.#watcher.reported(twin, index);
    }
  }

  #twinAt(twin: DeviceTwin, index: number): PropertyTwin {
    return twin.properties[index] ?? {};
  }

  #store(twin: DeviceTwin, index: number, { desired, heard }: PropertyTwin): void {
    const property = twin.device?.properties[index]?.name ?? "";
    this.#sql.setWish.run(twin.declared.uid, property, JSON.stringify({ desired, heard }));
  }

  #apply(twin: DeviceTwin, index: number, next: PropertyTwin): void {
    const old = this.#twinAt(twin, index);
    twin.properties[index] = { ...next, ...reportedOf(old) };
    if (looksLike(old, next)) return;
    this.#watcher.desired(twin, index);
    this.changed(twin);
  }

  /** Hears the whole wish of the cloud: what is new is taken, what is no longer there is released. */
  #hear(twin: DeviceTwin, device: Device): void {
    const at = this.#clock.now();
    const changes: [number, PropertyTwin][] = [];
    for (const [index, { name }] of device.properties.entries()) {
      const old = this.#twinAt(twin, index);
      const value = device.desired[name];
      if (value === undefined) {
        if (old.heard) changes.push([index, release(old)]);
        continue;
      }
      const next = desireByCloud(old, value, device.generation, at);
      if (next !== old)
        changes.push([index, next.desired === old.desired ? next : admitted(device, name, value, next)]);
    }
    this.#db.commitNow(() => {
      for (const [index, next] of changes) this.#store(twin, index, next);
    });
    for (const [index, next] of changes) this.#apply(twin, index, next);
  }

  #load(uid: string): Known {
    const properties = new Map<string, PropertyTwin>();
    const report = this.#sql.getReport.get(uid);
    const { lastSeen, properties: reports = {} } = report ? (JSON.parse(report.json) as Saved) : {};
    for (const [name, reported] of Object.entries(reports)) {
      const doubt = { quality: "uncertain", reason: "not read since the node started" } as const;
      properties.set(name, { reported: reported.quality === "good" ? { ...reported, ...doubt } : reported });
    }
    for (const { property, json } of this.#sql.wishes.all(uid))
      properties.set(property, { ...properties.get(property), ...(JSON.parse(json) as PropertyTwin) });
    return { lastSeen, properties };
  }
}

function healthOf(device: Device | Fault, old: DeviceTwin | undefined): Health {
  if (device instanceof Fault) return { online: false, reason: device.code, message: device.message };
  return old?.device ? old.health : STARTING;
}

function reportedOf(twin: PropertyTwin | undefined): Pick<PropertyTwin, "reported"> {
  return twin?.reported ? { reported: twin.reported } : {};
}

interface Known {
  readonly lastSeen: number | undefined;
  readonly properties: ReadonlyMap<string, PropertyTwin>;
}

interface Saved {
  readonly lastSeen?: number;
  readonly properties?: Readonly<Record<string, NonNullable<PropertyTwin["reported"]>>>;
}

function knownOf({ device, properties, lastSeen }: DeviceTwin): Known {
  const names = device?.properties ?? [];
  return { lastSeen, properties: new Map(names.map(({ name }, i) => [name, properties[i] ?? {}])) };
}

function saved({ declared, device, lastSeen, properties }: DeviceTwin): [string, string] {
  const reports = device?.properties.flatMap(({ name }, i) => {
    const reported = properties[i]?.reported;
    return reported ? [[name, reported] as const] : [];
  });
  return [declared.uid, JSON.stringify({ lastSeen, properties: Object.fromEntries(reports ?? []) })];
}

/** A wish of the cloud that the model forbids is heard and refused at once, so that it is seen and not repeated. */
function admitted(device: Device, name: string, value: Value, twin: PropertyTwin): PropertyTwin {
  try {
    admit(device, name, value);
    return twin;
  } catch (fault) {
    if (!Fault.is(fault)) throw fault;
    return refuse(twin, `${fault.code}: ${fault.message}`);
  }
}

/** The whole truth about a device, as the cloud gets it. */
export function reportOf({ declared, device, health, lastSeen, properties }: DeviceTwin): DeviceReport {
  const { uid, name, namespace, generation, modelGeneration } = declared;
  return {
    uid,
    name,
    namespace,
    generation,
    modelGeneration,
    ...health,
    ...(device ? { protocol: device.protocol } : {}),
    ...(lastSeen === undefined ? {} : { lastSeen }),
    properties: (device?.properties ?? []).map(({ name }, i) => {
      const { reported, desired } = properties[i] ?? {};
      const { value, at, quality, reason } = reported ?? {};
      return {
        name,
        ...(value === undefined ? {} : { reported: value }),
        ...(at === undefined ? {} : { at, quality }),
        ...(reason === undefined ? {} : { reason }),
        ...(desired ? { desired: desired.value, by: desired.by, state: desired.state } : {}),
        ...(desired?.reason === undefined ? {} : { refusal: desired.reason }),
      };
    }),
  };
}

function prepare(db: Database) {
  return {
    meta: db.prepare<[string], { value: string }>("select value from meta where key = ?"),
    setMeta: db.prepare("insert into meta values (?, ?) on conflict do update set value = excluded.value"),
    wishes: db.prepare<[string], { property: string; json: string }>("select property, json from wish where uid = ?"),
    setWish: db.prepare("insert into wish values (?, ?, ?) on conflict do update set json = excluded.json"),
    dropWishes: db.prepare("delete from wish where uid = ?"),
    getReport: db.prepare<[string], { json: string }>("select json from report where uid = ?"),
    report: db.prepare("insert into report values (?, ?) on conflict do update set json = excluded.json"),
    dropReport: db.prepare("delete from report where uid = ?"),
    counter: db.prepare<[string], { seq: number }>("select seq from counter where uid = ?"),
    setCounter: db.prepare("insert into counter values (?, ?) on conflict do update set seq = excluded.seq"),
    dropCounter: db.prepare("delete from counter where uid = ?"),
  };
}
