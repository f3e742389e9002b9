import type { Connection } from "#devices/driver";
import { Fault } from "#std/fault";

/** Something to do on an open connection, between two visits. */
export type Job = (connection: Connection, signal: AbortSignal) => Promise<void>;

/** Jobs that may wait for the link. */
const MOST_JOBS = 64;

/** What waits for a link, in its order; who gives up leaves the queue. */
export class Jobs {
  readonly #waiting: Job[] = [];

  /** The next in turn. */
  shift(): Job | undefined {
    return this.#waiting.shift();
  }

  /**
   * Adds some work and resolves with its result.
   * @param signal - ends the waiting, and the work; so does the end of the link.
   * @throws {Fault} `OVERLOADED` when too much waits already; whatever the work throws.
   */
  ask<T>(work: (connection: Connection, signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#waiting.length >= MOST_JOBS)
      return Promise.reject(new Fault("OVERLOADED", `${MOST_JOBS} commands wait for this link already`));
    return new Promise<T>((resolve, reject) => {
      const leave = () => {
        const index = this.#waiting.indexOf(job);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(signal.reason);
      };
      const job: Job = async (connection, ofLink) => {
        signal.removeEventListener("abort", leave);
        // Not `AbortSignal.any`: the link's signal lives long, and would keep a trace of each job.
        const end = new AbortController();
        const follow = ({ target }: Event) => end.abort((target as AbortSignal).reason);
        for (const either of [signal, ofLink]) either.addEventListener("abort", follow, { once: true });
        try {
          resolve(await work(connection, end.signal));
        } catch (error) {
          reject(error);
          if (Fault.is(error, "LINK_LOST")) throw error;
        } finally {
          for (const either of [signal, ofLink]) either.removeEventListener("abort", follow);
        }
      };
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(job);
    });
  }
}
