/**
 * Modbus: what is read together is planned in `plan.ts`, asked and checked in `pdu.ts`, carried by `tcp.ts`, and turned
 * into raw values by `registers.ts`. `simulator.ts` and `plant.ts` are the other end, for trying things out.
 *
 * **Source:** Modbus Application Protocol Specification V1.1b3.
 */
import type { Driver } from "#devices/driver";
import { openConnection } from "./connection.ts";
import { address, link, type ModbusAddress, type ModbusLink, type ModbusStation, station } from "./schema.ts";
import { dialTcp } from "./tcp.ts";
import type { Dial } from "./transport.ts";

/** What the driver is made of; a test passes its own. */
export interface ModbusOptions {
  /** @default TCP */
  readonly dial?: Dial;
  /** Milliseconds since the Unix epoch. @default the machine's clock */
  readonly now?: () => number;
}

/** The Modbus driver. */
export function modbus({
  dial = dialTcp,
  now = Date.now,
}: ModbusOptions = {}): Driver<ModbusLink, ModbusStation, ModbusAddress> {
  return {
    protocol: "modbus",
    link,
    station,
    address,
    connect: async (link, signal) => openConnection(await dial(link, signal), now),
  };
}
