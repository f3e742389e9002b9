import { readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Fault } from "#std/fault";
import { type Endpoint, listen } from "#std/listen";
import type { Peer } from "./access.ts";
import type { ListenerConfig } from "./config.ts";

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
