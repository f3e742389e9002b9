import type { Clock } from "#std/clock";
import type { Database } from "#std/sqlite";
import type { GapBody, GapReason } from "#wire/messages";
import type { DeviceTwin } from "./device-twin.ts";
import type { Outbox } from "./outbox.ts";

export interface GapPorts {
  readonly db: Database;
  readonly outbox: Pick<Outbox, "append" | "clockWasSet">;
  readonly clock: Clock;
  /** Told when a gap or the sign of life can not be saved; the next beat tries again. */
  readonly failed: (error: unknown) => void;
}

/** Since when a device says nothing, by the monotonic clock, and why. A wall clock that is set meanwhile changes nothing. */
interface Silence {
  readonly sinceMs: number;
  readonly reason: GapReason;
}

/** Rows of a device that could not be saved, or readings that did not get here. Times are milliseconds since the epoch. */
interface Loss {
  readonly twin: DeviceTwin;
  readonly from: number;
  readonly to: number;
  /** How many; undefined when nobody knows. */
  readonly count: number | undefined;
  readonly reason: GapReason;
}

/** A gap that the disk did not take yet, and what belongs into the same transaction. */
interface Waiting {
  readonly twin: DeviceTwin;
  readonly body: GapBody;
  readonly also?: (() => void) | undefined;
}

/** The wall clock may drift from the monotonic one by this much between two beats before it is a jump. */
const JUMP_MS = 5_000;
/** Silences of which the device is not the reason. */
const OFF: ReadonlySet<GapReason> = new Set(["node off", "database lost"]);
/** The cloud has declared all devices anew this long after the first. */
const LOST_MS = 60_000;
/** Gaps of all devices together that wait for a disk; beyond, neighbours of a device become one. */
const MOST_WAITING = 10_000;

/**
 * Notes when devices that keep everything were not read, so that a hole in a history has a reason. A silence is on disk
 * from its begin, and so is a sign of life of the node: a kill in the middle of either leaves both known. While the disk
 * takes nothing, gaps wait in memory.
 */
export class Gaps {
  readonly #ports: GapPorts;
  readonly #sql;
  readonly #silences = new Map<string, Silence>();
  readonly #losses = new Map<string, Loss>();
  #waiting: Waiting[] = [];
  readonly #alive: number | undefined;
  /** Since when a history may have holes because its file was damaged; undefined when all devices are told. */
  #lostSince: number | undefined;
  #lostToldMs: number | undefined;
  #wallMs: number;
  #monotonicMs: number;

