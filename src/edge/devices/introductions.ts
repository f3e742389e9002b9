import type { Device } from "#devices/expand";
import { type Identity, identityOf } from "#devices/status";
import { Fault } from "#std/fault";
import type { DeviceTwin } from "../device-twin.ts";
import type { Job } from "./jobs.ts";

/**
 * Asks the devices of a link who they are: each once on a connection, after it has answered. Some do not know the question
 * and are silent, so there is an answer between any two: silence upon silence is what a dead connection is known by.
 */
export class Introductions {
  readonly #known: (twin: DeviceTwin, identity: Identity | undefined) => void;
  readonly #strangers = new Set<DeviceTwin>();
  /** Whether anybody answered since the last question. */
  #isAlive = false;
  /** The places at which devices were asked on this connection. */
  #asked = new WeakMap<DeviceTwin, string | undefined>();
  /** Places as JSON, made once for each declaration: they are looked at after every visit. */
  readonly #places = new WeakMap<Device, string>();

  /** @param known - gets what a device says of itself; undefined when it has no such thing. */
  constructor(known: (twin: DeviceTwin, identity: Identity | undefined) => void) {
    this.#known = known;
  }

  /** A new connection: behind it may be other devices. */
  restart(): void {
    this.#strangers.clear();
    this.#isAlive = false;
    this.#asked = new WeakMap();
  }

  /** A device answered. True when somebody has to be asked. */
  met(twin: DeviceTwin): boolean {
    this.#isAlive = true;
    if (this.#asked.get(twin) !== this.#placeOf(twin)) this.#strangers.add(twin);
    return this.#strangers.size > 0;
  }

  /** Asks the next one. Who fell silent meanwhile would cost its neighbours a wait, and is asked when it is back. */
  shift(): Job | undefined {
    if (!this.#isAlive) return undefined;
    for (const twin of this.#strangers) {
      this.#strangers.delete(twin);
      const { device, health } = twin;
      if (!device || !health.online) continue;
      this.#asked.set(twin, this.#placeOf(twin));
      this.#isAlive = false;
      return async (requests, signal) => {
        const said = await requests.describe(device, signal).catch(nothing);
        if (!said) return;
        this.#isAlive = true;
        if (twin.device && this.#asked.get(twin) === this.#placeOf(twin)) this.#known(twin, identityOf(said));
      };
    }
    return undefined;
  }

  #placeOf({ device }: DeviceTwin): string | undefined {
    if (!device) return undefined;
    const place = this.#places.get(device) ?? JSON.stringify(device.station);
    this.#places.set(device, place);
    return place;
  }
}

/** A device need not say who it is. */
function nothing(error: unknown): undefined {
  if (!Fault.is(error) || error.code === "LINK_LOST") throw error;
}
