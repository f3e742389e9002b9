/**
 * Modbus over UDP: the frames of Modbus TCP, one in each datagram. A datagram that is no frame or answers another
 * request is dropped, so that nobody who guesses the port can disturb more than he sends; a lost one costs a repetition.
 *
 * **Source:** Modbus Messaging on TCP/IP Implementation Guide V1.0b, §3.1.3, applied to datagrams as vendors do.
 */
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { Fault } from "#std/fault";
import type { Endpoint } from "#std/listen";
import { reason } from "./channel.ts";
import { frame, frameLength, HEADER_BYTES } from "./mbap.ts";
import type { Transport } from "./transport.ts";

/**
 * Binds a socket to the device's address. Whether somebody is there shows at the first request.
 * @throws {Fault} `LINK_LOST` when the name or the network is unknown.
 */
export async function dialUdp({ host, port }: Endpoint, signal: AbortSignal): Promise<Transport> {
  signal.throwIfAborted();
  try {
    const { address, family } = await lookup(host);
    signal.throwIfAborted();
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.connect(port, address, resolve);
    });
    signal.throwIfAborted();
    return overDatagrams(socket, { host, port });
  } catch (cause) {
    signal.throwIfAborted();
    throw new Fault("LINK_LOST", `${host}:${port} can not be reached (${reason(cause)})`, { cause, host, port });
  }
}

interface Waiting {
  readonly unit: number;
  readonly resolve: (pdu: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

function overDatagrams(socket: Socket, { host, port }: Endpoint): Transport {
  // Begins anywhere, so that an answer to the connection before is not taken for one to this.
  let id = Math.floor(Math.random() * 0x10000);
  let waiting: Waiting | undefined;
  let lost: Fault | undefined;

  socket.on("message", (bytes) => {
    if (!waiting || !isWhole(bytes) || bytes.readUInt16BE(0) !== id) return;
    const unit = bytes[6] ?? 0;
    if (unit === waiting.unit) waiting.resolve(bytes.subarray(HEADER_BYTES));
    else
      waiting.reject(
        new Fault("ANSWER_INVALID", `${host}:${port} answered for unit ${unit}, asked was ${waiting.unit}`),
      );
  });
  socket.on("error", (cause) => lose(`is gone (${reason(cause)})`, cause));
  socket.on("close", () => lose("was closed here"));

  return {
    request(unit, pdu, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (lost) return Promise.reject(lost);
      id = (id + 1) & 0xffff;
      return new Promise((resolve, reject) => {
        const settle = () => {
          waiting = undefined;
          signal.removeEventListener("abort", abort);
        };
        const abort = () => waiting?.reject(signal.reason);
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
        signal.addEventListener("abort", abort, { once: true });
        socket.send(frame(id, unit, pdu));
      });
    },

    async [Symbol.asyncDispose]() {
      if (lost) return;
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.close();
      await closed;
    },
  };

  function lose(how: string, cause?: unknown): void {
    if (lost) return;
    lost = new Fault("LINK_LOST", `${host}:${port} ${how}`, { cause, host, port });
    waiting?.reject(lost);
    if (cause) socket.close();
  }
}

/** A datagram holds one frame exactly; half a frame or two are none. */
function isWhole(bytes: Buffer): boolean {
  try {
    return bytes.length > 0 && frameLength(bytes, 0) === bytes.length;
  } catch (error) {
    if (Fault.is(error)) return false;
    throw error;
  }
}
