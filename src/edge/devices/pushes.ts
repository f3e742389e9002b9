import type { Connection, Reading } from "#devices/driver";
import { Bell } from "#std/bell";
import { Scope } from "#std/scope";
import { partOf, type Visit } from "./visit.ts";

/** Listens to what the devices of a link say by themselves, beside the work on it. */
export class Pushes {
  readonly #took: (visit: Visit, readings: readonly Reading[]) => void;
  readonly #changed = new Bell();
  #pushed: readonly Visit[] = [];

  /** @param took - gets what a device said. */
  constructor(took: (visit: Visit, readings: readonly Reading[]) => void) {
    this.#took = took;
  }

  /** Listens to other devices from now on. */
  set(pushed: readonly Visit[]): void {
    this.#pushed = pushed;
    this.#changed.ring();
  }

  /** Listens on an open connection until the signal aborts. @throws {Fault} `LINK_LOST`. */
  async serve(connection: Connection, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await using scope = new Scope(signal);
      this.#changed.take();
      for (const visit of this.#pushed)
        scope.run(visit.device.name, (signal) => this.#watch(visit, connection, signal));
      const changed = this.#changed.wait(signal).then(() => scope.abort());
      await Promise.race([changed, scope.done().then(() => changed)]);
    }
  }

  async #watch(visit: Visit, connection: Connection, signal: AbortSignal): Promise<void> {
    const { twin, device, points } = visit;
    for await (const batch of connection.watch?.(device.station, points, signal) ?? []) {
      if (signal.aborted || twin.device !== device) return;
      this.#took(...partOf(visit, batch));
    }
  }
}
