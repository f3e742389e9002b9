import { connect, createServer, type Socket } from "node:net";
import { listen } from "#std/listen";

/** A way to a server that breaks between a question and its answer. */
export interface Traitor extends AsyncDisposable {
  readonly port: number;
  /** Lets the next bytes with this text reach the server, and breaks the connection in the place of the answer. */
  betray(text: string): void;
  /** How often that happened. */
  readonly betrayals: number;
}

/** Opens a proxy on a free port. @param port - of the server behind. */
export async function openTraitor(port: number): Promise<Traitor> {
  const sockets = new Set<Socket>();
  let wanted: string | undefined;
  let betrayals = 0;
  const server = createServer((near) => {
    const far = connect({ host: "127.0.0.1", port, noDelay: true });
    let isBetrayed = false;
    near.on("data", (chunk) => {
      if (wanted !== undefined && chunk.includes(wanted)) {
        wanted = undefined;
        isBetrayed = true;
      }
      far.write(chunk);
    });
    far.on("data", (chunk) => {
      if (!isBetrayed) return void near.write(chunk);
      betrayals++;
      near.destroy();
    });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  const { port: own } = await listen(server, { host: "127.0.0.1", port: 0 }, "the traitor");
  return {
    port: own,
    betray(text) {
      wanted = text;
    },
    get betrayals() {
      return betrayals;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
