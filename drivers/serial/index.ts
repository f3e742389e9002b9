/**
 * Serial devices that are declared, not programmed: `schema/` is what one may say about them, `framing.ts` cuts the bytes
 * into frames, `body.ts` proves them whole, `extract.ts` takes values out, `plan.ts` and `connection.ts` ask and listen,
 * `talk.ts` keeps request and answer together, `line.ts` and `port.ts` are the ways to the device, `notes.ts` remembers
 * what went over it and `replay.ts` plays that back. `simulator.ts` is the other end, for trying things out.
 */
import type { Driver } from "#devices/driver";
import { type Clock, systemClock } from "#std/clock";
import { openConnection } from "./connection.ts";
import { openLine } from "./line.ts";
import { tell } from "./notes.ts";
import { type Ports, systemPorts } from "./port.ts";
import { isPushed } from "./pushes.ts";
import { openReplay } from "./replay.ts";
import { address, type SerialAddress } from "./schema/address.ts";
import { link, type SerialLink } from "./schema/link.ts";
import { type SerialStation, station } from "./schema/station.ts";

/** What the driver is made of; a test passes its own. */
export interface SerialOptions {
  /** @default those of this machine */
  readonly ports?: Ports;
  /** @default the machine's clock */
  readonly clock?: Clock;
}

/** The serial driver. */
export function serial({
  ports = systemPorts,
  clock = systemClock,
}: SerialOptions = {}): Driver<SerialLink, SerialStation, SerialAddress> {
  return {
    protocol: "serial",
    link,
    station,
    address,
    isPushed,
    // A request that was given up is awaited as long again before the next, so that its answer is not taken for another.
    timeoutMs: (link, { timeoutMs, retries, quietMs }) =>
      Math.max(link.timeoutMs, (2 * retries + 1) * timeoutMs + (retries + 1) * quietMs),
    async connect(link, signal) {
      const { file } = link;
      const line = file === undefined ? await openLine(link, ports, signal) : await openReplay(file, clock, signal);
      return openConnection(line, clock);
    },
    tell,
    isWith: (station, exchange) => exchange.station === undefined || exchange.station === station,
  };
}
