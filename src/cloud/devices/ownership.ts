import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { Grant } from "#wire/messages";

/** A device as rows, gaps and reports name it. */
export interface Named {
  readonly namespace: string;
  readonly device: string;
}

/** A connection of a node; what it has shown counts as long as it lives. */
export interface Speaker {
  readonly node: string;
}

export interface OwnershipPorts {
  /** Known to this cloud alone, and the same after a restart or a restored backup. */
  readonly secret: Uint8Array;
  /** Whether the device is on the node now; undefined while the cluster is not known. */
  readonly isOf: (node: string, namespace: string, device: string) => boolean | undefined;
  /** Told once for each node and device that it spoke of without right. */
  readonly told: (node: string, named: Named) => void;
  readonly log: Log;
  readonly clock: Clock;
}

/** Longer than any connection lives; a former owner whose backlog is older has dropped it by its own limits. */
const GRANT_DAYS = 400;
const DAY_MS = 86_400_000;
/** Pairs of node and device that are remembered as told. */
const MOST_TOLD = 10_000;

/**
 * Of which devices a node may speak: those that are on it now, and those that it holds a grant for. With every
 * declaration the cloud gives a grant, which is its own signature under node and device, and the node shows it before
 * it speaks of the device. So what a node has kept from before a device was moved or deleted is taken, also when this
 * cloud was just started, can not reach the cluster, or was restored from a backup older than the device: a register
 * of former owners would have forgotten those. The present state of a device is told by its present node alone;
 * `Controller` sees to that.
 */
export class Ownership {
  readonly #ports: OwnershipPorts;
  readonly #shown = new WeakMap<Speaker, Set<string>>();
  readonly #told = new Set<string>();
  #refused = 0;

  constructor(ports: OwnershipPorts) {
    this.#ports = ports;
  }

  /** Rows, gaps and reports that were dropped since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** The right of a node to speak of a device, to be told with its declaration. */
  grant(node: string, { namespace, device }: Named): string {
    return this.#sign(this.#today(), node, namespace, device);
  }

  /** The node shows grants on a connection. One that is old or not ours is as if it had not been shown. */
  show(speaker: Speaker, grants: readonly Grant[]): void {
    const shown = this.#shown.get(speaker) ?? new Set();
    this.#shown.set(speaker, shown);
    for (const { namespace, device, grant } of grants) {
      const day = Number.parseInt(grant, 36);
      if (!(day >= this.#today() - GRANT_DAYS)) continue;
      if (equal(grant, this.#sign(day, speaker.node, namespace, device))) shown.add(keyOf({ namespace, device }));
    }
  }

  /**
   * What of this the node may say. The rest is counted, and told once per device.
   * @throws {Fault} `CLUSTER_UNREACHABLE` when that can not be known yet: the node keeps it and comes again.
   */
  own<T extends Named>(speaker: Speaker, items: readonly T[]): readonly T[] {
    return items.filter((item) => {
      const may = this.may(speaker, item);
      if (may === undefined)
        throw new Fault("CLUSTER_UNREACHABLE", `whose ${keyOf(item)} is can not be known before the cluster is`);
      return may;
    });
  }

  /** Whether the node may speak of a device; undefined while nobody can know. */
  may(speaker: Speaker, named: Named): boolean | undefined {
    if (this.#shown.get(speaker)?.has(keyOf(named))) return true;
    const may = this.#ports.isOf(speaker.node, named.namespace, named.device);
    if (may === false) this.#refuse(speaker.node, named);
    return may;
  }

  #refuse(node: string, named: Named): void {
    this.#refused++;
    const key = `${node} ${keyOf(named)}`;
    if (this.#told.has(key) || this.#told.size >= MOST_TOLD) return;
    this.#told.add(key);
    const { namespace, device } = named;
    this.#ports.log.warn("node spoke of a device that is not its own", { node, namespace, device });
    this.#ports.told(node, { namespace, device });
  }

  #today(): number {
    return Math.floor(this.#ports.clock.now() / DAY_MS);
  }

  /** The day first, so that it is known by which one to sign. */
  #sign(day: number, ...of: readonly string[]): string {
    const mac = createHmac("sha256", this.#ports.secret).update(JSON.stringify([day, ...of]));
    return `${day.toString(36)}.${mac.digest("base64url").slice(0, 22)}`;
  }
}

function keyOf({ namespace, device }: Named): string {
  return `${namespace}/${device}`;
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
