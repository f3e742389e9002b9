import type { Clock } from "#std/clock";
import type { Database } from "#std/sqlite";
import type { GapBody, GapReason } from "#wire/messages";
import type { DeviceTwin } from "./device-twin.ts";
import type { Outbox } from "./outbox.ts";

export interface GapPorts {
  readonly db: Database;
  readonly outbox: Pick<Outbox, "append">;
  readonly clock: Clock;
  /** Told when a gap or the sign of life can not be saved; the next beat tries again. */
  readonly failed: (error: unknown) => void;
}

/** Since when a device says nothing, and why. */
interface Silence {
  readonly since: number;
  readonly reason: GapReason;
}

/** Rows of a device that could not be saved. */
interface Loss {
  readonly twin: DeviceTwin;
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** The wall clock may drift from the monotonic one by this much between two beats before it is a jump. */
const JUMP_MS = 5_000;

/**
 * Notes when devices that keep everything were not read, so that a hole in a history has a reason. A silence is on disk
 * from its begin, and so is a sign of life of the node: a kill in the middle of either leaves both known.
 */
export class Gaps {
  readonly #ports: GapPorts;
  readonly #sql;
  readonly #silences = new Map<string, Silence>();
  readonly #losses = new Map<string, Loss>();
  readonly #alive: number | undefined;
  #wallMs: number;
  #monotonicMs: number;

  constructor(ports: GapPorts) {
    this.#ports = ports;
    this.#sql = prepare(ports.db);
    for (const { uid, ...silence } of this.#sql.silences.all()) this.#silences.set(uid, silence);
    const alive = this.#sql.alive.get()?.value;
    this.#alive = alive === undefined ? undefined : Number(alive);
    this.#wallMs = ports.clock.now();
    this.#monotonicMs = ports.clock.monotonic();
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
      // A clock that was set back must not make a gap that ends before it begins.
      const since = Math.min(Math.max(alive, twin.lastSeen ?? 0), clock.now());
      this.#begin(twin, { since, reason: "node off" });
    }
  }

  /** The device does not answer any more. */
  silent(twin: DeviceTwin): void {
    if (!keepsAll(twin)) return;
    const now = this.#ports.clock.now();
    const reason = twin.health.reason === "LINK_LOST" ? "link lost" : "device silent";
    const before = this.#silences.get(twin.declared.uid);
    if (before?.reason === "node off") this.#append(twin, bodyOf(twin, before, now));
    else if (before) return;
    this.#begin(twin, { since: before ? now : (twin.lastSeen ?? now), reason });
  }

  /** The device was read. In the hot path: costs next to nothing when it was not silent. */
  answered(twin: DeviceTwin, at: number): void {
    if (this.#silences.size === 0) return;
    const { uid } = twin.declared;
    const silence = this.#silences.get(uid);
    if (!silence) return;
    this.#silences.delete(uid);
    if (keepsAll(twin)) this.#append(twin, bodyOf(twin, silence, at), () => this.#sql.end.run(uid));
    else this.forget(twin);
  }

  /** A row of the device could not be saved. */
  lost(twin: DeviceTwin, at: number): void {
    const { from = at, count = 0 } = this.#losses.get(twin.declared.uid) ?? {};
    this.#losses.set(twin.declared.uid, { twin, from, to: at, count: count + 1 });
  }

  /** The device is no longer declared. */
  forget({ declared: { uid } }: DeviceTwin): void {
    this.#silences.delete(uid);
    this.#losses.delete(uid);
    this.#ports.db.commit(() => this.#sql.end.run(uid)).catch(this.#ports.failed);
  }

  /** To be called each second: gives the sign of life, and looks for jumps of the clock and for rows that were lost. */
  async beat(twins: Iterable<DeviceTwin>): Promise<void> {
    const { db, clock } = this.#ports;
    const [wall, monotonic] = [clock.now(), clock.monotonic()];
    const expected = this.#wallMs + (monotonic - this.#monotonicMs);
    [this.#wallMs, this.#monotonicMs] = [wall, monotonic];
    if (Math.abs(wall - expected) > JUMP_MS) {
      const body = { ...ordered(Math.round(expected), wall), reason: "clock jump" };
      for (const twin of twins) if (keepsAll(twin)) this.#append(twin, body);
    }
    await Promise.all([db.commit(() => this.#sql.live.run(String(wall))), this.#tellLosses()]);
  }

  async #tellLosses(): Promise<void> {
    for (const [uid, { twin, from, to, count }] of [...this.#losses]) {
      this.#losses.delete(uid);
      const body = { ...ordered(from, to), count, reason: "disk full" };
      await this.#write(twin, body).catch((error: unknown) => {
        const later = this.#losses.get(uid);
        this.#losses.set(uid, { twin, from, to: later?.to ?? to, count: count + (later?.count ?? 0) });
        throw error;
      });
    }
  }

  #begin({ declared: { uid } }: DeviceTwin, silence: Silence): void {
    this.#silences.set(uid, silence);
    const { since, reason } = silence;
    this.#ports.db.commit(() => this.#sql.begin.run(uid, since, reason)).catch(this.#ports.failed);
  }

  #append(twin: DeviceTwin, body: GapBody, also?: () => void): void {
    this.#write(twin, body, also).catch(this.#ports.failed);
  }

  #write({ declared: { namespace, name: device } }: DeviceTwin, body: GapBody, also?: () => void): Promise<void> {
    const { outbox, clock } = this.#ports;
    return outbox.append({ namespace, device, kind: "gap", at: clock.now(), body: JSON.stringify(body) }, also);
  }
}

/** Visits that should have been between two readings, all properties of a period in one. */
export function missedVisits(periodsMs: Iterable<number>, from: number, to: number): number {
  let missed = 0;
  for (const periodMs of new Set(periodsMs))
    if (periodMs > 0) missed += Math.max(0, Math.round((to - from) / periodMs) - 1);
  return missed;
}

function bodyOf({ device }: DeviceTwin, { since, reason }: Silence, now: number): GapBody {
  const { from, to } = ordered(since, now);
  const periods = device?.properties.filter(({ access }) => access !== "write").map(({ every }) => every) ?? [];
  return { from, to, count: missedVisits(periods, from, to), reason };
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
    live: db.prepare("insert into meta values ('alive', ?) on conflict do update set value = excluded.value"),
    silences: db.prepare<[], Silence & { readonly uid: string }>("select uid, since, reason from silence"),
    begin: db.prepare(
      `insert into silence values (?, ?, ?)
       on conflict do update set since = excluded.since, reason = excluded.reason`,
    ),
    end: db.prepare("delete from silence where uid = ?"),
  };
}
