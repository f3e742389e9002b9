/** Bytes in both directions without any frame: a socket or a serial port, as {@link overLine} needs it. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Fault } from "#std/fault";
import type { Endpoint } from "#std/listen";

/** An open channel. Disposing it, once or twice, closes it. */
export interface Channel extends AsyncDisposable {
  /** Bytes written that are not out yet. */
  readonly unsent: number;
  write(bytes: Uint8Array): void;
  /** Sets who gets the bytes. */
  onData(take: (chunk: Buffer) => void): void;
  /** Sets who is told, once, that the channel is gone. */
  onLost(tell: (fault: Fault) => void): void;
}

/** Idle time after which the kernel asks whether the other side is still there. */
const KEEP_ALIVE_MS = 10_000;

/** Opens a TCP connection. @throws {Fault} `LINK_LOST` when nobody is there. */
export async function openSocket({ host, port }: Endpoint, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  try {
    await once(socket, "connect", { signal });
    return socket;
  } catch (cause) {
    // A socket that is destroyed while it connects may still fail; nobody is left who would care.
    socket.on("error", () => {}).destroy();
    signal.throwIfAborted();
    throw new Fault("LINK_LOST", `nobody answers at ${host}:${port} (${reason(cause)})`, { cause, host, port });
  }
}

/** A socket as a channel; owns the socket. */
export function socketChannel(socket: Socket, { host, port }: Endpoint): Channel {
  let lost: Fault | undefined;
  let tell: ((fault: Fault) => void) | undefined;
  const lose = (how: string, cause?: unknown) => {
    socket.destroy();
    if (lost) return;
    lost = new Fault("LINK_LOST", `${host}:${port} ${how}`, { cause, host, port });
    tell?.(lost);
  };
  socket.on("error", (cause) => lose(`is gone (${reason(cause)})`, cause));
  socket.on("end", () => lose("closed the connection"));
  socket.on("close", () => lose("closed the connection"));
  return {
    get unsent() {
      return socket.writableLength;
    },
    write: (bytes) => void socket.write(bytes),
    onData: (take) => void socket.on("data", take),
    onLost(told) {
      tell = told;
      if (lost) told(lost);
    },
    async [Symbol.asyncDispose]() {
      lose("was closed here");
      if (!socket.closed) await once(socket, "close");
    },
  };
}

/** Why a socket failed, in one word. */
export function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return "code" in cause && typeof cause.code === "string" ? cause.code : cause.message;
}
