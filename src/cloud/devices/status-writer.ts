import { type DeviceStatus, deviceKind } from "#devices/crd";
import { Bell } from "#std/bell";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";
import type { Kube } from "../kube/client.ts";
import type { Name } from "../kube/objects.ts";
import { isRefused } from "../kube/refusal.ts";
import { same, sameButTimes } from "./status.ts";

/** The status of a device as it should be, made from the one that stands. Undefined when the device is gone. */
export interface Wanted {
  readonly name: Name;
  readonly uid: string;
  readonly previous: DeviceStatus;
  readonly next: (previous: DeviceStatus) => DeviceStatus;
}

export interface StatusWriterOptions {
  readonly kube: Pick<Kube, "patchStatus">;
  readonly wanted: (key: string) => Wanted | undefined;
  /** Writes per second, all devices together. */
  readonly perSecond: number;
  readonly log: Log;
  readonly clock: Clock;
}

/** What was written last of a device. */
interface Written {
  readonly uid: string;
  readonly status: DeviceStatus;
  /** By the monotonic clock. */
  readonly at: number;
  readonly version: string | undefined;
}

const DEVICE_MS = 1_000;
/** What the cluster shows this long after a write of ours can not be older than it. */
const ECHO_MS = 2_000;
/** How old `lastSeen` may be in the cluster: seeing a device is no news. */
const TIMES_MS = 10_000;
const REFUSED_MS = 60_000;
const LONGEST_PAUSE_MS = 30_000;
const MOST_AT_ONCE = 8;

