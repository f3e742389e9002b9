/**
 * Devices of formulas and memory cells, for demonstrations, tests and first steps. This is the shortest complete
 * driver: `drivers/README.md` explains it line by line.
 */
import type { Driver, Point, Raw, Reading } from "#devices/driver";
import { type Clock, systemClock } from "#std/clock";
import { Fault } from "#std/fault";
import { compile, type Formula } from "./formula.ts";
import { address, link, station, type VirtualAddress, type VirtualLink, type VirtualStation } from "./schema.ts";

/** The virtual driver. @param clock - gives formulas their time; a test passes its own. */
export function virtual(clock: Clock = systemClock): Driver<VirtualLink, VirtualStation, VirtualAddress> {
  return {
    protocol: "virtual",
    link,
    station,
    address,

    async connect({ delayMs }, signal) {
      const cells = new Map<string, Raw>();
      let closed = false;
      const formulas = new WeakMap<VirtualAddress, Formula>();
      await pause(signal);
      return {
        async read({ seed }, points, signal) {
          await pause(signal);
          const at = clock.now();
          return points.map((point) => reading(point, seed, at));
        },
        async write({ seed }, { property, address }, raw, signal) {
          await pause(signal);
          if ("formula" in address)
            throw new Fault("DEVICE_REFUSED", `${property} is a formula and can not be written`);
          if (typeof raw === typeof address.memory) cells.set(key(seed, property), raw);
          else throw new Fault("VALUE_INVALID", `${property} holds a ${typeof address.memory}, not a ${typeof raw}`);
        },
        async [Symbol.asyncDispose]() {
          closed = true;
        },
      };

      function reading({ property, address }: Point<VirtualAddress>, seed: number, at: number): Reading {
        if ("memory" in address) return { ok: true, raw: cells.get(key(seed, property)) ?? address.memory, at };
        const raw = formula(address)({ t: at / 1000, seed });
        if (typeof raw === "boolean" || Number.isFinite(raw)) return { ok: true, raw, at };
        return { ok: false, fault: new Fault("DEVICE_REFUSED", `${property}: ${address.formula} gives ${raw}`), at };
      }

      function formula(address: VirtualAddress & { readonly formula: string }): Formula {
        const known = formulas.get(address) ?? compile(address.formula);
        formulas.set(address, known);
        return known;
      }

      /** Takes as long as a real bus would; a clock may reject with an error of its own, the caller wants its reason. */
      async function pause(signal: AbortSignal): Promise<void> {
        signal.throwIfAborted();
        if (closed) throw new Fault("LINK_LOST", "the virtual bus was closed here");
        if (delayMs > 0) await clock.sleep(delayMs, signal).catch(() => signal.throwIfAborted());
      }
    },
  };
}

function key(seed: number, property: string): string {
  return `${seed}/${property}`;
}
