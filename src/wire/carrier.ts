import { once } from "node:events";
import { createServer } from "node:https";
import type { TLSSocket } from "node:tls";
import { Fault } from "#std/fault";
import { type Endpoint, listen } from "#std/listen";
import type { Log } from "#std/log";
import { Queue } from "#std/queue";
import { WebSocket, WebSocketServer } from "#std/websocket";
import type { Credentials } from "#std/x509";
import { admitInTurn } from "./admission.ts";
import { Budget } from "./budget.ts";
import { FRAME_LIMIT_BYTES } from "./frame.ts";

/**
 * A connection that carries frames, both ways and in order. WebSocket over TLS 1.3, because proxies and ingresses let
 * it pass; another carrier would change this file alone.
 */
export interface Carrier {
  /** Common name of the other side's certificate. */
  readonly peer: string;
  /** Where the other side is, as far as the network shows it. */
  readonly address: string;
  /** True while something of the other side waits for the reader here. */
  readonly isBehind: boolean;
  /** Bytes that were sent and not yet taken by the network. */
  readonly bufferedBytes: number;
  send(frame: Uint8Array): void;
  /** Frames as they come; ends when the connection does. One reader. */
  readonly frames: AsyncIterable<Uint8Array>;
  /** True when the other side's machine answers, false when the connection ends before. It may never resolve. */
  ping(): Promise<boolean>;
  /** Ends the connection at once, whatever the other side does. */
  close(reason: string): void;
}

/** Both sides prove who they are with a certificate of this authority. */
export interface CarrierTls extends Credentials {
  readonly authority: string;
}

/**
 * Frames of rows shrink to a half or less. Each is compressed by itself: a window kept between frames would cost every
 * connection 300 kB. Small frames are left alone; bombs are stopped, because `maxPayload` counts what comes out.
 */
const COMPRESSION = {
  threshold: 1024,
  clientNoContextTakeover: true,
  serverNoContextTakeover: true,
  zlibDeflateOptions: { level: 1 },
  concurrencyLimit: 4,
} as const;

const PROTOCOL = "skerry.v1";
/** Frames that may wait for the reader. The other side waits for acknowledgements long before. */
const MOST_FRAMES = 10_000;
/** Bytes that may wait for the reader before the other side is made to wait. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;
/** The same of all connections of a server together: thousands that come back at once have a backlog each. */
const MOST_ALL_WAITING_BYTES = 64 * 1024 * 1024;
const HANDSHAKE_MS = 10_000;

/**
 * Dials a cloud, such as `wss://cloud.example.com:7443`.
 * @throws {Fault} `UPLINK_LOST` when nobody answers, `IDENTITY_REFUSED` when either certificate is not accepted.
 */
