import type { Pushed } from "#devices/driver";
import type { DeviceTwin } from "../device-twin.ts";
import type { Visit } from "./visit.ts";

/** A device, or some of its properties, that said nothing for longer than was declared. */
export interface Silence {
  readonly twin: DeviceTwin;
  /** The properties that are overdue, by their index in the device. */
  readonly indexes: readonly number[];
  /** The shortest time that was declared for one of them, in milliseconds. */
  readonly maxSilenceMs: number;
  /** True when the device said nothing at all for so long. */
  readonly isWhole: boolean;
}

/** When a device last spoke, and of what, by the monotonic clock. */
interface Heard {
  atMs: number;
  /** By the names of the properties, which stay when the declaration changes. */
  readonly of: Map<string, number>;
}

/**
 * Since when the devices of a link that speak by themselves say nothing. Nobody knows how often such a device should
 * speak, but who declares a longest silence. Holds no clock and no timer.
 */
export class Silences {
  #heard = new Map<DeviceTwin, Heard>();

  /** Begins on a new connection; disposed, it knows of nobody: of a link that is lost, other things are said. */
  begin(): Disposable {
    return { [Symbol.dispose]: () => this.#heard.clear() };
  }

  /** Somebody listens to a device from now on; what was heard of it before on this connection still counts. */
  listen({ twin, device, indexes }: Visit, nowMs: number): void {
    const { atMs = nowMs, of } = this.#heard.get(twin) ?? {};
    const names = indexes.map((index) => device.properties[index]?.name ?? "");
    this.#heard.set(twin, { atMs, of: new Map(names.map((name) => [name, of?.get(name) ?? nowMs])) });
  }

  /** Forgets other devices than these. */
  keepOnly(pushed: readonly Visit[]): void {
    for (const twin of this.#heard.keys()) if (!pushed.some((visit) => visit.twin === twin)) this.#heard.delete(twin);
  }

  /** A device said something. */
  heard({ twin, device, indexes }: Visit, batch: readonly Pushed[], nowMs: number): void {
    const heard = this.#heard.get(twin);
    if (!heard) return;
    heard.atMs = nowMs;
    for (const { index } of batch) {
      const { name, maxSilence } = device.properties[indexes[index] ?? -1] ?? {};
      if (name !== undefined && maxSilence !== undefined) heard.of.set(name, nowMs);
    }
  }

  /** Those of these devices that said nothing for longer than was declared. */
  overdue(pushed: readonly Visit[], nowMs: number): readonly Silence[] {
    return pushed.flatMap(({ twin, device, indexes }): readonly Silence[] => {
      const heard = this.#heard.get(twin);
      const late = indexes.flatMap((index) => {
        const { name = "", maxSilence = Infinity } = device.properties[index] ?? {};
        return nowMs - (heard?.of.get(name) ?? nowMs) > maxSilence ? { index, maxSilence } : [];
      });
      if (!heard || late.length === 0) return [];
      const maxSilenceMs = Math.min(...late.map(({ maxSilence }) => maxSilence));
      const isWhole = nowMs - heard.atMs > maxSilenceMs;
      return [{ twin, indexes: late.map(({ index }) => index), maxSilenceMs, isWhole }];
    });
  }
}