  constructor(ports: GapPorts) {
    this.#ports = ports;
    this.#sql = prepare(ports.db);
    const { clock } = ports;
    for (const { uid, since, reason } of this.#sql.silences.all())
      this.#silences.set(uid, { sinceMs: this.#monotonicOf(since), reason });
    const lost = this.#sql.lostSince.get()?.value;
    this.#lostSince = lost === undefined ? undefined : Number(lost);
    const alive = this.#sql.alive.get()?.value;
    this.#alive = alive === undefined ? undefined : Number(alive);
    this.#wallMs = clock.now();
    this.#monotonicMs = clock.monotonic();
  }

  /** The node runs again: nobody was read since its last sign of life. */
  resume(twins: Iterable<DeviceTwin>): void {
    const { db, clock, failed } = this.#ports;
    // A kill before the first beat must not make the next gap begin at the end of the last run.
    db.commit(() => this.#sql.live.run(String(clock.now()))).catch(failed);
    const alive = this.#alive;
    if (alive === undefined) return;
    for (const twin of twins) {
      if (!keepsAll(twin) || this.#silences.has(twin.declared.uid)) continue;
      this.#begin(twin, { sinceMs: this.#monotonicOf(Math.max(alive, twin.lastSeen ?? 0)), reason: "node off" });
    }
  }

  /** A device is declared. When the file that knew it was set aside, what was in it is missed from then on. */
  known(twin: DeviceTwin): void {
    if (this.#lostSince === undefined || !keepsAll(twin) || twin.lastSeen !== undefined) return;
    if (this.#silences.has(twin.declared.uid)) return;
    this.#lostToldMs ??= this.#ports.clock.monotonic();
    this.#begin(twin, { sinceMs: this.#monotonicOf(this.#lostSince), reason: "database lost" });
  }

  /** The device does not answer any more. */
  silent(twin: DeviceTwin): void {
    if (!keepsAll(twin)) return;
    const { clock } = this.#ports;
    const reason = twin.health.reason === "LINK_LOST" ? "link lost" : "device silent";
    const before = this.#silences.get(twin.declared.uid);
    if (before && OFF.has(before.reason)) this.#append(twin, this.#bodyOf(twin, before, clock.now()));
    else if (before) return;
    const since = before ? clock.now() : (twin.lastSeen ?? clock.now());
    this.#begin(twin, { sinceMs: this.#monotonicOf(since), reason });
  }

  /** The device was read. In the hot path: costs next to nothing when it was not silent. */
  answered(twin: DeviceTwin, at: number): void {
    if (this.#silences.size === 0) return;
    const { uid } = twin.declared;
    const silence = this.#silences.get(uid);
    if (!silence) return;
    this.#silences.delete(uid);
    if (keepsAll(twin)) this.#append(twin, this.#bodyOf(twin, silence, at), () => this.#sql.end.run(uid));
    else this.forget(twin);
  }

  /** A row of the device could not be saved. */
  lost(twin: DeviceTwin, at: number, reason: GapReason): void {
    this.#lose({ twin, from: at, to: at, count: 1, reason });
  }

  /** Readings of the device were dropped on the way here, nobody knows how many. */
  dropped(twin: DeviceTwin, from: number, to: number): void {
    if (keepsAll(twin)) this.#lose({ twin, from, to, count: undefined, reason: "queue overflow" });
  }

  /** Gathers what is lost until the next beat. */
  #lose(next: Loss): void {
    const key = `${next.twin.declared.uid} ${next.reason}`;
    const before = this.#losses.get(key);
    const count = next.count === undefined ? undefined : next.count + (before?.count ?? 0);
    this.#losses.set(key, { ...next, from: before?.from ?? next.from, count });
  }

  /** The device is no longer declared. */
  forget({ declared: { uid } }: DeviceTwin): void {
    this.#silences.delete(uid);
    for (const [key, { twin }] of this.#losses) if (twin.declared.uid === uid) this.#losses.delete(key);
    this.#ports.db.commit(() => this.#sql.end.run(uid)).catch(this.#ports.failed);
  }

  /** To be called each second: gives the sign of life, and looks for jumps of the clock and for what waits for the disk. */
  async beat(twins: Iterable<DeviceTwin>): Promise<void> {
    const { db, clock } = this.#ports;
    const [wall, monotonic] = [clock.now(), clock.monotonic()];
    const expected = this.#wallMs + (monotonic - this.#monotonicMs);
    [this.#wallMs, this.#monotonicMs] = [wall, monotonic];
    if (Math.abs(wall - expected) > JUMP_MS) this.#jumped(twins, Math.round(expected), wall);
    await db.commit(() => this.#sql.live.run(String(wall)));
    if (this.#lostToldMs !== undefined && monotonic - this.#lostToldMs > LOST_MS) {
      // From here on, a device that was never seen is a new one.
      [this.#lostSince, this.#lostToldMs] = [undefined, undefined];
      await db.commit(() => this.#sql.forgetLost.run());
    }
    const waiting = this.#waiting.splice(0);
    const losses = [...this.#losses.values()].map(({ twin, from, to, count, reason }) => {
      return { twin, body: { ...ordered(from, to), ...(count === undefined ? {} : { count }), reason } };
    });
    this.#losses.clear();
    for (const each of [...waiting, ...losses])
      this.#append(each.twin, each.body, "also" in each ? each.also : undefined);
  }

  #jumped(twins: Iterable<DeviceTwin>, from: number, to: number): void {
    if (to > from) this.#ports.outbox.clockWasSet(to).catch(this.#ports.failed);
    for (const twin of twins) {
      // Nothing was seen in the future, and the age of what was seen begins to count again.
      if (twin.lastSeen !== undefined) twin.lastSeen = Math.min(twin.lastSeen, to);
      if (keepsAll(twin)) this.#append(twin, { ...ordered(from, to), reason: "clock jump" });
    }
  }

  #begin({ declared: { uid } }: DeviceTwin, silence: Silence): void {
    this.#silences.set(uid, silence);
    const { sinceMs, reason } = silence;
    const since = this.#wallOf(sinceMs);
    this.#ports.db.commit(() => this.#sql.begin.run(uid, since, reason)).catch(this.#ports.failed);
  }

  /** When it was by the monotonic clock; what the wall clock has in the future is now. */
  #monotonicOf(wallMs: number): number {
    const { clock } = this.#ports;
    return clock.monotonic() - Math.max(0, clock.now() - wallMs);
  }

  #wallOf(monotonicMs: number): number {
    const { clock } = this.#ports;
    return Math.round(clock.now() - (clock.monotonic() - monotonicMs));
  }

  #bodyOf({ device }: DeviceTwin, { sinceMs, reason }: Silence, now: number): GapBody {
    const { from, to } = ordered(this.#wallOf(sinceMs), now);
    const periods = device?.properties.filter(({ access }) => access !== "write").map(({ every }) => every) ?? [];
    return { from, to, count: missedVisits(periods, from, to), reason };
  }

  /** Writes a gap, and keeps it until the disk takes it. */
  #append(twin: DeviceTwin, body: GapBody, also?: () => void): void {
    const { outbox, clock, failed } = this.#ports;
    const { namespace, name: device } = twin.declared;
    const row = { namespace, device, kind: "gap", at: clock.now(), body: JSON.stringify(body) } as const;
    outbox.append(row, also).catch((error: unknown) => {
      failed(error);
      this.#wait({ twin, body, also });
    });
  }

  #wait(next: Waiting): void {
    const at = this.#waiting.length < MOST_WAITING ? -1 : this.#waiting.findLastIndex(({ twin }) => twin === next.twin);
    const before = this.#waiting[at];
    if (!before) {
      this.#waiting.push(next);
      return;
    }
    const [one, other] = [before.body, next.body];
    const body = {
      ...other,
      ...ordered(Math.min(one.from, other.from), Math.max(one.to, other.to)),
      count: (one.count ?? 0) + (other.count ?? 0),
    };
    this.#waiting[at] = { ...next, body };
  }
}

/** Visits that should have been between two readings, all properties of a period in one. */
export function missedVisits(periodsMs: Iterable<number>, from: number, to: number): number {
  let missed = 0;
  for (const periodMs of new Set(periodsMs))
    if (periodMs > 0) missed += Math.max(0, Math.round((to - from) / periodMs) - 1);
  return missed;
}

function ordered(a: number, b: number): { readonly from: number; readonly to: number } {
  return { from: Math.min(a, b), to: Math.max(a, b) };
}

function keepsAll({ device }: DeviceTwin): boolean {
  return device?.keep === "every";
}

function prepare(db: Database) {
  return {
    alive: db.prepare<[], { value: string }>("select value from meta where key = 'alive'"),
    lostSince: db.prepare<[], { value: string }>("select value from meta where key = 'lost'"),
    forgetLost: db.prepare("delete from meta where key = 'lost'"),
    live: db.prepare("insert into meta values ('alive', ?) on conflict do update set value = excluded.value"),
    silences: db.prepare<[], { uid: string; since: number; reason: GapReason }>(
      "select uid, since, reason from silence",
    ),
    begin: db.prepare(
      `insert into silence values (?, ?, ?)
       on conflict do update set since = excluded.since, reason = excluded.reason`,
    ),
    end: db.prepare("delete from silence where uid = ?"),
  };
}
