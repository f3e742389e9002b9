import type { Hello } from "./session.ts";

/** The process that spoke for a node last, and the history that its rows are of. */
export interface LastRun {
  readonly epoch: string;
  readonly run: string;
}

/**
 * Whether a data directory goes on where the one that was heard last ended. Every process that speaks from it leaves its
 * id in it, so a copy, or an old state of it, lacks those that spoke from the other one since. What the copy says could
 * be taken for repeats of the other's rows. A new epoch has numbers of its own, and a restored backup goes on above all
 * numbers that the lost disk can have used. Which of two has more rows does not count: a disk that lost its last rows
 * with the power is no copy, and `Outbox.meet` lets its numbers go on behind what is here.
 */
export function goesOn(last: LastRun | undefined, { epoch, runs, restored = false }: Hello): boolean {
  return !last || last.epoch !== epoch || restored || runs.includes(last.run);
}
