import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Fault } from "#std/fault";
import { type Endpoint, listen } from "#std/listen";
import { createWebSocketStream, WebSocketServer } from "#std/websocket";
import type { Peer } from "./access.ts";
import { isLoopback, type ListenerConfig } from "./config.ts";

/** Probes of an idle connection begin after this time, so that a half-open one does not stay. */
const PROBE_MS = 60_000;

/** One address that accepts MQTT. */
export interface Listener extends Endpoint, AsyncDisposable {}

/**
 * Listens for clients. Beyond loopback only with TLS 1.2 or later.
 * @throws {Fault} `CONFIG_INVALID` when a file of `tls` can not be read, and as `listen`.
 */
export async function openListener(
  { host, port, tls }: Pick<ListenerConfig, "host" | "port" | "tls">,
  take: (socket: Duplex, peer: Peer) => void,
): Promise<Listener> {
  const sockets = new Set<Socket>();
  const accept = (socket: Socket | TLSSocket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // Before anybody listens for errors, one would end the process.
    socket.on("error", () => socket.destroy());
    take(socket, { address: socket.remoteAddress ?? "", certificate: certificateOf(socket) });
  };
  const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: PROBE_MS };
  const server = tls ? createTlsServer({ ...options, ...files(tls) }, accept) : createServer(options, accept);
  const bound = await listen(server, { host, port }, "the MQTT broker");
  return {
    ...bound,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Bytes of one frame: far more than a packet, because a frame may carry many. */
const FRAME_BYTES = 1_048_576;
/** **Source:** MQTT 3.1.1, section 6, [MQTT-6.0.0-3]; `mqttv3.1` is what old libraries ask for. */
const PROTOCOLS = ["mqtt", "mqttv3.1"];

/** The same over WebSocket, for pages. Frames must be binary [MQTT-6.0.0-1]; a packet may span frames. */
export async function openWebSocketListener(
  { host, port, tls }: Pick<ListenerConfig, "host" | "port" | "tls">,
  take: (socket: Duplex, peer: Peer) => void,
): Promise<Listener> {
  const server = tls ? createHttpsServer(files(tls)) : createHttpServer();
  const sockets = new WebSocketServer({
    server,
    maxPayload: FRAME_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => PROTOCOLS.find((name) => offered.has(name)) ?? false,
    verifyClient: ({ req }: { readonly req: IncomingMessage }) => isFromHere(req.headers.origin, req.headers.host),
  });
  sockets.on("connection", (socket, request) => {
    socket.on("error", () => socket.terminate());
    if (!PROTOCOLS.includes(socket.protocol)) return socket.terminate();
    const stream = createWebSocketStream(socket);
    stream.on("error", () => stream.destroy());
    socket.on("message", (_, isBinary) => {
      if (!isBinary) socket.terminate();
    });
    take(stream, { address: request.socket.remoteAddress ?? "", certificate: certificateOf(request.socket) });
  });
  const bound = await listen(server, { host, port }, "the MQTT broker's WebSocket");
  return {
    ...bound,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/**
 * True when no page asks, or a page of this machine or of the very host it asks. A browser would let any page in the
 * world talk to the broker on its user's loopback.
 */
export function isFromHere(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  const url = URL.parse(origin);
  if (!url) return false;
  const name = url.hostname.replace(/^\[|\]$/g, "");
  return isLoopback(name) || url.hostname === URL.parse(`http://${host}`)?.hostname;
}

function files({ certificate, key, authority }: NonNullable<ListenerConfig["tls"]>) {
  const read = (file: string) => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new Fault("CONFIG_INVALID", `mqtt: ${file} can not be read`, { cause });
    }
  };
  const clients = authority ? { ca: read(authority), requestCert: true } : {};
  return {
    cert: read(certificate),
    key: read(key),
    minVersion: "TLSv1.2" as const,
    handshakeTimeout: 10_000,
    ...clients,
  };
}

/** Common name of a certificate that the authority signed. */
function certificateOf(socket: Socket | TLSSocket): string | undefined {
  if (!("authorized" in socket) || !socket.authorized) return undefined;
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  return typeof name === "string" && name !== "" ? name : undefined;
}
