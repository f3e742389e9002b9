import { Fault } from "#std/fault";
import { parse, type Schema } from "#std/schema";
import { type HttpAnswer, openHttpClient } from "#std/undici";
import { createRequest, fingerprint } from "#std/x509";
import { authorityAnswer, authorityPath, joinAnswer, joinPath, parseToken } from "#wire/join";
import type { Identity } from "./identity.ts";

const TIMEOUT_MS = 15_000;
const LIMIT_BYTES = 64 * 1024;
const WHERE = "Check the network, and that it is the port for joins (7444 if not configured), not that of the tunnel.";

/**
 * Joins a cloud: learns its authority, compares it with the token's fingerprint, and only then shows the token.
 * @param url - where the cloud takes joins, such as `https://cloud.example.com:7444`.
 * @throws {Fault} `TOKEN_INVALID`, `IDENTITY_REFUSED` when it is not the cloud of the token, `UPLINK_LOST`.
 */
export async function joinCloud(url: string, token: string, signal: AbortSignal): Promise<Identity> {
  const { fingerprint: pinned } = parseToken(token);
  // In plain text, because nothing could vouch for the answer but the token's fingerprint, and that does.
  const asked = { url: url.replace(/^https:/, "http:"), path: authorityPath, answer: authorityAnswer };
  const { authority } = await ask(asked, signal);
  if (!isPinned(authority, pinned))
    throw new Fault("IDENTITY_REFUSED", `${url} is not the cloud that made the token: its authority is another`);
  const { request, key } = await createRequest("node");
  const body = { token, request };
  const { node, certificate, tunnel } = await ask({ url, path: joinPath, answer: joinAnswer, authority, body }, signal);
  return { node, certificate, key, authority, tunnel };
}

function isPinned(authority: string, pinned: string): boolean {
  try {
    return fingerprint(authority) === pinned;
  } catch {
    return false;
  }
}

interface Question<T> {
  readonly url: string;
  readonly path: string;
  readonly answer: Schema<T>;
  /** Whom to trust. Without it the question is asked in plain text and the answer proves nothing by itself. */
  readonly authority?: string;
  readonly body?: object;
}

async function ask<T>({ url, path, answer, authority, body }: Question<T>, signal: AbortSignal): Promise<T> {
  await using client = openHttpClient({ url, ...(authority === undefined ? {} : { tls: { authority } }) });
  const sent = body
    ? ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) } as const)
    : ({ method: "GET" } as const);
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const reply = await client.request({ path, ...sent }, limit);
    const text = await limited(reply);
    if (reply.status >= 400) throw refusal(url, reply.status, text);
    return parse(answer, JSON.parse(text), `the answer of ${url}`, "MESSAGE_INVALID");
  } catch (cause) {
    if (Fault.is(cause)) throw cause;
    signal.throwIfAborted();
    const message = cause instanceof Error ? cause.message || String(cause.cause) : String(cause);
    const code = /cert|self.signed|verify/i.test(message) ? "IDENTITY_REFUSED" : "UPLINK_LOST";
    // People know it by the URL that they gave.
    const given = url.replace(/^http:/, "https:");
    throw new Fault(code, `${given} did not take the join: ${message}`, {
      cause,
      ...(code === "UPLINK_LOST" ? { hint: WHERE } : {}),
    });
  }
}

async function limited({ body }: HttpAnswer): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
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
