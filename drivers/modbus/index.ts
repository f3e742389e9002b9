/**
 * Modbus: what is read together is planned in `plan.ts`, asked and checked in `pdu.ts`, carried by one of the transports
 * of `dial.ts`, and turned into raw values by `registers.ts`. `simulator.ts` and `plant.ts` are the other end, for
 * trying things out; `probe.ts` and `explain.ts` are for people who set a device up.
 *
 * **Source:** Modbus Application Protocol Specification V1.1b3.
 */
import type { Driver } from "#devices/driver";
import { openConnection } from "./connection.ts";
import { dial as dialLink } from "./dial.ts";
import { explain } from "./explain.ts";
import { link, type ModbusLink } from "./link.ts";
import { address, type ModbusAddress, type ModbusStation, station } from "./schema.ts";
import { type ModbusExchange, tell } from "./tell.ts";
import type { Dial } from "./transport.ts";

/** What the driver is made of; a test passes its own. */
export interface ModbusOptions {
  /** @default what the link's `transport` says */
  readonly dial?: Dial;
  /** Milliseconds since the Unix epoch. @default the machine's clock */
  readonly now?: () => number;
  /** Gets every exchange of every link when it is over, such as to record them. */
  readonly onExchange?: (exchange: ModbusExchange) => void;
}

/** The Modbus driver. */
export function modbus({
  dial = dialLink,
  now = Date.now,
  onExchange,
}: ModbusOptions = {}): Driver<ModbusLink, ModbusStation, ModbusAddress> {
  return {
    protocol: "modbus",
    link,
    station,
    address,
    connect: async (link, signal) => openConnection(await dial(link, signal), now, { ...link, onExchange }),
    timeoutMs: (link, { timeoutMs = link.timeoutMs }) => timeoutMs,
    plan: (link, station, points, known) => explain(points, station, link, known),
    tell,
    isWith: ({ unit }, { request }: ModbusExchange) => request[0] === unit,
  };
}
