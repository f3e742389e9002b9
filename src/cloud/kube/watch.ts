import type { Kind } from "#devices/crd";
import type { Clock } from "#std/clock";
import { deadline } from "#std/deadline";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { Kube, Place } from "./client.ts";
import { type ApiObject, keyOf } from "./objects.ts";
import { isRefused } from "./refusal.ts";

/** An object appeared, changed (`now` and `before`), or went (`now` is undefined). */
export interface Change {
  readonly key: string;
  readonly now: ApiObject | undefined;
  readonly before: ApiObject | undefined;
}

export interface MirrorOptions {
  readonly kube: Kube;
  readonly kind: Kind;
  /** Without it, the objects of all namespaces. */
  readonly namespace?: string | undefined;
  /** Called after the copy changed, once for each difference; it must not throw. */
  readonly changed: (change: Change) => void;
  /** Called when the copy is complete, after each listing. */
  readonly listed: () => void;
  readonly log: Log;
  readonly clock: Clock;
  /** Longest life of one watch. Servers end them too; a dead connection is noticed a little after this. @default 240 s */
  readonly watchMs?: number;
}

const WATCH_MS = 240_000;
/** What a server may be late with the end that it was asked for. */
const MARGIN_MS = 30_000;
/** A watch that lasted this long was good, however it ended. */
const STABLE_MS = 10_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;

/**
 * A copy of all objects of a kind that keeps itself up to date: list once, then watch, and from the last version again
 * whenever the watch ends. Only when the server has forgotten that version does it list anew.
 */
export class Mirror {
  readonly #options: MirrorOptions;
  readonly #objects = new Map<string, ApiObject>();
  #version: string | undefined;
  #hasListed = false;
  #relists = 0;

  constructor(options: MirrorOptions) {
    this.#options = { ...options, log: options.log.with({ kind: options.kind.kind }) };
  }

  /** The objects by `namespace/name`. */
  get objects(): ReadonlyMap<string, ApiObject> {
    return this.#objects;
  }

  /** True when the copy was complete once. */
  get hasListed(): boolean {
    return this.#hasListed;
  }

  get #where(): Place {
    const { namespace } = this.#options;
    return namespace === undefined ? {} : { namespace };
  }

  /** How often everything was listed. */
  get lists(): number {
    return this.#relists;
  }

  /** Keeps the copy until the signal aborts, whatever the server does. */
  async serve(signal: AbortSignal): Promise<void> {
    const { log, clock } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const began = clock.monotonic();
      try {
        if (this.#version === undefined) this.#version = await this.#list(signal);
        await this.#watch(this.#version, signal);
        if (failures > 0) log.info("cluster reached again");
        failures = 0;
        // A server that ends each watch at once must not be asked in a tight loop.
        if (clock.monotonic() - began >= FIRST_WAIT_MS) continue;
      } catch (error) {
        if (signal.aborted) return;
        if (clock.monotonic() - began > STABLE_MS) failures = 0;
        if (isRefused(error, "Gone", "Expired")) {
          log.info("version forgotten by the server, listing anew");
          this.#version = undefined;
          if (failures++ === 0) continue;
        } else if (failures++ === 0) log.warn("watch lost", { error });
      }
      const waitMs = Math.min(FIRST_WAIT_MS * 2 ** failures, LONGEST_WAIT_MS) * (0.5 + Math.random() / 2);
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { kube, kind } = this.#options;
    const { items, resourceVersion } = await kube.list(kind, this.#where, signal);
    this.#relists++;
    const gone = new Set(this.#objects.keys());
    for (const object of items) {
      gone.delete(keyOf(object.metadata));
      this.#put(object);
    }
    for (const key of gone) this.#remove(key);
    this.#hasListed = true;
    this.#options.listed();
    return resourceVersion;
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { kube, kind, watchMs = WATCH_MS } = this.#options;
    // Not all watches of all programs should end in the same second.
    const timeoutMs = Math.round(watchMs * (0.75 + Math.random() / 4));
    using limit = deadline(timeoutMs + MARGIN_MS, signal);
    try {
      for await (const { type, object } of kube.watch(
        kind,
        { ...this.#where, resourceVersion, timeoutMs },
        limit.signal,
      )) {
        if (type === "ERROR") throw ended(object);
        if (type === "ADDED" || type === "MODIFIED") this.#put(object);
        if (type === "DELETED") this.#remove(keyOf(object.metadata));
        this.#version = object.metadata.resourceVersion ?? this.#version;
      }
    } catch (error) {
      // The connection was half open; the watch goes on from the last version.
      if (!limit.expired) throw error;
    }
  }

  #put(now: ApiObject): void {
    const key = keyOf(now.metadata);
    const before = this.#objects.get(key);
    if (before?.metadata.resourceVersion === now.metadata.resourceVersion && before?.metadata.uid === now.metadata.uid)
      return;
    this.#objects.set(key, now);
    this.#options.changed({ key, now, before });
  }

  #remove(key: string): void {
    const before = this.#objects.get(key);
    if (!before) return;
    this.#objects.delete(key);
    this.#options.changed({ key, now: undefined, before });
  }
}

/** The Status in an ERROR event, as a fault. */
function ended({ code, reason, message }: ApiObject): Fault {
  const forgotten = code === 410 || reason === "Expired" || reason === "Gone";
  return new Fault(forgotten ? "CLUSTER_REFUSED" : "CLUSTER_UNREACHABLE", `watch: ${String(message ?? reason)}`, {
    status: code,
    reason: forgotten ? "Expired" : reason,
  });
}
