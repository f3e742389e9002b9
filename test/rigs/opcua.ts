import { afterAll } from "@jest/globals";
import { opcua } from "#drivers/opcua/index";
import type { Rig } from "../contract/driver.ts";
import { freePort, openProxy } from "./opcua-proxy.ts";
import { openSample, PLANT_A, PLANT_B, type Sample } from "./opcua-server.ts";

let shared: Promise<Sample> | undefined;
let moves = 0;
/** One for all: each driver makes a key of its own. */
const driver = opcua();

afterAll(async () => {
  await (await shared)?.[Symbol.asyncDispose]();
  shared = undefined;
});

/** Two namespaces of one server, behind a proxy that can fall silent. A server takes a second to start: one for all. */
export async function opcuaRig(): Promise<Rig> {
  shared ??= openSample();
  const sample = await shared;
  const proxy = await openProxy(sample.port);
  const security = { mode: "None", insecure: true };
  return {
    driver,
    link: { endpoint: `opc.tcp://127.0.0.1:${proxy.port}/plant`, security },
    deadLink: { endpoint: `opc.tcp://127.0.0.1:${await freePort()}/plant`, security },
    stations: [{ namespaceUri: PLANT_A }, { namespaceUri: PLANT_B }],
    addresses: {
      moving: { nodeId: "s=Moving" },
      first: { nodeId: "s=First" },
      second: { nodeId: "s=Second" },
      refused: { nodeId: "s=Missing" },
    },
    change() {
      sample.setMoving(++moves);
      return moves;
    },
    mute: (silent) => proxy.mute(silent),
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}
