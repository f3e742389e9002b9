import type { Server, Socket } from "node:net";

/** Handshakes that begin in one turn of the event loop; each costs a millisecond or two. */
const MOST_AT_ONCE = 8;
/** Connections that may wait for theirs. Who is sent away comes back after a while of its own. */
const MOST_WAITING = 2_000;
/** Who has waited this long gives up soon; a handshake would be wasted on it. */
const LONGEST_WAIT_MS = 5_000;

/**
 * Lets a TLS server begin few handshakes at a time, in the order in which they came. When thousands of nodes come back
 * together, they would else all be half-way until their patience ends, and begin anew; and those who are through would
 * not be heard meanwhile. Disposing it ends every connection, also those that are half-way.
 */
export function admitInTurn(server: Server): Disposable {
  const begin = server.listeners("connection");
  server.removeAllListeners("connection");
  let waiting: { readonly socket: Socket; readonly since: number }[] = [];
  const open = new Set<Socket>();
  let isDue = false;

  function admit(): void {
    isDue = false;
    const now = performance.now();
    waiting = waiting.filter(({ socket, since }) => {
      if (now - since > LONGEST_WAIT_MS) socket.destroy();
      return !socket.destroyed;
    });
    for (const { socket } of waiting.splice(0, MOST_AT_ONCE)) for (const accept of begin) accept.call(server, socket);
    if (waiting.length > 0) schedule();
  }

  function schedule(): void {
    if (isDue) return;
    isDue = true;
    setImmediate(admit);
  }

  server.on("connection", (socket: Socket): void => {
    if (waiting.length >= MOST_WAITING) return void socket.destroy();
    socket.on("error", () => socket.destroy());
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    waiting.push({ socket, since: performance.now() });
    schedule();
  });
  return {
    [Symbol.dispose]() {
      for (const socket of open) socket.destroy();
    },
  };
}
