import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Endpoint } from "#std/listen";
import type { Log } from "#std/log";
import { isAbort, Scope } from "#std/scope";
import type { Credentials } from "#std/x509";
import { type Carrier, type CarrierTls, openCarrierServer } from "#wire/carrier";
import { encodeFrame } from "#wire/frame";
import type { CloudMessage, EdgeMessage, Range } from "#wire/messages";
import { agree, type Hello, readHello, Session } from "./session.ts";

/** The cloud's end of every node's connection. Nodes dial; the cloud never does. */
export interface Tunnel extends Endpoint, AsyncDisposable {
  /** The nodes that are connected now, by name. */
  readonly sessions: ReadonlyMap<string, Session>;
  isConnected(node: string): boolean;
  /** False when the node is not connected: then its whole truth is sent when it comes back. */
  send(node: string, message: CloudMessage): boolean;
  /** Shows another certificate to those who connect from now on. */
  present(credentials: Credentials): void;
}

/** What happens at the tunnel, in order for each node. */
export type TunnelEvent =
  | { readonly on: "connected"; readonly node: string; readonly session: Session }
  | { readonly on: "disconnected"; readonly node: string; readonly reason: string }
  | {
      readonly on: "message";
      readonly node: string;
      readonly session: Session;
      readonly message: Exclude<EdgeMessage, { kind: "hello" | "ping" }>;
    };

export interface TunnelOptions extends Endpoint {
  readonly tls: CarrierTls;
  /** Name and version of this program, told to the nodes. */
  readonly program: string;
  /** Whether a certificate's name may connect, and stay, beyond having a certificate. */
  readonly admits: (node: string) => boolean;
  /** Takes the process behind a hello for the node. @throws {Fault} `NODE_DUPLICATE` when another one is. */
  readonly enter: (node: string, hello: Hello) => Promise<void>;
  /** Told when a second machine has the identity of a node. */
  readonly duplicate: (node: string, fault: Fault) => void;
  /** What the cloud holds of a node's history. */
  readonly have: (node: string, epoch: string) => readonly Range[];
  /** Takes what happens. A message is done, and the next one read, when it resolves. What it throws costs the connection. */
  readonly handle: (event: TunnelEvent, signal: AbortSignal) => Promise<void>;
  readonly log: Log;
  readonly clock: Clock;
}

const HELLO_MS = 10_000;
const PING_MS = 10_000;
/** With the beat, and on a busy machine, it is found within 25 s. */
const SILENCE_MS = 23_000;
const BEAT_MS = 1_000;
/** A machine that is there answers within this, however busy its node is. Shorter than a node waits for its welcome. */
const ANSWER_MS = 5_000;

/** Opens the tunnel. What is returned is listening; disposing it closes every connection. */
export async function openTunnel(options: TunnelOptions): Promise<Tunnel> {
  const { host, port, tls, program, have, handle, clock } = options;
  const log = options.log.with({ part: "tunnel" });
  const scope = new Scope();
  const sessions = new Map<string, Session>();

  async function serve(carrier: Carrier, signal: AbortSignal): Promise<void> {
    const node = carrier.peer;
    try {
      if (!options.admits(node)) throw new Fault("IDENTITY_REFUSED", `${node} is not a node of this cloud`);
      const hello = await greeted(carrier, signal);
      const version = agree(hello.version);
      const session = new Session(carrier, hello, clock);
      await yieldTo(session, carrier.address, signal);
      await options.enter(node, hello);
      sessions.get(node)?.close("a newer connection of this node took over");
      sessions.set(node, session);
      log.info("node connected", { node, program: hello.program, version, epoch: hello.epoch });
      try {
        session.send({ kind: "welcome", version, program, have: [...have(node, hello.epoch)] });
        await handle({ on: "connected", node, session }, signal);
        await listen(session, signal);
      } finally {
        await leave(session, signal);
      }
    } catch (error) {
      if (isAbort(error, signal)) return carrier.close("the cloud goes down");
      if (Fault.is(error, "NODE_DUPLICATE")) options.duplicate(node, error);
      else log.warn("connection ended", { node, error });
      if (Fault.is(error)) carrier.send(encodeFrame({ kind: "refused", code: error.code, message: error.message }));
      carrier.close(Fault.is(error) ? error.code : "internal");
    }
  }

  /**
   * A process that is here stays, as long as its machine answers: two machines with one identity must not take each
   * other over for ever. One that comes back over a new connection takes the place of its old one at once.
   */
  async function yieldTo({ node, run }: Session, address: string, signal: AbortSignal): Promise<void> {
    for (let older = sessions.get(node); older && older.run !== run; ) {
      if (await older.answers(ANSWER_MS, signal))
        throw new Fault("NODE_DUPLICATE", `another machine speaks for ${node}, and is connected; this is ${address}`);
      const present = sessions.get(node);
      if (present === older) return;
      older = present;
    }
  }

  /** A connection that does not say `hello` in time is no node. */
  async function greeted(carrier: Carrier, signal: AbortSignal) {
    const late = new AbortController();
    void clock.sleep(HELLO_MS, AbortSignal.any([late.signal, signal])).then(
      () => carrier.close("no hello"),
      () => {},
    );
    try {
      return await readHello(carrier);
    } finally {
      late.abort();
    }
  }

  async function listen(session: Session, signal: AbortSignal): Promise<void> {
    const { node } = session;
    for await (const message of session.messages()) {
      signal.throwIfAborted();
      if (message.kind === "ping") continue;
      if (message.kind === "hello") throw new Fault("FRAME_INVALID", `${node} said hello twice`);
      await handle({ on: "message", node, session, message }, signal);
    }
  }

  async function leave(session: Session, signal: AbortSignal): Promise<void> {
    const { node } = session;
    const reason = session.end ?? "the node closed or was lost";
    session.close(reason);
    // A newer connection may have taken the place; then the node is still here.
    if (sessions.get(node) !== session) return;
    sessions.delete(node);
    log.info("node disconnected", { node, reason });
    await handle({ on: "disconnected", node, reason }, signal);
  }

  async function beat(signal: AbortSignal): Promise<void> {
    for (;;) {
      await clock.sleep(BEAT_MS, signal);
      for (const session of sessions.values()) {
        if (!options.admits(session.node)) session.close("the node was shut out");
        else if (session.silentMs > SILENCE_MS) session.close(`nothing was heard for ${SILENCE_MS / 1000} s`);
        else if (session.quietMs > PING_MS) session.send({ kind: "ping" });
      }
    }
  }

  scope.run("heartbeat", beat);
  const server = await openCarrierServer({ host, port, tls, log }, (carrier) =>
    scope.run(`node ${carrier.peer}`, (signal) => serve(carrier, signal)),
  );
  return {
    host,
    port: server.port,
    sessions,
    present: (credentials) => server.present(credentials),
    isConnected: (node) => sessions.has(node),
    send: (node, message) => sessions.get(node)?.send(message) ?? false,
    async [Symbol.asyncDispose]() {
      scope.abort();
      for (const session of sessions.values()) session.close("the cloud goes down");
      await server[Symbol.asyncDispose]();
      await scope[Symbol.asyncDispose]();
    },
  };
}
