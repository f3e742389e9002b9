import { join } from "node:path";
import type { DriverTable } from "#devices/driver";

export interface DriverOptions {
  /** Folder of the node; drivers keep there what must last, such as certificates. Without it nothing lasts. */
  readonly dataDir?: string;
}

/** Every protocol of this product, one line each. Loaded when a device first needs it, because some are heavy. */
export function driverTable({ dataDir }: DriverOptions = {}): DriverTable {
  const opcuaOptions = dataDir === undefined ? {} : { trustDir: join(dataDir, "opcua") };
  return {
    modbus: async () => (await import("./modbus/index.ts")).modbus(),
    opcua: async () => (await import("./opcua/index.ts")).opcua(opcuaOptions),
    serial: async () => (await import("./serial/index.ts")).serial(),
    virtual: async () => (await import("./virtual/index.ts")).virtual(),
  };
}

/** Those of a program that keeps nothing. */
export const drivers = driverTable();
