/**
 * Modbus over TCP, on our own frames. The `modbus-serial` package was refused for this: it accepts any protocol id,
 * trips on a byte count that lies, and its transaction ids wrap at 256, so that a late answer can pass for a new one.
 *
 * **Source:** Modbus Messaging on TCP/IP Implementation Guide V1.0b, §4.2 and §4.3.
 */
import { once } from "node:events";
import type { Socket } from "node:net";
import { Fault } from "#std/fault";
import type { Endpoint } from "#std/listen";
import { openSocket, reason } from "./channel.ts";
import { frame, frameLength, HEADER_BYTES } from "./mbap.ts";
import type { Transport } from "./transport.ts";

/**
 * Requests in a row without one byte in return after which the link counts as lost. A cable that was pulled says
 * nothing for a quarter of an hour, as long as TCP repeats what it sent; a new connection finds out at once.
 */
export const MOST_UNANSWERED = 4;

/** Bytes that may wait for a device that does not read them: some thousand requests. */
const MOST_UNSENT_BYTES = 65_536;

const nothing = Buffer.alloc(0);

/** Opens a TCP connection. @throws {Fault} `LINK_LOST` when nobody is there. */
export async function dialTcp(at: Endpoint, signal: AbortSignal): Promise<Transport> {
  return overSocket(await openSocket(at, signal), at);
}

/** The request under way. */
interface Waiting {
  readonly unit: number;
  resolve(pdu: Uint8Array): void;
  reject(error: unknown): void;
}

/** One request at a time over an open socket; owns the socket. */
export function overSocket(socket: Socket, { host, port }: Endpoint): Transport {
  /** Transaction id of the last request. Ids count up to 65535 and begin again. */
  let id = 0;
  let waiting: Waiting | undefined;
  /** Requests given up since the last byte came. */
  let unanswered = 0;
  /** Whether the last request had an answer of its own, good or bad. */
  let answered = true;
  /** Bytes of a frame that is not complete yet. */
  let rest: Buffer = nothing;
  let lost: Fault | undefined;

  socket.on("data", (chunk: Buffer) => {
    unanswered = 0;
    try {
      rest = takeFrames(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]));
    } catch (cause) {
      lose("sent bytes that are not Modbus", cause);
    }
  });
  socket.on("error", (cause) => lose(`is gone (${reason(cause)})`, cause));
  socket.on("end", () => lose("closed the connection"));
  socket.on("close", () => lose("closed the connection"));

  return {
    request(unit, pdu, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (rest.length > 0 && !isRepeat()) lose("left half an answer");
      if (unanswered >= MOST_UNANSWERED) lose(`has not answered ${unanswered} requests in a row`);
      if (socket.writableLength > MOST_UNSENT_BYTES) lose("does not read what is sent");
      if (lost) return Promise.reject(lost);
      id = (id + 1) & 0xffff;
      answered = false;
      return new Promise((resolve, reject) => {
        const settle = () => {
          waiting = undefined;
          signal.removeEventListener("abort", abort);
        };
        waiting = {
          unit,
          resolve(answer) {
            settle();
            resolve(answer);
          },
          reject(error) {
            settle();
            reject(error);
          },
        };
        function abort() {
          unanswered++;
          waiting?.reject(signal.reason);
        }
        signal.addEventListener("abort", abort, { once: true });
        socket.write(frame(id, unit, pdu));
      });
    },

    async [Symbol.asyncDispose]() {
      lose("was closed here");
      if (!socket.closed) await once(socket, "close");
    },
  };

  /** Handles every whole frame and returns the bytes after them. */
  function takeFrames(bytes: Buffer): Buffer {
    let from = 0;
    for (;;) {
      const length = frameLength(bytes, from);
      if (length === 0) return from === bytes.length ? nothing : bytes.subarray(from);
      takeFrame(bytes.readUInt16BE(from), bytes[from + 6] ?? 0, bytes.subarray(from + HEADER_BYTES, from + length));
      from += length;
    }
  }

  function takeFrame(from: number, unit: number, pdu: Uint8Array): void {
    const age = (id - from) & 0xffff;
    // Late or repeated: it answers a request that was given up or answered before.
    if (!waiting || (age > 0 && age < 0x8000)) return;
    answered = true;
    if (age > 0) waiting.reject(mismatch("transaction", from, id));
    else if (unit !== waiting.unit) waiting.reject(mismatch("unit", unit, waiting.unit));
    else waiting.resolve(pdu);
  }

  /** Half a frame may be left over only when it repeats the last answer; anything else would swallow the next one. */
  function isRepeat(): boolean {
    return answered && rest.length >= 2 && rest.readUInt16BE(0) === id;
  }

  function mismatch(what: string, got: number, asked: number): Fault {
    return new Fault("ANSWER_INVALID", `${host}:${port} answered for ${what} ${got}, asked was ${asked}`);
  }

  /** Ends the link once; who waits is told, and so is who comes later. */
  function lose(how: string, cause?: unknown): void {
    lost ??= new Fault("LINK_LOST", `${host}:${port} ${how}`, { cause, host, port });
    rest = nothing;
    socket.destroy();
    waiting?.reject(lost);
  }
}
