/** An open serial line: bytes out, bytes in, and one end. What carries it, a port or a serial server, is decided here. */
import { once } from "node:events";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { Fault } from "#std/fault";
import { choosePort } from "#std/serial-port";
import type { Ports } from "./port.ts";
import type { SerialLink } from "./schema/link.ts";

/** A line that is open. Owned by one connection. */
export interface Line extends AsyncDisposable {
  /** Where it leads, for messages. */
  readonly name: string;
  /** How long 3.5 characters take: a shorter pause is none. */
  readonly gapMs: number;
  /** Whether it leads through a network, where the other end may vanish without a word. */
  readonly isRemote: boolean;
  /** @throws {Fault} `LINK_LOST` when the line is gone. */
  send(bytes: Uint8Array): void;
  /** Sets who gets the bytes, and who is told once that the line is gone. */
  listen(take: (chunk: Buffer) => void, lost: (fault: Fault) => void): void;
  /** Ends the line, for a reason that is told to everybody. */
  lose(how: string): Fault;
}

/** Idle time after which the kernel asks whether a serial server is still there. */
const KEEP_ALIVE_MS = 10_000;

/** Bytes that may wait for a line that does not take them. */
const MOST_UNSENT_BYTES = 65_536;

/** Opens the line of a link. @throws {Fault} `LINK_LOST` when it is not there, `PERMISSION_MISSING`. */
export async function openLine(link: SerialLink, ports: Ports, signal: AbortSignal): Promise<Line> {
  signal.throwIfAborted();
  if (link.host !== undefined) return await openServer(link.host, link.port, signal);
  const path = link.path ?? (await abortable(pathOf(link, ports), signal));
  const opening = ports.open(path, link);
  try {
    const stream = await abortable(opening, signal);
    // 11 bits are a character with its start, parity and stop bits.
    return overStream(stream, { name: path, gapMs: Math.ceil((3.5 * 11 * 1000) / link.baudRate), isRemote: false });
  } catch (cause) {
    // Given up while it opened: then nobody would ever close it.
    opening.then((late) => late.on("error", () => {}).destroy()).catch(() => {});
    signal.throwIfAborted();
    const text = reason(cause);
    if (/permission denied|EACCES/i.test(text))
      throw new Fault(
        "PERMISSION_MISSING",
        `${path} may not be opened by this user (${text}): make it a member of the port's group, often dialout`,
        { cause, path },
      );
    const others = await othersOf(ports, path);
    throw new Fault("LINK_LOST", `${path} can not be opened (${text})${others}`, { cause, path });
  }
}

async function openServer(host: string, port: number, signal: AbortSignal): Promise<Line> {
  const name = `${host}:${port}`;
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  try {
    await once(socket, "connect", { signal });
  } catch (cause) {
    socket.on("error", () => {}).destroy();
    signal.throwIfAborted();
    throw new Fault("LINK_LOST", `nobody answers at ${name} (${reason(cause)})`, { cause, host, port });
  }
  return overStream(socket, { name, gapMs: 0, isRemote: true });
}

/** Which ports there are instead, in words. */
async function othersOf(ports: Ports, path: string): Promise<string> {
  const listed = await ports.list().catch(() => []);
  if (listed.some((port) => port.path === path)) return "";
  const paths = listed.map((port) => port.path);
  return paths.length === 0 ? "; this machine shows no serial port" : `; this machine shows ${paths.join(", ")}`;
}

/** The present path of a USB adapter. */
async function pathOf({ usb }: SerialLink, ports: Ports): Promise<string> {
  if (!usb) throw new Fault("CONFIG_INVALID", "the link has neither path, usb nor host");
  const found = choosePort(await ports.list(), usb);
  if (typeof found === "string") throw new Fault("LINK_LOST", found, { ...usb });
  return found.path;
}

/** Waits for something that can not be stopped, until the signal aborts. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A line over an open stream; owns the stream. */
function overStream(stream: Duplex, { name, gapMs, isRemote }: Pick<Line, "name" | "gapMs" | "isRemote">): Line {
  let gone: Fault | undefined;
  let tell: ((fault: Fault) => void) | undefined;

  stream.on("error", (cause) => end(`is gone (${reason(cause)})`, cause));
  stream.on("end", () => end("was closed by the other side"));
  stream.on("close", () => end("is gone"));

  return {
    name,
    gapMs,
    isRemote,
    send(bytes) {
      if (!gone && stream.writableLength > MOST_UNSENT_BYTES) end("does not take what is sent");
      if (gone) throw gone;
      stream.write(bytes);
    },
    listen(take, lost) {
      tell = lost;
      stream.on("data", take);
      if (gone) lost(gone);
    },
    lose: (how) => end(how),
    async [Symbol.asyncDispose]() {
      end("was closed here");
      if (!stream.closed) await once(stream, "close");
    },
  };

  function end(how: string, cause?: unknown): Fault {
    if (gone) return gone;
    gone = new Fault("LINK_LOST", `${name} ${how}`, { cause });
    stream.destroy();
    tell?.(gone);
    return gone;
  }
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if ("code" in cause && typeof cause.code === "string") return cause.code;
  // As serialport puts it: "Error: No such file or directory, cannot open /dev/ttyUSB0".
  return cause.message.replace(/^Error: /, "").replace(/, cannot open .*$/i, "");
}
