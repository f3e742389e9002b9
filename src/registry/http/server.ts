/** The wire: HTTP/2 and HTTP/1.1 over TLS. It reads requests, and is the only place that writes answers. */
import { once } from "node:events";
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse, type Http2Session } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { Fault } from "#std/fault";
import { type Endpoint, listen } from "#std/listen";
import type { Credentials } from "#std/x509";
import { isPublic, type Token } from "../access.ts";
import type { Api } from "../api.ts";
import { badRequest, StatusError } from "../status.ts";
import { answerDocument, answerPublic } from "./documents.ts";
import { userOf } from "./identity.ts";
import { type Call, json, type Reply } from "./message.ts";
import { answerResource } from "./resources.ts";
import { routeOf } from "./route.ts";

/** Where and for whom the server listens. */
export interface ServerOptions extends Endpoint {
  readonly serving: Credentials;
  readonly clientAuthority: string;
  readonly tokens: readonly Token[];
}

/** As upstream: larger bodies are no objects. */
const MOST_BODY_BYTES = 3 * 1024 * 1024;
/** Connections are for tools and controllers; a thousand is more than one centre has. */
const MOST_CONNECTIONS = 1024;
/** Requests and watches of one connection at once, as upstream. */
const MOST_STREAMS = 250;
const KEEP_ALIVE_MS = 30_000;
/** Answers under way get this long when the server closes. */
const GRACE_MS = 250;

/**
 * A client without a certificate may still have a token, so the handshake lets it in. It is nobody until it shows one:
 * `userOf` believes a certificate only where `socket.authorized` says that our authority signed it.
 */
const CERTIFICATE_MANDATORY = false;

/** Listens until it is disposed. Disposing ends watches and closes every connection. */
export async function openServer(api: Api, options: ServerOptions): Promise<Endpoint & AsyncDisposable> {
  const { serving, clientAuthority, tokens } = options;
  const server = createSecureServer({
    allowHTTP1: true,
    minVersion: "TLSv1.3",
    cert: serving.certificate,
    key: serving.key,
    ca: clientAuthority,
    requestCert: true,
    rejectUnauthorized: CERTIFICATE_MANDATORY,
    settings: { maxConcurrentStreams: MOST_STREAMS },
  });
  server.maxConnections = MOST_CONNECTIONS;
  const sockets = new Set<Socket>();
  const sessions = new Set<Http2Session>();
  server.on("connection", (socket: Socket) => {
    socket.setKeepAlive(true, KEEP_ALIVE_MS).setNoDelay(true);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.on("sessionError", (error) => api.log.debug("connection broken", { error }));
  server.on("tlsClientError", (error) => api.log.debug("handshake refused", { error }));
  server.on("request", (request, response) => {
    serveRequest(api, tokens, request, response).catch((error: unknown) => {
      api.log.debug("answer not delivered", { error });
      response.stream?.destroy?.();
    });
  });
  const endpoint = await listen(server, options, "the registry");
  return {
    ...endpoint,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.close();
      const grace = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, GRACE_MS);
      await closed;
      clearTimeout(grace);
    },
  };
}

async function serveRequest(
  api: Api,
  tokens: readonly Token[],
  request: Http2ServerRequest,
  response: Http2ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  const leave = () => gone.abort();
  response.once("close", leave);
  api.signal.addEventListener("abort", leave, { once: true });
  try {
    const reply = await answer(api, tokens, request, gone.signal).catch((error: unknown) =>
      failed(api, request, error),
    );
    await write(response, reply, request.method === "HEAD", gone.signal);
  } finally {
    api.signal.removeEventListener("abort", leave);
  }
}

