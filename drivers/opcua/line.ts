/**
 * One session with a server, and how it is kept. A broken connection is healed within the session, so that the server's
 * queues are not lost: the stack opens a channel, activates the same session and has messages repeated. That has
 * `healMs`; then, and whenever the server has forgotten the session, the line is lost and the caller opens a new one.
 *
 * A new session is never made in here: after a restart the server may number its namespaces anew, and what was subscribed
 * by number would be other nodes under the old names. The stack's own repair does just that.
 */
import { Fault } from "#std/fault";
import { abortable, type Dialled, hangUp } from "./dial.ts";
import { type ClientSession, refusalOf, type Stack } from "./stack.ts";
import { faultOf, isGone } from "./status.ts";

/** How long a line is waited for, in milliseconds. */
export interface Patience {
  /** How long the stack may try to get a broken connection back. Below the session's 60 s: the server still knows it. */
  readonly healMs: number;
  /** Without one byte for so long the line is dead, whatever TCP thinks. */
  readonly silentMs: number;
  /** A ping after this much idleness; an answer of any kind counts as one. */
  readonly pingMs: number;
}

export const PATIENCE: Patience = { healMs: 10_000, silentMs: 12_000, pingMs: 5_000 };

const LOOKS = 10;

/** What a server takes in one request. **Source:** OPC 10000-5 v1.05, §6.3.11 (OperationLimitsType). */
export interface Limits {
  perRead: number;
  perMonitor: number;
  perBrowse: number;
}

const MOST_PER_CALL = 1_000;
/** The attribute that holds a node's value. **Source:** OPC 10000-6 v1.05, annex A.1. */
export const VALUE = 13;

/** An open session. Disposing it, once or twice, closes it. */
export interface Line extends AsyncDisposable {
  readonly stack: Stack;
  readonly session: ClientSession;
  readonly namespaces: readonly string[];
  readonly limits: Limits;
  /** Aborts when the line is lost; its reason is the fault. */
  readonly lost: AbortSignal;
  /** Ends the line; who waits is told, and so is who comes later. */
  lose(how: string, cause?: unknown): Fault;
  /**
   * Asks the server, and waits no longer than the signal and the line live.
   * @throws {Fault} `LINK_LOST`; another when the server refuses the whole call, with its status in `detail.status`.
   */
  ask<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Calls back after each healing. */
  onHealed(callback: () => void): Disposable;
}

export interface LineOptions {
  /** Of the server, for messages. */
  readonly url: string;
  readonly patience: Patience;
}

/** Keeps a session. */
export async function openLine(
  stack: Stack,
  dialled: Dialled,
  options: LineOptions,
  signal: AbortSignal,
): Promise<Line> {
  const { url, patience } = options;
  const { client, session } = dialled;
  const lost = new AbortController();
  const healed = new Set<() => void>();
  let closing: Promise<void> | undefined;
  let heardAt = performance.now();
  let brokenAt: number | undefined;

  const lose = (how: string, cause?: unknown): Fault => {
    if (!lost.signal.aborted) {
      clearInterval(watchdog);
      lost.abort(new Fault("LINK_LOST", `${url} ${how}`, { cause }));
      closing = hangUp(client, session);
    }
    return lost.signal.reason as Fault;
  };
  const watchdog = setInterval(() => {
    const now = performance.now();
    if (brokenAt !== undefined && now - brokenAt > patience.healMs)
      lose(`did not come back within ${patience.healMs} ms`);
    else if (brokenAt === undefined && now - heardAt > patience.silentMs)
      lose(`has said nothing for ${patience.silentMs} ms`);
  }, patience.healMs / LOOKS);
  watchdog.unref();

  client.on("receive_chunk", () => {
    heardAt = performance.now();
  });
  client.on("connection_lost", () => {
    brokenAt ??= performance.now();
  });
  client.on("close", () => lose("closed the connection"));
  client.on("connection_reestablished", () => void verify());
  session.on("session_closed", (status) => lose(`closed the session (${status.name})`));
  refuseNewSessions(client, () => lose("has forgotten the session: it was restarted, or the session expired"));

  const ask = async <T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> => {
    signal.throwIfAborted();
    lost.signal.throwIfAborted();
    try {
      return await abortable(signal, () => abortable(lost.signal, call));
    } catch (cause) {
      if (signal.aborted || lost.signal.aborted || Fault.is(cause)) throw cause;
      const status = refusalOf(cause);
      if (status && !isGone(status.name)) throw faultOf(status, url);
      throw lose(`is gone (${status?.name ?? reason(cause)})`, cause);
    }
  };

  /** The same session can not have other namespaces; a server that does it anyway would give us other nodes' values. */
  async function verify(): Promise<void> {
    try {
      const now = await session.readNamespaceArray();
      if (now.join("\n") !== namespaces.join("\n")) lose("has numbered its namespaces anew");
    } catch (cause) {
      lose(`is gone (${reason(cause)})`, cause);
    }
    brokenAt = undefined;
    heardAt = performance.now();
    if (!lost.signal.aborted) for (const callback of healed) callback();
  }

  const close = async () => {
    lose("was closed here");
    await closing;
  };
  let namespaces: readonly string[] = [];
  try {
    namespaces = await ask(() => session.readNamespaceArray(), signal);
    const limits = await limitsOf(session, ask, signal);
    return {
      stack,
      session,
      namespaces,
      limits,
      lost: lost.signal,
      lose,
      ask,
      onHealed(callback) {
        healed.add(callback);
        return { [Symbol.dispose]: () => healed.delete(callback) };
      },
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    lose("was closed here");
    throw error;
  }
}

/** The stack asks this hook before it fills a new session with the old subscriptions. */
function refuseNewSessions(client: Dialled["client"], forgotten: () => Fault): void {
  Object.assign(client, { beforeSubscriptionRecreate: async () => forgotten() });
}

/** **Source:** OPC 10000-6 v1.05, annex A.3 (Server_ServerCapabilities_OperationLimits_...). */
const limitNodes = { perRead: "i=11705", perBrowse: "i=11710", perMonitor: "i=11714" } as const;

/** Asked one by one: a server that takes few nodes at once would refuse the question. */
async function limitsOf(session: ClientSession, ask: Line["ask"], signal: AbortSignal): Promise<Limits> {
  const limits = { perRead: MOST_PER_CALL, perBrowse: MOST_PER_CALL, perMonitor: MOST_PER_CALL };
  for (const [name, nodeId] of Object.entries(limitNodes) as [keyof Limits, string][]) {
    const { value } = await ask(() => session.read({ nodeId, attributeId: VALUE }), signal);
    const most = Number(value?.value ?? 0);
    if (most > 0) limits[name] = Math.min(most, MOST_PER_CALL);
  }
  return limits;
}

function reason(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return /\bBad[A-Z]\w+/.exec(message)?.[0] ?? message.split("\n")[0] ?? message;
}
