import { admit, type Device } from "#devices/expand";
import type { Declaration } from "#devices/model";
import type { Identity, LinkReport } from "#devices/status";
import { desireByCloud, desireBySite, expire, looksLike, type PropertyTwin, refuse, release } from "#devices/twin";
import { equal, type Value } from "#devices/value";
import { Bell } from "#std/bell";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Database } from "#std/sqlite";
import type { DeviceTwin, Health, Watcher } from "./device-twin.ts";
import { type Known, TwinStore } from "./twin-store.ts";

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
  /** Properties whose wish ends by itself. */
  readonly #expiring = new Map<string, readonly [twin: DeviceTwin, index: number]>();
  /** Versions of the site's wishes that are on disk, and in their twin in a moment, by uid and property. */
  readonly #arriving = new Map<string, number>();
  #changed = new Set<string>();
  readonly #db: Database;
  readonly #store: TwinStore;
  readonly #clock: Clock;
  readonly #watcher: Watcher;
  #wishes = 0;

  constructor(db: Database, clock: Clock, watcher: Watcher) {
    this.#db = db;
    this.#clock = clock;
    this.#watcher = watcher;
    this.#store = new TwinStore(db);
    this.#wishes = this.#store.wishes;
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
    // A declaration that could not be driven had no properties; what they were is on disk.
    const known = old?.device ? knownOf(old) : this.#store.load(uid);
    const runs = device instanceof Fault ? undefined : device;
    const names = runs?.properties.map((property) => property.name) ?? [];
    const state = {
      declared,
      device: runs,
      properties: names.map((property) => known.properties.get(property) ?? {}),
      indexOf: new Map(names.map((property, i) => [property, i])),
      health: healthOf(device, old),
    };
    const isBack = !old?.device;
    const isMoved = !old?.device || !runs || !isSamePlace(old.device, runs);
    const left = [...(old?.indexOf.keys() ?? [])].filter((property) => !names.includes(property));
    const newcomer = { link: undefined, identity: old?.device ? undefined : known.identity };
    const twin: DeviceTwin = old
      ? Object.assign(old, state, isMoved ? newcomer : {})
      : { ...state, ...newcomer, lastSeen: known.lastSeen, seq: this.#store.loadSeq(uid) };
    this.#all.set(uid, twin);
    this.#byName.set(name, twin);
    for (const property of left) this.#watcher.left(twin, property);
    if (isBack) this.#watcher.known(twin);
    for (const index of twin.properties.keys()) this.#expect(twin, index);
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
    this.#db.commitNow(() => this.#store.remove(uid));
    // Whoever waits for its answer still holds the twin, and must find nothing to say of it.
    twin.device = undefined;
    this.#watcher.gone(twin);
    // Another device may have its name by now, and with it its topics.
    const heir = this.#byName.get(twin.declared.name);
    if (!heir) return;
    this.#watcher.known(heir);
    this.#watcher.health(heir);
  }

  /**
   * Takes a wish of a local application; resolves with its version when it is on disk.
   * @throws {Fault} `DEVICE_UNKNOWN`, `PROPERTY_UNKNOWN`, `PROPERTY_READ_ONLY`, `VALUE_INVALID`, `VALUE_OUT_OF_RANGE`.
   */
  async desire(name: string, property: string, value: Value, until?: number): Promise<number> {
    const twin = this.named(name);
    if (!twin.device) throw new Fault("DEVICE_UNKNOWN", `${name} does not run: ${twin.health.message}`);
    admit(twin.device, property, value);
    const version = ++this.#wishes;
    const wish = { value, version, at: this.#clock.now(), ...(until === undefined ? {} : { until }) };
    // The device may be declared anew while the disk is waited for, and its properties may have other places then.
    const key = `${twin.declared.uid} ${property}`;
    await this.#db
      .commit(() => {
        const index = this.#indexOf(twin, property);
        this.#store.wishes = version;
        this.#store.saveWish(twin, property, desireBySite(this.#twinAt(twin, index), wish));
        this.#arriving.set(key, version);
      })
      .finally(() => this.#arriving.get(key) === version && this.#arriving.delete(key));
    const index = this.#indexOf(twin, property);
    this.#apply(twin, index, desireBySite(this.#twinAt(twin, index), wish));
    return version;
  }

  /**
   * Takes a new state of a wish: applied, refused, pending again. It reaches the disk soon after; a kill in between
   * costs nothing, because the next visit finds the same state again.
   */
  settle(twin: DeviceTwin, index: number, next: PropertyTwin): Promise<void> {
    if (!this.#isHere(twin) || next.desired === twin.properties[index]?.desired) return Promise.resolve();
    const property = twin.device?.properties[index]?.name;
    if (property === undefined) return Promise.resolve();
    this.#apply(twin, index, next);
    return this.#db.commit(() => {
      // A wish that came meanwhile is on disk in this very transaction, and not in the twin yet.
      if (!this.#isHere(twin) || this.#arriving.has(`${twin.declared.uid} ${property}`)) return;
      // So is the declaration another, and the property may have another place or none.
      const place = twin.indexOf.get(property);
      this.#store.saveWish(twin, property, place === undefined ? next : this.#twinAt(twin, place));
    });
  }

  /** Ends the wishes whose time is over. */
  async expire(): Promise<void> {
    const now = this.#clock.now();
    for (const [key, [twin, index]] of this.#expiring) {
      const old = this.#twinAt(twin, index);
      const isGone = !this.#isHere(twin) || !twin.device;
      if (isGone || old.desired?.until === undefined) this.#expiring.delete(key);
      else if (old.desired.until <= now) await this.settle(twin, index, expire(old, now));
    }
  }

  /** Says whether a device answers. */
  setHealth(twin: DeviceTwin, health: Health): void {
    const old = twin.health;
    if (!this.#isHere(twin)) return;
    if (old.online === health.online && old.reason === health.reason && old.message === health.message) return;
    const left = old.online && !health.online;
    twin.health = health;
    this.#watcher.health(twin);
    if (left) this.doubt(twin, `${health.reason}: ${health.message}`);
    this.changed(twin);
  }

  /** Says how the link of a device fares. */
  setLink(twin: DeviceTwin, link: LinkReport): void {
    if (!this.#isHere(twin) || JSON.stringify(link) === JSON.stringify(twin.link)) return;
    twin.link = link;
    this.changed(twin);
  }

  /** Takes what a device says of itself. */
  setIdentity(twin: DeviceTwin, identity: Identity | undefined): void {
    if (!this.#isHere(twin) || equal(identity, twin.identity)) return;
    twin.identity = identity;
    this.changed(twin);
  }

  /** What a device said before it left, or was late, stays visible, with its time, but is no longer good. */
  doubt(twin: DeviceTwin, reason: string, indexes: Iterable<number> = twin.properties.keys()): void {
    for (const index of indexes) {
      const property = twin.properties[index];
      if (property?.reported?.quality !== "good") continue;
      twin.properties[index] = { ...property, reported: { ...property.reported, quality: "uncertain", reason } };
      this.#watcher.reported(twin, index);
      this.changed(twin);
    }
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
    try {
      await this.#db.commit(() => {
        for (const twin of twins) if (twin.device && this.#isHere(twin)) this.#store.saveReport(twin);
      });
    } catch (error) {
      // The next call tries again, also for those that say nothing new meanwhile.
      for (const twin of twins) this.#unsaved.add(twin);
      throw error;
    }
  }

  /** Puts the sequence number of a device on disk, within the caller's transaction. */
  saveSeq(twin: DeviceTwin): void {
    this.#store.saveSeq(twin);
  }

  #isHere(twin: DeviceTwin): boolean {
    return this.#all.get(twin.declared.uid) === twin;
  }

  #indexOf(twin: DeviceTwin, property: string): number {
    const { name } = twin.declared;
    const index = twin.indexOf.get(property);
    if (!this.#isHere(twin)) throw new Fault("DEVICE_UNKNOWN", `${name} is no longer on this node`);
    if (index === undefined) throw new Fault("PROPERTY_UNKNOWN", `${name} no longer has a property ${property}`);
    return index;
  }

  #twinAt(twin: DeviceTwin, index: number): PropertyTwin {
    return twin.properties[index] ?? {};
  }

  #apply(twin: DeviceTwin, index: number, next: PropertyTwin): void {
    const old = this.#twinAt(twin, index);
    twin.properties[index] = { ...next, ...reportedOf(old) };
    this.#expect(twin, index);
    if (looksLike(old, next)) return;
    this.#watcher.desired(twin, index);
    this.changed(twin);
  }

  /** Remembers a wish that ends by itself. */
  #expect(twin: DeviceTwin, index: number): void {
    if (this.#twinAt(twin, index).desired?.until !== undefined)
      this.#expiring.set(`${twin.declared.uid} ${index}`, [twin, index]);
  }

  /** Hears the whole wish of the cloud: what is new is taken, what is no longer there is released. */
  #hear(twin: DeviceTwin, device: Device): void {
    const now = this.#clock.now();
    const changes: [number, PropertyTwin][] = [];
    for (const [index, property] of device.properties.entries()) {
      const { name } = property;
      const old = this.#twinAt(twin, index);
      const wish = Object.hasOwn(device.desired, name) ? device.desired[name] : undefined;
      if (!wish) {
        if (old.heard) changes.push([index, release(old)]);
        continue;
      }
      const { generation, at = now, seen = {} } = twin.declared;
      const judgement = { rule: property.conflict, seen: seen[name] ?? 0 };
      const next = expire(desireByCloud(old, { ...wish, version: generation, at }, judgement), now);
      if (next === old) continue;
      const isNew = next.desired?.by === "cloud" && next.desired !== old.desired;
      changes.push([index, isNew ? admitted(device, name, wish.value, next) : next]);
    }
    if (changes.length === 0) return;
    this.#db.commitNow(() => {
      for (const [index, next] of changes) this.#store.saveWish(twin, device.properties[index]?.name ?? "", next);
    });
    for (const [index, next] of changes) this.#apply(twin, index, next);
  }
}

function healthOf(device: Device | Fault, old: DeviceTwin | undefined): Health {
  if (device instanceof Fault) return { online: false, reason: device.code, message: device.message };
  return old?.device ? old.health : STARTING;
}

/** Whether a device is where it was: on the same link, with the same number. */
function isSamePlace(a: Device, b: Device): boolean {
  return a.linkKey === b.linkKey && JSON.stringify(a.station) === JSON.stringify(b.station);
}

function reportedOf(twin: PropertyTwin | undefined): Pick<PropertyTwin, "reported"> {
  return twin?.reported ? { reported: twin.reported } : {};
}

function knownOf({ device, properties, lastSeen, identity }: DeviceTwin): Known {
  const names = device?.properties ?? [];
  return { lastSeen, identity, properties: new Map(names.map(({ name }, i) => [name, properties[i] ?? {}])) };
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
