import { once } from "node:events";
import { createServer } from "node:net";
import { listen } from "#std/listen";

/** A port that was free a moment ago, so that nobody answers there. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const { port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the rig");
  server.close();
  await once(server, "close");
  return port;
}
