import type { Clock } from "#std/clock";

/** What is needed of a connection of a node. */
export interface Talker {
  readonly node: string;
  close(reason: string): void;
}

const LOOK_MS = 500;

/**
 * Nodes whose rows were not kept because the telemetry engine is away. They are not told that they are here, so they
 * send no more than their window and keep the rest, while states, wishes and commands go on. When the engine is back
 * their connections end, and the next ones begin with all that is missing.
 */
export class Unheard {
  readonly #talkers = new Map<string, Talker>();

  add(talker: Talker): void {
    this.#talkers.set(talker.node, talker);
  }

  /** Whether rows of this connection were dropped. Then those that follow are as well: layouts may have gone with them. */
  has(talker: Talker): boolean {
    return this.#talkers.get(talker.node) === talker;
  }

  /** Ends their connections whenever the engine is up. */
  async serve(engine: { readonly isUp: boolean }, clock: Clock, signal: AbortSignal): Promise<void> {
    for (;;) {
      await clock.sleep(LOOK_MS, signal);
      if (!engine.isUp) continue;
      for (const talker of this.#talkers.values())
        talker.close("the telemetry engine is back; say again what it missed");
      this.#talkers.clear();
    }
  }
}
