import { describe, expect, test } from "@jest/globals";
import { modbusRig } from "../rigs/modbus.ts";
import { ptyObstacle } from "../rigs/modbus-pty.ts";
import { keepsDriverContract } from "./driver.ts";

for (const transport of ["rtu-tcp", "ascii-tcp", "udp", "tls"] as const) {
  describe(`over ${transport}`, () => keepsDriverContract("modbus", () => modbusRig(transport)));
}

const forever = new AbortController().signal;
const obstacle = ptyObstacle();

for (const transport of ["rtu", "ascii"] as const) {
  describe(`over ${transport} on a serial port`, () => {
    if (obstacle) test.skip(`is not tried here: ${obstacle}`, () => {});
    else {
      keepsDriverContract("modbus", () => modbusRig(transport));

      test("says LINK_LOST when the port is pulled out, to who waits and to who comes later", async () => {
        const rig = await modbusRig(transport);
        const { driver } = rig;
        await using connection = await driver.connect(driver.link.parse(rig.link), forever);
        const points = [{ property: "p", address: driver.address.parse(rig.addresses.first) }];
        const station = driver.station.parse(rig.stations[0]);
        await connection.read(station, points, forever);
        rig.mute(true);
        const waiting = connection.read(station, points, forever);
        await Promise.all([expect(waiting).rejects.toMatchObject({ code: "LINK_LOST" }), rig[Symbol.asyncDispose]()]);
        await expect(connection.read(station, points, forever)).rejects.toMatchObject({ code: "LINK_LOST" });
      });
    }
  });
}
