import { createServer } from "node:net";
import { modbus } from "#drivers/modbus/index";
import { openSimulator, type Simulated, simulateOn } from "#drivers/modbus/simulator";
import { blankUnit } from "#drivers/modbus/unit";
import { listen } from "#std/listen";
import { openSerialPort } from "#std/serial-port";
import type { Rig } from "../contract/driver.ts";
import { openPtyPair } from "./modbus-pty.ts";
import { tlsFiles } from "./modbus-tls.ts";

/** The simulated end of a link of some transport. */
interface Bus extends AsyncDisposable {
  readonly link: unknown;
  readonly deadLink?: unknown;
}

type Transport = "tcp" | "rtu-tcp" | "ascii-tcp" | "udp" | "tls" | "rtu" | "ascii";

/** Two Modbus units behind one simulator. Between the points lies holding 4, which does not exist. */
export async function modbusRig(transport: Transport = "tcp"): Promise<Rig> {
  const plant = [1, 2].map((unit) => {
    const blank = { ...blankUnit({ holding: 20, input: 10 }), holes: { holding: new Set([4]) } };
    return [unit, blank] as const;
  });
  const units = new Map(plant);
  const bus = await openBus(transport, { units });
  let moves = 0;
  return {
    driver: modbus(),
    link: bus.link,
    deadLink: bus.deadLink,
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
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  };
}

/** Simulated units at the end of a link of any transport. Serial ones need `socat`. */
export async function openBus(transport: Transport, simulated: Simulated): Promise<Bus> {
  if (transport === "rtu" || transport === "ascii") return await openSerialBus(transport, simulated);
  const files = transport === "tls" ? await tlsFiles() : undefined;
  const endpoint = { host: "127.0.0.1", port: 0 };
  const simulator = await openSimulator({ ...endpoint, transport, ...simulated, ...(files && { tls: files.server }) });
  const { host, port } = simulator;
  const tls = files && { tls: { ...files.client, pin: files.pin } };
  return {
    link: { transport, host, port, ...tls },
    // Over UDP nobody can tell whether somebody is there.
    ...(transport !== "udp" && { deadLink: { transport, host, port: await freePort(), ...tls } }),
    async [Symbol.asyncDispose]() {
      await simulator[Symbol.asyncDispose]();
      files?.[Symbol.dispose]();
    },
  };
}

async function openSerialBus(transport: "rtu" | "ascii", simulated: Simulated): Promise<Bus> {
  const pair = await openPtyPair();
  const settings = { path: pair.there, baudRate: 115_200, parity: "none", stopBits: 1, dataBits: 8 } as const;
  const port = await openSerialPort(settings, new AbortController().signal);
  simulateOn(port, transport, simulated);
  return {
    link: { transport, path: pair.here, baudRate: 115_200 },
    deadLink: { transport, path: `${pair.here}-unplugged` },
    async [Symbol.asyncDispose]() {
      await port[Symbol.asyncDispose]();
      await pair[Symbol.asyncDispose]();
    },
  };
}

/** A port that was free a moment ago, so that nobody answers there. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const { port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the rig");
  await new Promise((resolve) => server.close(resolve));
  return port;
}
