/**
 * A serial server for devices that do not exist: examples and tests read it. On Linux, `openPty` puts a real serial port
 * before it, by means of `socat`.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { Fault } from "#std/fault";
import { type Endpoint, listen } from "#std/listen";
import { type Log, silent } from "#std/log";
import { openFramer } from "./framing.ts";

/** A device at the end of a serial line. Texts are Latin-1. */
export interface SerialDevice {
  /** What a request ends in. @default CR LF */
  readonly end?: string;
  /** What it answers to a request, which is given without its end; undefined when it is silent. */
  answer(request: string): string | undefined;
}

/** What is simulated, and where. */
export interface SerialSimulatorOptions extends Endpoint {
  readonly device: SerialDevice;
  /** @default silent */
  readonly log?: Log;
}

/** A simulator that is listening. */
export interface SerialSimulator extends AsyncDisposable, Endpoint {
  /** Requests that came so far. */
  readonly asked: number;
  /** Sends what nobody asked for, to everybody who is connected; false when nobody is. */
  say(text: string): boolean;
  /** Ends every connection, as a cable does that is pulled. */
  hangUp(): void;
}

/** Bytes of a request; what is longer is none. */
const LONGEST_REQUEST = 4_096;

/** Opens a simulator. Port 0 takes any free one. @throws {Fault} `PORT_IN_USE`, `PERMISSION_MISSING`, `CONFIG_INVALID`. */
export async function openSerialSimulator(options: SerialSimulatorOptions): Promise<SerialSimulator> {
  const { device, log = silent } = options;
  const sockets = new Set<Socket>();
  let asked = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", (error) => log.debug("serial client gone", { error }));
    const delimiter = device.end ?? "\r\n";
    const framer = openFramer({ by: "delimiter", delimiter, longest: LONGEST_REQUEST }, (request) => {
      asked++;
      const answer = device.answer(request.toString("latin1"));
      if (answer !== undefined) socket.write(answer, "latin1");
    });
    socket.on("data", (chunk: Buffer) => framer.push(chunk));
  });
  const { host, port } = await listen(server, options, "the serial simulator");
  return {
    host,
    port,
    get asked() {
      return asked;
    },
    say(text) {
      for (const socket of sockets) socket.write(text, "latin1");
      return sockets.size > 0;
    },
    hangUp,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.close();
      hangUp();
      await once(server, "close");
    },
  };

  function hangUp(): void {
    for (const socket of sockets) socket.destroy();
  }
}

/** A serial port before a simulator. Disposing it takes the port away, as pulling a USB adapter does. */
export interface Pty extends AsyncDisposable {
  readonly path: string;
}

/** Puts a serial port before a simulator. @throws {Fault} `CONFIG_INVALID` when `socat` is not installed. */
export async function openPty({ host, port }: Endpoint): Promise<Pty> {
  const socat = spawn("socat", ["-d", "-d", "pty,raw,echo=0", `tcp:${host}:${port},nodelay`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(socat, "close").catch((cause: unknown) => {
    throw new Fault("CONFIG_INVALID", "socat can not be started: install the package socat", { cause });
  });
  const path = await Promise.race([pathIn(createInterface(socat.stderr)), ended.then(() => undefined)]);
  if (path === undefined) throw new Fault("CONFIG_INVALID", "socat has made no serial port");
  return {
    path,
    async [Symbol.asyncDispose]() {
      socat.kill();
      await ended;
    },
  };
}

async function pathIn(lines: AsyncIterable<string>): Promise<string | undefined> {
  let path: string | undefined;
  for await (const line of lines) {
    path ??= / PTY is (\S+)/.exec(line)?.[1];
    if (path !== undefined && line.includes("starting data transfer loop")) return path;
  }
  return undefined;
}
