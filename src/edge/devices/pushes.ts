import type { Connection, Pushed } from "#devices/driver";
import type { Device } from "#devices/expand";
import { Bell } from "#std/bell";
import { Scope } from "#std/scope";
import { Silences } from "./silences.ts";
import type { Visit } from "./visit.ts";

export interface PushPorts {
  /** Gets what a device said. */
  readonly took: (visit: Visit, batch: readonly Pushed[]) => void;
  /** Milliseconds that only grow. */
  readonly nowMs: () => number;
}

/** Listens to what the devices of a link say by themselves, beside the work on it. */
export class Pushes {
  readonly #ports: PushPorts;
  /** Since when each of them says nothing on this connection. */
  readonly silences = new Silences();
  readonly #changed = new Bell();
  #pushed: readonly Visit[] = [];

  constructor(ports: PushPorts) {
    this.#ports = ports;
  }

  /** Listens to other devices from now on; to those that stay without a break. */
  set(pushed: readonly Visit[]): void {
    this.#pushed = pushed;
    this.#changed.ring();
  }

  /** Listens on an open connection until the signal aborts. @throws {Fault} `LINK_LOST`. */
  async serve(connection: Connection, signal: AbortSignal): Promise<void> {
    await using scope = new Scope(signal);
    using _silences = this.silences.begin();
    const listening = new Map<Device, Scope>();
    const listen = async (visit: Visit, signal: AbortSignal) => {
      await using own = new Scope(signal);
      listening.set(visit.device, own);
      own.run(visit.device.name, (signal) => this.#watch(visit, connection, signal));
      await own.done();
    };
    scope.run("devices", async (signal) => {
      for (;;) {
        const wanted = new Set(this.#pushed.map(({ device }) => device));
        const left = [...listening].filter(([device]) => !wanted.has(device));
        for (const [device] of left) listening.delete(device);
        await Promise.all(left.map(([, own]) => own[Symbol.asyncDispose]()));
        this.silences.keepOnly(this.#pushed);
        for (const visit of this.#pushed)
          if (!listening.has(visit.device)) scope.run(visit.device.name, (signal) => listen(visit, signal));
        await this.#changed.wait(signal);
      }
    });
    await scope.done();
  }

  async #watch(visit: Visit, connection: Connection, signal: AbortSignal): Promise<void> {
    const { took, nowMs } = this.#ports;
    const { twin, device, points } = visit;
    this.silences.listen(visit, nowMs());
    for await (const batch of connection.watch?.(device.station, points, signal) ?? []) {
      if (signal.aborted || twin.device !== device) return;
      this.silences.heard(visit, batch, nowMs());
      took(visit, batch);
    }
  }
}
