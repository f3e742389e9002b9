import { describe, test } from "@jest/globals";
import { modbusRig } from "../rigs/modbus.ts";
import { ptyObstacle } from "../rigs/modbus-pty.ts";
import { keepsDriverContract } from "./driver.ts";

for (const transport of ["rtu-tcp", "ascii-tcp", "udp", "tls"] as const) {
  describe(`over ${transport}`, () => keepsDriverContract("modbus", () => modbusRig(transport)));
}

const obstacle = ptyObstacle();

for (const transport of ["rtu", "ascii"] as const) {
  describe(`over ${transport} on a serial port`, () => {
    if (obstacle) test.skip(`is not tried here: ${obstacle}`, () => {});
    else keepsDriverContract("modbus", () => modbusRig(transport));
  });
}
