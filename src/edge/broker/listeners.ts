import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import {
  createSecureContext,
  createServer as createTlsServer,
  type TLSSocket,
  type Server as TlsServer,
} from "node:tls";
import { Fault } from "#std/fault";
import { type Endpoint, listen } from "#std/listen";
import { createWebSocketStream, WebSocketServer } from "#std/websocket";
import type { Peer } from "./access.ts";
import { isLoopback, type ListenerConfig } from "./config.ts";

/** Probes of an idle connection begin after this time, so that a half-open one does not stay. */
const PROBE_MS = 60_000;

/** One address that accepts MQTT. */
export interface Listener extends Endpoint, AsyncDisposable {
  /**
   * Reads the files of `tls`. What it returns takes them for connections from now on; when the authority of clients is
   * another one, those who came with a certificate have to prove it again.
   * @throws {Fault} `CONFIG_INVALID` when they can not be read, or do not belong together.
   */
  prepare(tls: ListenerConfig["tls"]): () => void;
}

/**
 * Listens for clients. Beyond loopback only with TLS 1.2 or later.
 * @throws {Fault} `CONFIG_INVALID` when a file of `tls` can not be read, and as `listen`.
 */
export async function openListener(
  { host, port, tls }: Pick<ListenerConfig, "host" | "port" | "tls">,
  take: (socket: Duplex, peer: Peer) => void,
): Promise<Listener> {
  const sockets = new Set<Socket | TLSSocket>();
  const accept = (socket: Socket | TLSSocket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // Before anybody listens for errors, one would end the process.
    socket.on("error", () => socket.destroy());
    take(socket, { address: socket.remoteAddress ?? "", certificate: certificateOf(socket) });
  };
  const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: PROBE_MS };
  const read = tls && files(tls);
  const secured = read && createTlsServer({ ...options, ...read, ...handshake(read) }, accept);
  const server = secured ?? createServer(options, accept);
  const bound = await listen(server, { host, port }, "the MQTT broker");
  return {
    ...bound,
    prepare: preparer(secured, read?.ca, sockets),
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
  const read = tls && files(tls);
  const secured = read && createHttpsServer({ ...read, ...handshake(read) });
  const server = secured ?? createHttpServer();
  const connections = new Set<Socket>();
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
    connections.add(request.socket);
    request.socket.once("close", () => connections.delete(request.socket));
    take(stream, { address: request.socket.remoteAddress ?? "", certificate: certificateOf(request.socket) });
  });
  const bound = await listen(server, { host, port }, "the MQTT broker's WebSocket");
  return {
    ...bound,
    prepare: preparer(secured, read?.ca, connections),
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

type Tls = NonNullable<ListenerConfig["tls"]>;

/** The files of a listener, read and found to belong together. */
function files({ certificate, key, authority }: Tls) {
  const read = (file: string) => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new Fault("CONFIG_INVALID", `mqtt: ${file} can not be read`, { cause });
    }
  };
  const all = {
    cert: read(certificate),
    key: read(key),
    minVersion: "TLSv1.2" as const,
    ca: authority === undefined ? undefined : read(authority),
  };
  try {
    createSecureContext(all);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Fault("CONFIG_INVALID", `mqtt: ${certificate} and ${key} can not be used: ${why}`, { cause });
  }
  return all;
}

function handshake({ ca }: ReturnType<typeof files>) {
  return { handshakeTimeout: 10_000, requestCert: ca !== undefined };
}

/** Makes a listener's `prepare`. */
function preparer(
  server: TlsServer | undefined,
  trusted: Buffer | undefined,
  sockets: Iterable<Socket | TLSSocket>,
): Listener["prepare"] {
  let authority = trusted;
  return (tls) => {
    if (!server || !tls) return () => {};
    const next = files(tls);
    return () => {
      server.setSecureContext(next);
      if (!next.ca || authority?.equals(next.ca)) return;
      authority = next.ca;
      for (const socket of sockets) if (certificateOf(socket) !== undefined) socket.destroy();
    };
  };
}

/** Common name of a certificate that the authority signed. */
function certificateOf(socket: Socket | TLSSocket): string | undefined {
  if (!("authorized" in socket) || !socket.authorized) return undefined;
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  return typeof name === "string" && name !== "" ? name : undefined;
}
