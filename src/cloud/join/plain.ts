import type { Server, Socket } from "node:net";

/** First byte of every TLS connection: a record of type handshake. **Source:** RFC 8446, section 5.1. */
const HANDSHAKE = 22;
const FIRST_BYTE_MS = 10_000;
const REQUEST_LIMIT_BYTES = 2048;

/**
 * Lets a TLS server answer one thing to those who do not trust it yet: a plain `GET path`, on the same port. So a
 * joining machine gets the authority's certificate without TLS that is not checked; it is public, and the fingerprint
 * in the join token decides whether it is the right one.
 */
export function alsoPlain(server: Server, path: string, body: string): void {
  const secure = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    socket.setTimeout(FIRST_BYTE_MS, () => socket.destroy());
    socket.on("error", () => socket.destroy());
    socket.once("data", (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      if (first[0] !== HANDSHAKE) return answer(socket, path, body);
      socket.setTimeout(0);
      socket.removeAllListeners("timeout");
      for (const accept of secure) accept.call(server, socket);
    });
  });
}

function answer(socket: Socket, path: string, body: string): void {
  let request = "";
  socket.on("data", (bytes: Buffer) => {
    request += bytes.toString("latin1");
    if (request.length > REQUEST_LIMIT_BYTES) socket.destroy();
    if (socket.destroyed || !request.includes("\r\n\r\n")) return;
    const found = request.startsWith(`GET ${path} HTTP/1.`);
    const [status, content] = found ? ["200 OK", body] : ["404 Not Found", ""];
    const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(content)}`;
    socket.end(`${head}\r\nconnection: close\r\n\r\n${content}`);
  });
  socket.resume();
}
