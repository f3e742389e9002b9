import type { DriverTable } from "#devices/driver";

/** Every protocol of this product, one line each. Loaded when a device first needs it, because some are heavy. */
export const drivers: DriverTable = {
  modbus: async () => (await import("./modbus/index.ts")).modbus(),
  opcua: async () => (await import("./opcua/index.ts")).opcua(),
  serial: async () => (await import("./serial/index.ts")).serial(),
  virtual: async () => (await import("./virtual/index.ts")).virtual(),
};
