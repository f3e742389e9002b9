import { Fault } from "#std/fault";
import type { DeviceTwin } from "../device-twin.ts";
import type { Requests } from "./requests.ts";

/** Something to do on an open link, between two visits. @throws {Fault} `LINK_LOST` */
export type Job = (requests: Requests, signal: AbortSignal) => Promise<void>;

/** Jobs that may wait for the link. */
const MOST_JOBS = 64;

interface Waiting {
  readonly twin: DeviceTwin;
  readonly job: Job;
  readonly refuse: (reason: unknown) => void;
}

/** What waits for a link, in its order. Who gives up leaves the queue, and so does what is for a device that left. */
export class Jobs {
  #waiting: Waiting[] = [];

  /** How many wait. */
  get length(): number {
    return this.#waiting.length;
  }

  /** The next in turn. */
  shift(): Job | undefined {
    return this.#waiting.shift()?.job;
  }

  /** Refuses what waits for other devices than these. */
  keepOnly(twins: readonly DeviceTwin[]): void {
    for (const { twin, refuse } of this.#waiting) if (!twins.includes(twin)) refuse(gone(twin));
  }

  /**
   * Adds some work on a device and resolves with its result.
   * @param signal - ends the waiting, and the work; so does the end of the link.
   * @throws {Fault} `OVERLOADED` when too much waits already, `DEVICE_UNKNOWN` when the device leaves before its turn;
   * whatever the work throws.
   */
  async ask<T>(
    twin: DeviceTwin,
    work: (requests: Requests, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    signal.throwIfAborted();
    if (this.#waiting.length >= MOST_JOBS)
      throw new Fault("OVERLOADED", `${MOST_JOBS} commands wait for this link already`);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const job: Job = async (requests, ofLink) => {
      // Not `AbortSignal.any`: the link's signal lives long, and would keep a trace of each job.
      const end = new AbortController();
      const follow = ({ target }: Event) => end.abort((target as AbortSignal).reason);
      for (const either of [signal, ofLink]) either.addEventListener("abort", follow, { once: true });
      try {
        resolve(await work(requests, end.signal));
      } catch (error) {
        reject(error);
        if (Fault.is(error, "LINK_LOST")) throw error;
      } finally {
        for (const either of [signal, ofLink]) either.removeEventListener("abort", follow);
      }
    };
    const waiting: Waiting = { twin, job, refuse: reject };
    this.#waiting.push(waiting);
    const leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", leave);
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
    }
  }
}

/** For what is asked of a device that is on the link no more. */
export function gone({ declared }: DeviceTwin): Fault {
  return new Fault("DEVICE_UNKNOWN", `${declared.name} has left its link; nothing was done`);
}