async function answer(
  api: Api,
  tokens: readonly Token[],
  request: Http2ServerRequest,
  signal: AbortSignal,
): Promise<Reply> {
  const { path, query } = parseUrl(request.url);
  if (isPublic(path)) {
    const open = answerPublic(path, query);
    if (open) return open;
  }
  const connection = request.httpVersionMajor === 2 ? request.stream.session : request.socket;
  const socket = request.socket as TLSSocket;
  const user = connection && userOf(connection, socket, request.headers.authorization, tokens, api.clock.now());
  if (!user) throw new StatusError(401, "Unauthorized", "Unauthorized");
  if (request.headers["impersonate-user"] !== undefined)
    throw new StatusError(403, "Forbidden", "impersonation is not supported by this server");
  const { method, headers } = request;
  const call: Call = { method, path, query, headers, user, signal, body: () => readBody(request) };
  const route = routeOf(path);
  return route ? await answerResource(api, call, route) : answerDocument(api, call);
}

function parseUrl(url: string): { readonly path: string; readonly query: URLSearchParams } {
  const at = url.indexOf("?");
  const path = at < 0 ? url : url.slice(0, at);
  return {
    path: path === "/" ? path : path.replace(/\/+$/, ""),
    query: new URLSearchParams(at < 0 ? "" : url.slice(at)),
  };
}

/** Turns whatever was thrown into an answer. What is no Status is a bug: it is logged, and the client learns no more. */
function failed(api: Api, request: Http2ServerRequest, error: unknown): Reply {
  if (error instanceof StatusError) return json(error.body(), error.code);
  if (Fault.is(error, "DISK_FULL")) return json(new StatusError(507, "InsufficientStorage", error.message).body(), 507);
  if (Fault.is(error, "DISK_FAILED", "DATABASE_CORRUPT"))
    return json(new StatusError(503, "ServiceUnavailable", error.message).body(), 503);
  if (error instanceof RangeError)
    return failed(api, request, badRequest("the body is too deep or too large to be handled"));
  if (api.signal.aborted)
    return json(new StatusError(503, "ServiceUnavailable", "the registry is closing").body(), 503);
  api.log.error("request not answered", { method: request.method, path: parseUrl(request.url).path, error });
  return json(new StatusError(500, "InternalError", "an internal problem kept the server from answering").body(), 500);
}

async function readBody(request: Http2ServerRequest): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MOST_BODY_BYTES)
        throw new StatusError(413, "RequestEntityTooLarge", `the body is larger than ${MOST_BODY_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    // The client went away in the middle. That is no bug, and the answer reaches nobody.
    throw error instanceof StatusError ? error : badRequest("the body ended early");
  }
  return Buffer.concat(chunks);
}

async function write(
  response: Http2ServerResponse,
  reply: Reply,
  headOnly: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { status, type = "application/json", headers = {}, warnings = [], body } = reply;
  response.statusCode = status;
  response.setHeader("content-type", type);
  if (headers["cache-control"] === undefined) response.setHeader("cache-control", "no-cache, private");
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (warnings.length > 0) response.setHeader("warning", warnings.slice(0, MOST_WARNINGS).map(warning));
  if (typeof body === "string") {
    if (status !== 304) response.setHeader("content-length", Buffer.byteLength(body));
    if (headOnly || status === 304) response.end();
    else response.end(body);
    return;
  }
  flushHeaders(response);
  for await (const line of body) {
    if (signal.aborted) break;
    // A reader that does not read holds up its own lines and nobody else's: they wait in the log, not in memory.
    if (!response.write(line)) await once(response, "drain", { signal }).catch(() => undefined);
  }
  response.end();
}

/** Watchers wait for the headers before the first event. The types know this method for HTTP/1.1 only. */
function flushHeaders(response: Http2ServerResponse & { readonly flushHeaders?: () => void }): void {
  response.flushHeaders?.();
}

const MOST_WARNINGS = 20;

/** **Source:** RFC 7234, section 5.5; kubectl prints the text. */
function warning(text: string): string {
  const printable = text.replaceAll(/[^\x20-\x7e]/g, "?").replaceAll(/["\\]/g, "\\$&");
  return `299 - "${printable}"`;
}
