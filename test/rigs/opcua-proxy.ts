import { connect, createServer, type Socket } from "node:net";
import { listen } from "#std/listen";

/** A line between client and server that can be cut or fall silent. */
export interface Wire extends AsyncDisposable {
  readonly port: number;
  /** Holds back what both sides send, or lets it through again; nothing is lost. */
  mute(silent: boolean): void;
  /** Breaks every connection. New ones are taken, unless `refuse` says otherwise. */
  cut(): void;
  refuse(refusing: boolean): void;
}

/** Opens a proxy on a free port of this machine. @param port - of the server behind. */
export async function openProxy(port: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let silent = false;
  let refusing = false;
  const server = createServer((near) => {
    if (refusing) return near.destroy();
    const far = connect({ host: "127.0.0.1", port, noDelay: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("data", (chunk) => to.write(chunk));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      if (silent) from.pause();
    }
    return undefined;
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  const { port: own } = await listen(server, { host: "127.0.0.1", port: 0 }, "the proxy");
  return {
    port: own,
    mute(next) {
      silent = next;
      for (const socket of sockets) next ? socket.pause() : socket.resume();
    },
    cut,
    refuse(next) {
      refusing = next;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
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
