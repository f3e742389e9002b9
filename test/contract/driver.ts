import { describe, test } from "@jest/globals";
import { type DriverRig, driverContract } from "#devices/testing";

export type { DriverRig as Rig };

/** Holds a driver to what every driver promises. */
export function keepsDriverContract(protocol: string, openRig: () => Promise<DriverRig>): void {
  describe(`the ${protocol} driver`, () => {
    for (const { name, run } of driverContract(protocol, openRig)) test(name, run);
  });
}
