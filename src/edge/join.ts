import { Agent, request } from "undici";
import { Fault } from "#std/fault";
import { parse, type Schema } from "#std/schema";
import { createRequest, fingerprint } from "#std/x509";
import { authorityAnswer, authorityPath, joinAnswer, joinPath, parseToken } from "#wire/join";
import type { Identity } from "./identity.ts";

const TIMEOUT_MS = 15_000;
const LIMIT_BYTES = 64 * 1024;

/**
 * Joins a cloud: learns its authority, compares it with the token's fingerprint, and only then shows the token.
 * @param url - where the cloud takes joins, such as `https://cloud.example.com:7444`.
 * @throws {Fault} `TOKEN_INVALID`, `IDENTITY_REFUSED` when it is not the cloud of the token, `UPLINK_LOST`.
 */
export async function joinCloud(url: string, token: string, signal: AbortSignal): Promise<Identity> {
  const { fingerprint: pinned } = parseToken(token);
  const { authority } = await ask(url, authorityPath, authorityAnswer, { signal });
  if (fingerprint(authority) !== pinned)
    throw new Fault("IDENTITY_REFUSED", `${url} is not the cloud that made the token: its authority is another`);
  const { request: csr, key } = await createRequest("node");
  const body = { token, request: csr };
  const { node, certificate, tunnel } = await ask(url, joinPath, joinAnswer, { authority, body, signal });
  return { node, certificate, key, authority, tunnel };
}

interface Asking {
  /** Without it the answer is not trusted: whoever asks compares a fingerprint. */
  readonly authority?: string;
  readonly body?: object;
  readonly signal: AbortSignal;
}

async function ask<T>(url: string, path: string, answer: Schema<T>, { authority, body, signal }: Asking): Promise<T> {
  // The first question asks for the authority itself, so nothing can vouch for the answer but the token's fingerprint;
  // no secret is sent before that is compared.
  const connect = authority === undefined ? { rejectUnauthorized: false } : { ca: authority };
  const dispatcher = new Agent({ connect: { ...connect, minVersion: "TLSv1.3", timeout: TIMEOUT_MS } });
  try {
    const { statusCode, body: reply } = await request(new URL(path, url), {
      dispatcher,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      ...(body
        ? { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
        : { method: "GET" }),
    });
    const text = await limited(reply);
    if (statusCode >= 400) throw refusal(url, statusCode, text);
    return parse(answer, JSON.parse(text), `the answer of ${url}`, "MESSAGE_INVALID");
  } catch (cause) {
    if (Fault.is(cause)) throw cause;
    signal.throwIfAborted();
    const message = cause instanceof Error ? cause.message || String(cause.cause) : String(cause);
    const code = /cert|self.signed|verify/i.test(message) ? "IDENTITY_REFUSED" : "UPLINK_LOST";
    throw new Fault(code, `${url} did not take the join: ${message}`, { cause });
  } finally {
    await dispatcher.destroy();
  }
}

async function limited(reply: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of reply) {
    bytes += part.length;
    if (bytes > LIMIT_BYTES) throw new Fault("MESSAGE_INVALID", `the answer is over ${LIMIT_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function refusal(url: string, status: number, text: string): Fault {
  let title = `it answered ${status}`;
  try {
    const problem = JSON.parse(text) as { title?: unknown };
    if (typeof problem.title === "string") title = problem.title;
  } catch {
    // The status says enough.
  }
  return new Fault(status === 401 ? "TOKEN_INVALID" : "IDENTITY_REFUSED", `${url} refused the join: ${title}`);
}