/**
 * Writes statuses: a device at most once a second, all together at a steady rate, each in its turn, and nothing that
 * is there already. What is touched while it waits is written once, as it is then.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #bell = new Bell();
  /** When a key may be looked at, by the monotonic clock; in the order of asking. */
  readonly #urgent = new Map<string, number>();
  /** The same for those of which only the times changed; they have their turn when nothing is urgent. */
  readonly #later = new Map<string, number>();
  readonly #written = new Map<string, Written>();
  /** What the cluster showed that may be something else than we wrote, and when. */
  readonly #doubts = new Map<string, { readonly version: string | undefined; readonly at: number }>();
  readonly #busy = new Set<string>();
  #failures = 0;
  #resumeAt = 0;
  #writes = 0;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** Keys that wait. */
  get waiting(): number {
    return this.#urgent.size + this.#later.size;
  }

  /** Statuses written since the start. */
  get writes(): number {
    return this.#writes;
  }

  /** The status of this device may have to change. */
  touch(key: string): void {
    if (this.#urgent.has(key)) return;
    const { at = Number.NEGATIVE_INFINITY } = this.#written.get(key) ?? {};
    this.#urgent.set(key, Math.max(this.#now, at + DEVICE_MS));
    this.#bell.ring();
  }

  /**
   * The cluster shows a status. Our own write comes back by its version; anything else is older than it, or somebody
   * else's: that is sure, and mended, as soon as what is older must have passed.
   */
  observe(key: string, version: string | undefined): void {
    const written = this.#written.get(key);
    if (!written) return void this.touch(key);
    if (written.version === version) return;
    this.#doubts.set(key, { version, at: this.#now });
    if (!this.#urgent.has(key)) this.#urgent.set(key, written.at + ECHO_MS);
    this.#bell.ring();
  }

  /** Writes until the signal aborts. */
  async serve(signal: AbortSignal): Promise<void> {
    await using scope = new Scope(signal);
    const { clock, perSecond } = this.#options;
    while (!signal.aborted) {
      const found = this.#busy.size < MOST_AT_ONCE && this.#now >= this.#resumeAt ? this.#next() : undefined;
      const work = found && this.#plan(found.key, found.isUrgent);
      if (work) {
        scope.run(found.key, (signal) => this.#write(found.key, work, signal));
        await clock.sleep(1000 / perSecond, signal);
      } else if (!found) await this.#bell.wait(signal, this.#restMs());
    }
  }

  get #now(): number {
    return this.#options.clock.monotonic();
  }

  #next(): { readonly key: string; readonly isUrgent: boolean } | undefined {
    const now = this.#now;
    for (const [isUrgent, keys] of [[true, this.#urgent] as const, [false, this.#later] as const]) {
      for (const [key, due] of keys) {
        if (due > now || this.#busy.has(key)) continue;
        keys.delete(key);
        return { key, isUrgent };
      }
    }
    return undefined;
  }

  /** How long nothing is due. */
  #restMs(): number {
    if (this.#busy.size >= MOST_AT_ONCE) return DEVICE_MS;
    const now = this.#now;
    let next = now + TIMES_MS;
    for (const keys of [this.#urgent, this.#later])
      for (const [key, due] of keys) if (!this.#busy.has(key)) next = Math.min(next, due);
    return Math.max(next, this.#resumeAt) - now;
  }

  #plan(
    key: string,
    isUrgent: boolean,
  ): { readonly wanted: Wanted; readonly patch: object; readonly status: DeviceStatus } | undefined {
    const wanted = this.#options.wanted(key);
    if (!wanted) {
      this.#forget(key);
      this.#later.delete(key);
      return undefined;
    }
    this.#settleDoubt(key);
    const written = this.#written.get(key);
    const previous = written?.uid === wanted.uid ? written.status : wanted.previous;
    const status = wanted.next(previous);
    if (same(status, previous)) return undefined;
    if (isUrgent && sameButTimes(status, previous)) {
      const { at = Number.NEGATIVE_INFINITY } = written ?? {};
      if (!this.#later.has(key)) this.#later.set(key, Math.max(this.#now, at + TIMES_MS));
      return undefined;
    }
    this.#later.delete(key);
    return { wanted, status, patch: replacing(previous, status) };
  }

  /** Lets what the cluster shows count instead of what was written, or looks again when that may be said. */
  #settleDoubt(key: string): void {
    const doubt = this.#doubts.get(key);
    if (doubt === undefined) return;
    const sureAt = (this.#written.get(key)?.at ?? doubt.at) + ECHO_MS;
    if (sureAt <= this.#now) this.#forget(key);
    else this.#urgent.set(key, sureAt);
  }

  #forget(key: string): void {
    this.#written.delete(key);
    this.#doubts.delete(key);
  }

  async #write(
    key: string,
    { wanted, status, patch }: { readonly wanted: Wanted; readonly status: DeviceStatus; readonly patch: object },
    signal: AbortSignal,
  ): Promise<void> {
    const { kube, log } = this.#options;
    this.#busy.add(key);
    try {
      const { metadata } = await kube.patchStatus(deviceKind, wanted.name, patch, signal);
      this.#writes++;
      this.#failures = 0;
      const version = metadata.resourceVersion;
      this.#written.set(key, { uid: wanted.uid, status, at: this.#now, version });
      // It came back before the answer did.
      if (this.#doubts.get(key)?.version === version) this.#doubts.delete(key);
    } catch (error) {
      if (signal.aborted) return;
      this.#failed(key, error, log);
    } finally {
      this.#busy.delete(key);
      this.#bell.ring();
    }
  }

  #failed(key: string, error: unknown, log: Log): void {
    // The next look at the cluster will say that it is gone.
    if (isRefused(error, "NotFound")) return void this.#forget(key);
    if (!Fault.is(error, "CLUSTER_UNREACHABLE")) {
      if (!isRefused(error, "Conflict")) log.warn("status refused", { device: key, error });
      this.#urgent.set(key, this.#now + (isRefused(error, "Conflict") ? DEVICE_MS : REFUSED_MS));
      return;
    }
    if (this.#failures === 0) log.warn("status can not be written, trying again", { error });
    this.#resumeAt = this.#now + Math.min(DEVICE_MS * 2 ** this.#failures++, LONGEST_PAUSE_MS);
    this.#urgent.set(key, this.#resumeAt);
  }
}

/** The status as a merge patch (RFC 7396) that replaces the previous one: what it no longer has is null. */
function replacing(previous: DeviceStatus, status: DeviceStatus): object {
  const gone = Object.keys(previous).filter((field) => !Object.hasOwn(status, field));
  return { ...status, ...Object.fromEntries(gone.map((field) => [field, null])) };
}
