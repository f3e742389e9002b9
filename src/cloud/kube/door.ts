import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import { type HttpAnswer, type HttpClient, type HttpRequest, openHttpClient } from "#std/undici";
import type { Access, Credentials } from "./kubeconfig.ts";
import { refusal, unreachable } from "./refusal.ts";

/** Names us in `managedFields` and audit logs. */
export const PROGRAM = "skerry-cloud";

const CREDENTIALS_MS = 60_000;
const ANSWER_LIMIT_BYTES = 256 * 1024 * 1024;
const LINE_LIMIT_BYTES = 16 * 1024 * 1024;

interface Shown {
  readonly client: HttpClient;
  readonly credentials: Credentials;
  /** When we looked, by the monotonic clock. */
  readonly at: number;
}

/** Shows the credentials, renews them, and replaces the connections when the certificate changed. */
export class Door implements AsyncDisposable {
  readonly #access: Access;
  readonly #clock: Pick<Clock, "monotonic">;
  #shown: Shown | undefined;
  #looking: Promise<Shown> | undefined;

  constructor(access: Access, clock: Pick<Clock, "monotonic">) {
    this.#access = access;
    this.#clock = clock;
  }

  /** The answer's JSON. @throws {Fault} `CLUSTER_UNREACHABLE`, `CLUSTER_REFUSED`. */
  async ask(what: string, request: HttpRequest, signal: AbortSignal): Promise<unknown> {
    const answer = await this.#open(what, request, signal);
    const text = await textOf(answer).catch((cause: unknown) => {
      throw unreachable(what, cause, signal);
    });
    if (answer.status >= 400) throw refusal(what, answer.status, text);
    return parseJson(what, text);
  }

  /** The answer's lines of JSON as they come. @throws {Fault} as `ask`. */
  async *stream(what: string, request: HttpRequest, signal: AbortSignal): AsyncGenerator<unknown, void, void> {
    const answer = await this.#open(what, request, signal);
    try {
      if (answer.status >= 400) throw refusal(what, answer.status, await answer.text());
      for await (const line of lines(answer.body)) yield parseJson(what, line);
    } catch (cause) {
      throw unreachable(what, cause, signal);
    }
  }

  async #open(what: string, request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    signal.throwIfAborted();
    const { client, credentials } = await this.#credentials();
    // A base path, as proxies in front of several clusters have it.
    const base = new URL(this.#access.url).pathname.replace(/\/$/, "");
    const headers = { accept: "application/json", "user-agent": PROGRAM, ...credentials.headers, ...request.headers };
    try {
      const answer = await client.request({ ...request, path: base + request.path, headers }, signal);
      if (answer.status === 401) this.#shown = this.#shown && { ...this.#shown, at: Number.NEGATIVE_INFINITY };
      return answer;
    } catch (cause) {
      throw unreachable(what, cause, signal);
    }
  }

  /** One look at the credentials at a time, however many ask. */
  #credentials(): Promise<Shown> {
    const fresh = this.#shown && this.#clock.monotonic() - this.#shown.at < CREDENTIALS_MS;
    if (fresh && this.#shown) return Promise.resolve(this.#shown);
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<Shown> {
    const credentials = await this.#access.credentials();
    const old = this.#shown;
    const same = old && JSON.stringify(old.credentials.tls) === JSON.stringify(credentials.tls);
    const client = same ? old.client : openHttpClient({ url: this.#access.url, tls: credentials.tls });
    if (old && !same) await old.client[Symbol.asyncDispose]();
    this.#shown = { client, credentials, at: this.#clock.monotonic() };
    return this.#shown;
  }

  async [Symbol.asyncDispose]() {
    await this.#shown?.client[Symbol.asyncDispose]();
  }
}

async function textOf(answer: HttpAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += chunk.length;
    if (bytes > ANSWER_LIMIT_BYTES) throw new Error(`the answer is over ${ANSWER_LIMIT_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function* lines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  for await (const chunk of body) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(10, start); end >= 0; end = rest.indexOf(10, start)) {
      if (end > start) yield rest.toString("utf8", start, end);
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > LINE_LIMIT_BYTES) throw new Error(`a line of the watch is over ${LINE_LIMIT_BYTES} bytes`);
  }
}

function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Fault("CLUSTER_UNREACHABLE", `${what}: the answer is no JSON: ${text.slice(0, 80)}`, { cause });
  }
}
