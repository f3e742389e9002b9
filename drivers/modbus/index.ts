import type { Driver } from "#devices/driver";
import { Fault } from "#std/fault";
import { address, link, type ModbusAddress, type ModbusLink, type ModbusStation, station } from "./schema.ts";

/** The Modbus driver. */
export function modbus(): Driver<ModbusLink, ModbusStation, ModbusAddress> {
  return {
    protocol: "modbus",
    link,
    station,
    address,
    async connect({ host, port }) {
      throw new Fault("LINK_LOST", `nobody answers at ${host}:${port}`, { host, port });
    },
  };
}
