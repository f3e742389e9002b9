import { Pool } from "undici";

/** Whom a client trusts and what it shows; PEM texts. */
export interface ClientTls {
  /** @default the authorities that Node brings along */
  readonly authority?: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Name to expect in the server's certificate. @default the host of the URL */
  readonly servername?: string;
}

/** One request. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path with query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Longest silence in the answer, in milliseconds; 0 is any. @default 30,000 */
  readonly silenceMs?: number;
}

/** An answer whose body has not been read. Read it to the end or abort the request: it holds a connection. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array>;
  text(): Promise<string>;
}

/** An HTTP client for one server. Disposing it ends its connections and what runs on them. */
export interface HttpClient extends AsyncDisposable {
  /** Rejects with the network's error when there is no answer. */
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
}

export interface HttpClientOptions {
  /** Such as `https://127.0.0.1:6443`; a path in it is ignored. */
  readonly url: string;
  readonly tls?: ClientTls;
  /** Connections at once. @default 16 */
  readonly connections?: number;
}

const CONNECT_MS = 10_000;
const ANSWER_MS = 30_000;

/** Opens a client. It connects when it is first used. */
export function openHttpClient({ url, tls = {}, connections = 16 }: HttpClientOptions): HttpClient {
  const { authority: ca, certificate: cert, key, servername } = tls;
  const pool = new Pool(new URL(url).origin, {
    connections,
    headersTimeout: ANSWER_MS,
    connect: {
      timeout: CONNECT_MS,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
    },
  });
  return {
    async request({ method, path, headers = {}, body, silenceMs = ANSWER_MS }, signal) {
      const answer = await pool.request({
        method,
        path,
        headers,
        signal,
        bodyTimeout: silenceMs,
        ...(body === undefined ? {} : { body }),
      });
      return { status: answer.statusCode, body: answer.body, text: () => answer.body.text() };
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  };
}
