import type { Server as TlsServer } from "node:tls";
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from "fastify";
import { Fault, type FaultCode } from "./fault.ts";
import { type Endpoint, listen } from "./listen.ts";
import type { Log } from "./log.ts";
import type { Credentials } from "./x509.ts";

export type { FastifyInstance as Routes, FastifyReply as Reply, FastifyRequest as Request } from "fastify";

/** An HTTP server that is listening; disposing it closes its connections. */
export interface HttpServer extends Endpoint, AsyncDisposable {
  /** Such as `http://127.0.0.1:7080`. */
  readonly url: string;
  /** The underlying server, for upgrades to WebSocket. */
  readonly server: FastifyInstance["server"];
  /** Shows another certificate, from the next connection on; those that are open stay. Only for one that speaks TLS. */
  present(credentials: Credentials): void;
}

export interface HttpOptions extends Endpoint {
  /** Names the server in messages, such as `the edge API`. */
  readonly what: string;
  /** PEM texts; without them the server speaks plain HTTP, which is for loopback. */
  readonly tls?: Credentials;
  /** Largest request body, in bytes. @default 1 MiB */
  readonly bodyLimitBytes?: number;
  readonly log: Log;
}

const STATUS: { readonly [code in FaultCode]?: number } = {
  DEVICE_UNKNOWN: 404,
  PROPERTY_UNKNOWN: 404,
  MODEL_UNKNOWN: 404,
  COMMAND_UNKNOWN: 404,
  COMMAND_LATE: 504,
  COMMAND_UNSURE: 504,
  TOKEN_INVALID: 401,
  IDENTITY_REFUSED: 403,
  OVERLOADED: 429,
  DISK_FULL: 507,
  DISK_FAILED: 503,
  DATABASE_CORRUPT: 503,
  CLUSTER_UNREACHABLE: 503,
  TELEMETRY_UNREACHABLE: 503,
  UPLINK_LOST: 503,
  BROKER_LOST: 503,
};

/** Starts an HTTP server. A fault answers as problem+json (RFC 9457) with its code and hint, a bug as a bare 500. */
export async function openHttp(
  { what, host, port, tls, bodyLimitBytes = 1024 * 1024, log }: HttpOptions,
  routes: (app: FastifyInstance) => void,
): Promise<HttpServer> {
  const https = tls && secure(tls);
  const options = { bodyLimit: bodyLimitBytes, requestTimeout: 30_000, forceCloseConnections: true };
  const app = (https ? Fastify({ ...options, https }) : Fastify(options)) as unknown as FastifyInstance;
  app.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .type(PROBLEM)
      .send({ status: 404, title: `${request.method} ${request.url} is not served here` }),
  );
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = Fault.is(error) ? (STATUS[error.code] ?? 400) : (error.statusCode ?? 500);
    // A fault that goes away by itself is told by those who try again.
    const isPassing = Fault.is(error) && error.retry;
    if (status >= 500 && !isPassing) log.error("request broke", { what, path: request.url, error });
    reply
      .code(status)
      .type(PROBLEM)
      .send(problemOf(error, status, request));
  });
  routes(app);
  await app.ready();
  const bound = await listen(app.server, { host, port }, what).catch(async (error: unknown) => {
    await app.close();
    throw error;
  });
  return {
    ...bound,
    url: `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${bound.port}`,
    server: app.server,
    present(credentials) {
      if ("setSecureContext" in app.server) (app.server as unknown as TlsServer).setSecureContext(secure(credentials));
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
}

function secure({ certificate, key }: Credentials) {
  return { cert: certificate, key, minVersion: "TLSv1.3" } as const;
}

const PROBLEM = "application/problem+json";

function problemOf(error: FastifyError, status: number, request: FastifyRequest): object {
  if (!Fault.is(error)) {
    const title = status >= 500 ? "internal error" : error.message;
    return { status, title, instance: request.url };
  }
  const { code, message, hint, detail } = error;
  const { problems } = detail;
  return { status, title: message, code, hint, instance: request.url, ...(problems ? { problems } : {}) };
}
