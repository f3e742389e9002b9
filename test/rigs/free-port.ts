import { once } from "node:events";
import { createServer } from "node:net";
import { Fault } from "#std/fault";
import { listen } from "#std/listen";

/** Below the ports that the system gives to clients, so that nobody takes it before a server comes back to it. */
const [LOWEST, HIGHEST] = [20_000, 32_767];

/** A port that was free a moment ago, so that nobody answers there. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    const server = createServer();
    try {
      await listen(server, { host: "127.0.0.1", port }, "the rig");
    } catch (error) {
      if (Fault.is(error, "PORT_IN_USE")) continue;
      throw error;
    }
    server.close();
    await once(server, "close");
    return port;
  }
}
