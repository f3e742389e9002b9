/** A request and its answer, without the wire. */
import type { IncomingHttpHeaders } from "node:http";
import type { User } from "../api.ts";

/** A request of somebody known. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly user: User;
  /** Reads the body. @throws {StatusError} 413 when it is too large. */
  readonly body: () => Promise<Buffer>;
  /** Aborts when the client goes away or the server closes. */
  readonly signal: AbortSignal;
}

/** An answer: a text, or lines that come as things happen. */
export interface Reply {
  readonly status: number;
  /** @default "application/json" */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What the client should be warned of. */
  readonly warnings?: readonly string[];
  readonly body: string | AsyncIterable<string>;
}

/** An answer in JSON. */
export function json(value: unknown, status = 200): Reply {
  return { status, body: JSON.stringify(value) };
}