export async function dial(
  url: string,
  { authority, certificate, key }: CarrierTls,
  signal: AbortSignal,
): Promise<Carrier> {
  signal.throwIfAborted();
  const socket = new WebSocket(url, PROTOCOL, {
    ca: authority,
    cert: certificate,
    key,
    minVersion: "TLSv1.3",
    handshakeTimeout: HANDSHAKE_MS,
    maxPayload: FRAME_LIMIT_BYTES,
    perMessageDeflate: COMPRESSION,
  });
  const carrier = carry(socket, {
    peer: "cloud",
    address: new URL(url).host,
    budget: new Budget(Number.POSITIVE_INFINITY),
  });
  const abort = () => socket.terminate();
  signal.addEventListener("abort", abort, { once: true });
  try {
    await once(socket, "open");
    return carrier;
  } catch (cause) {
    signal.throwIfAborted();
    throw dialFault(url, cause);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function dialFault(url: string, cause: unknown): Fault {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const message = cause instanceof Error ? cause.message : String(cause);
  const refused = /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_VERIFY|alert/i.test(code + message);
  return new Fault(refused ? "IDENTITY_REFUSED" : "UPLINK_LOST", `${url}: ${message}`, { cause });
}

export interface CarrierServerOptions extends Endpoint {
  readonly tls: CarrierTls;
  readonly log: Log;
}

/** A server that listens for edges. */
export interface CarrierServer extends Endpoint, AsyncDisposable {
  /** Shows another certificate, from the next connection on; those that are open stay. */
  present(credentials: Credentials): void;
}

/** Listens for edges. Only holders of a certificate of the authority get through the handshake. */
export async function openCarrierServer(
  { host, port, tls, log }: CarrierServerOptions,
  take: (carrier: Carrier) => void,
): Promise<CarrierServer> {
  const context = ({ certificate, key }: Credentials) =>
    ({ cert: certificate, key, ca: tls.authority, minVersion: "TLSv1.3" }) as const;
  const server = createServer({ ...context(tls), requestCert: true, handshakeTimeout: HANDSHAKE_MS });
  server.on("tlsClientError", (error) => log.debug("handshake refused", { error }));
  const admission = admitInTurn(server);
  const budget = new Budget(MOST_ALL_WAITING_BYTES);
  const sockets = new WebSocketServer({
    server,
    maxPayload: FRAME_LIMIT_BYTES,
    perMessageDeflate: COMPRESSION,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  sockets.on("connection", (socket, request) => {
    const { CN: peer } = (request.socket as TLSSocket).getPeerCertificate().subject ?? {};
    if (typeof peer !== "string" || peer === "" || socket.protocol !== PROTOCOL) return socket.terminate();
    take(carry(socket, { peer, address: request.socket.remoteAddress ?? "unknown", budget }));
  });
  const bound = await listen(server, { host, port }, "the tunnel");
  return {
    ...bound,
    present: (credentials) => server.setSecureContext(context(credentials)),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.close();
      server.closeAllConnections();
      admission[Symbol.dispose]();
      await once(server, "close");
    },
  };
}

interface Carried {
  readonly peer: string;
  readonly address: string;
  readonly budget: Budget;
}

function carry(socket: WebSocket, { peer, address, budget }: Carried): Carrier {
  const frames = new Queue<Uint8Array>(MOST_FRAMES);
  let waitingBytes = 0;
  const go = () => {
    if (socket.isPaused && waitingBytes <= MOST_WAITING_BYTES / 2) socket.resume();
  };
  /** Bytes were read, or nobody will read them any more. */
  const free = (bytes: number) => {
    waitingBytes -= bytes;
    budget.free(bytes);
  };
  socket.on("message", (data: Buffer) => {
    waitingBytes += data.length;
    budget.add(data.length);
    // The other side is slowed down by TCP itself while the reader is behind.
    if (waitingBytes > MOST_WAITING_BYTES) socket.pause();
    else if (budget.isFull) {
      socket.pause();
      budget.hold(go);
    }
    // Losing a frame in the middle would break the order, so a reader that is this far behind loses the connection.
    if (!frames.push(data)) socket.terminate();
  });
  socket.on("close", () => {
    frames.close();
    free(waitingBytes);
  });
  socket.on("error", () => socket.terminate());

  async function* read(): AsyncGenerator<Uint8Array> {
    for await (const frame of frames) {
      if (waitingBytes > 0) free(frame.length);
      if (!budget.isFull) go();
      yield frame;
    }
  }

  return {
    peer,
    address,
    get isBehind() {
      return waitingBytes > 0 || socket.isPaused;
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    send(frame) {
      if (socket.readyState === WebSocket.OPEN) socket.send(frame);
    },
    frames: read(),
    ping() {
      if (socket.readyState !== WebSocket.OPEN) return Promise.resolve(false);
      return new Promise((resolve) => {
        const settle = (answered: boolean) => {
          socket.off("pong", pong);
          socket.off("close", close);
          resolve(answered);
        };
        const pong = () => settle(true);
        const close = () => settle(false);
        socket.on("pong", pong);
        socket.on("close", close);
        socket.ping();
      });
    },
    close(reason) {
      if (socket.readyState !== WebSocket.OPEN) return socket.terminate();
      // A paused socket would not hear the other side's goodbye.
      if (socket.isPaused) socket.resume();
      socket.close(1000, reason.slice(0, 120));
      setTimeout(() => socket.terminate(), 1000).unref();
    },
  };
}
