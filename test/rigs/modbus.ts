import { createServer } from "node:net";
import { modbus } from "#drivers/modbus/index";
import { openSimulator } from "#drivers/modbus/simulator";
import { blankUnit } from "#drivers/modbus/unit";
import { listen } from "#std/listen";
import type { Rig } from "../contract/driver.ts";

/** Two Modbus units behind one simulator. Between the points lies holding 4, which does not exist. */
export async function modbusRig(): Promise<Rig> {
  const plant = [1, 2].map((unit) => {
    const blank = { ...blankUnit({ holding: 20, input: 10 }), holes: { holding: new Set([4]) } };
    return [unit, blank] as const;
  });
  const units = new Map(plant);
  const simulator = await openSimulator({ host: "127.0.0.1", port: 0, units });
  let moves = 0;
  return {
    driver: modbus(),
    link: { host: simulator.host, port: simulator.port },
    deadLink: { host: "127.0.0.1", port: await freePort() },
    stations: [{ unit: 1 }, { unit: 2 }],
    addresses: {
      moving: { table: "input", register: 3, type: "int16" },
      first: { table: "holding", register: 3 },
      second: { table: "holding", register: 5, type: "float32", words: "little" },
      refused: { table: "holding", register: 4 },
    },
    change() {
      moves++;
      plant[0]?.[1].input.set([-moves], 3);
      return -moves;
    },
    mute(silent) {
      if (silent) units.clear();
      else for (const [number, unit] of plant) units.set(number, unit);
    },
    [Symbol.asyncDispose]: () => simulator[Symbol.asyncDispose](),
  };
}

/** A port that was free a moment ago, so that nobody answers there. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const { port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the rig");
  await new Promise((resolve) => server.close(resolve));
  return port;
}
