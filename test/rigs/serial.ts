import { createServer } from "node:net";
import { serial } from "#drivers/serial/index";
import { openSerialSimulator, type SerialDevice } from "#drivers/serial/simulator";
import { listen } from "#std/listen";
import type { Rig } from "../contract/driver.ts";

/** A controller as they hang on an RS-485 line: `#01 R temp` is answered by `01 temp=21`, `#01 W temp 5` by `01 OK`. */
export interface Controller {
  readonly id: string;
  readonly cells: Map<string, number>;
}

/** Two controllers on one line. */
export function controllers(): readonly [Controller, Controller] {
  const blank = (id: string) => ({ id, cells: new Map(["moving", "first", "second"].map((name) => [name, 0])) });
  return [blank("01"), blank("02")];
}

/** What a line of controllers answers. */
export function answerOf(line: readonly Controller[], request: string): string | undefined {
  const [, id, verb, name = "", value] = /^#(\d\d) ([RW]) (\w+)(?: (-?\d+))?$/.exec(request) ?? [];
  const cells = line.find((controller) => controller.id === id)?.cells;
  if (!cells) return undefined;
  if (!cells.has(name)) return `${id} ERR unknown\r\n`;
  if (verb === "W") cells.set(name, Number(value));
  return verb === "W" ? `${id} OK ${name}\r\n` : `${id} ${name}=${cells.get(name)}\r\n`;
}

/** The station of a controller. */
export function controllerStation(id: string) {
  return { id, refused: "^{id} ERR" };
}

/** The address of a cell. */
export function cellAddress(name: string, canWrite = false) {
  return {
    request: `#{id} R ${name}\\r\\n`,
    prefix: `{id} ${name}=`,
    regex: "^[^=]*=(?<value>-?\\d+)$",
    ...(canWrite ? { write: `#{id} W ${name} {value:d}\\r\\n`, answer: `^{id} OK ${name}$` } : {}),
  };
}

/** The line of controllers behind a simulated serial server. */
export async function serialRig(): Promise<Rig> {
  const line = controllers();
  let isSilent = false;
  let moves = 0;
  const device: SerialDevice = { answer: (request) => (isSilent ? undefined : answerOf(line, request)) };
  const simulator = await openSerialSimulator({ host: "127.0.0.1", port: 0, device });
  return {
    driver: serial(),
    link: { host: simulator.host, port: simulator.port },
    deadLink: { host: "127.0.0.1", port: await freePort() },
    stations: [controllerStation("01"), controllerStation("02")],
    addresses: {
      moving: cellAddress("moving"),
      first: cellAddress("first", true),
      second: cellAddress("second", true),
      refused: cellAddress("nothing"),
    },
    change() {
      line[0].cells.set("moving", --moves);
      return moves;
    },
    mute(silent) {
      isSilent = silent;
    },
    [Symbol.asyncDispose]: () => simulator[Symbol.asyncDispose](),
  };
}

/** A port that was free a moment ago, so that nobody answers there. */
async function freePort(): Promise<number> {
  const server = createServer();
  const { port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the rig");
  await new Promise((resolve) => server.close(resolve));
  return port;
}
