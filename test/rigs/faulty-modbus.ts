import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { frame } from "#drivers/modbus/mbap";
import { answer, blankUnit, type Unit } from "#drivers/modbus/unit";
import { listen } from "#std/listen";
import { tlsFiles } from "./modbus-tls.ts";

/** One request that reached the device, and the frame that would answer it rightly. */
interface Ask {
  readonly id: number;
  readonly unit: number;
  readonly pdu: Buffer;
  readonly good: Buffer;
}

/** What a device can do to the one who asks. */
interface Wire {
  write(bytes: Uint8Array | string): unknown;
  end(bytes?: Uint8Array): unknown;
  resetAndDestroy(): unknown;
}

/** What a broken device does instead of answering. */
type Mischief = (ask: Ask, socket: Wire, rig: { later: Buffer | undefined }) => void;

/** What the caller sees: `ok` is the right value, `silent` is its own deadline. */
export type Outcome = "ok" | "silent" | "ANSWER_INVALID" | "LINK_LOST" | "DEVICE_REFUSED";

/** Every way in which a Modbus device or gateway is known to break, and what the driver makes of it. */
export const mischiefs: Readonly<Record<string, readonly [Outcome, Mischief]>> = {
  "says nothing": ["silent", () => {}],
  "answers only when the next request is there": [
    "silent",
    ({ good }, _socket, rig) => {
      rig.later = good;
    },
  ],
  "answers for another unit": ["ANSWER_INVALID", (ask, socket) => socket.write(frame(ask.id, ask.unit + 1, tail(ask)))],
  "answers a request that was never sent": ["ANSWER_INVALID", (ask, socket) => socket.write(reply(ask, ask.id + 1))],
  "answers an earlier request": ["silent", (ask, socket) => socket.write(reply(ask, ask.id + 65535))],
  "answers another protocol": ["LINK_LOST", ({ good }, socket) => socket.write(patch(good, 3, 1))],
  "answers another function": ["ANSWER_INVALID", ({ good }, socket) => socket.write(patch(good, 7, 0x2b))],
  "gives an exception of another function": [
    "ANSWER_INVALID",
    (ask, socket) => socket.write(reply(ask, ask.id, [0xab, 2])),
  ],
  "gives an exception that does not exist": [
    "DEVICE_REFUSED",
    (ask, socket) => socket.write(reply(ask, ask.id, [(ask.pdu[0] ?? 0) | 0x80, 99])),
  ],
  "gives an exception without its code": [
    "ANSWER_INVALID",
    (ask, socket) => socket.write(reply(ask, ask.id, [(ask.pdu[0] ?? 0) | 0x80])),
  ],
  "leaves out the last register": [
    "ANSWER_INVALID",
    (ask, socket) => socket.write(reply(ask, ask.id, tail(ask).subarray(0, -2))),
  ],
  "sends two bytes too many": [
    "ANSWER_INVALID",
    (ask, socket) => socket.write(reply(ask, ask.id, Buffer.concat([tail(ask), Buffer.of(0, 0)]))),
  ],
  "lies about the byte count, or confirms another place": [
    "ANSWER_INVALID",
    ({ good }, socket) => socket.write(patch(good, 8, (good[8] ?? 0) + 2)),
  ],
  "announces more bytes than come": ["silent", ({ good }, socket) => socket.write(patch(good, 5, (good[5] ?? 0) + 6))],
  "announces so many bytes more that it would swallow the next answer": [
    "silent",
    ({ good }, socket) => socket.write(patch(good, 5, (good[5] ?? 0) + good.length)),
  ],
  "announces fewer bytes than come": [
    "LINK_LOST",
    ({ good }, socket) => socket.write(patch(good, 5, (good[5] ?? 0) - 2)),
  ],
  "announces nothing at all": ["LINK_LOST", ({ good }, socket) => socket.write(patch(good, 5, 0))],
  "announces 65 kB": ["LINK_LOST", ({ good }, socket) => socket.write(patch(patch(good, 5, 255), 4, 255))],
  "answers byte by byte": ["ok", ({ good }, socket) => void dribble(good, socket)],
  "answers twice": ["ok", ({ good }, socket) => socket.write(Buffer.concat([good, good]))],
  "answers twice, in three pieces": [
    "ok",
    ({ good }, socket) => {
      socket.write(good.subarray(0, 3));
      setImmediate(() => socket.write(Buffer.concat([good.subarray(3), good.subarray(0, 5)])));
      setImmediate(() => setImmediate(() => socket.write(good.subarray(5))));
    },
  ],
  "repeats old answers a thousand times first": [
    "ok",
    (ask, socket) => socket.write(Buffer.concat([...Array(1000).fill(reply(ask, ask.id + 65000)), ask.good])),
  ],
  "speaks HTTP": ["LINK_LOST", (_ask, socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")],
  "sends zeros": ["LINK_LOST", (_ask, socket) => socket.write(Buffer.alloc(64))],
  "sends half an answer": ["silent", ({ good }, socket) => socket.write(good.subarray(0, 8))],
  "closes in the middle of an answer": ["LINK_LOST", ({ good }, socket) => socket.end(good.subarray(0, 8))],
  "closes instead of answering": ["LINK_LOST", (_ask, socket) => socket.end()],
  "resets the connection": ["LINK_LOST", (_ask, socket) => socket.resetAndDestroy()],
};

/** How a device in datagrams differs: each stands for itself, so that bad ones are dropped and nothing is closed. */
export function outcomeOver(transport: FaultyTransport, how: string, outcome: Outcome): Outcome {
  if (transport !== "udp") return outcome;
  // Half a frame in a datagram, or two, are none.
  const isUneven = /byte by byte|answers twice|a thousand times/.test(how);
  const isNotOurs = outcome === "LINK_LOST" || how === "answers a request that was never sent";
  return isUneven || isNotOurs ? "silent" : outcome;
}

export type FaultyTransport = "tcp" | "tls" | "udp";

/** A device that answers rightly, until it is told to misbehave at its next request. */
export interface FaultyDevice extends AsyncDisposable {
  readonly link: { readonly host: string; readonly port: number; readonly tls?: object };
  readonly device: Unit;
  /** Requests that reached it. */
  readonly asked: number;
  /** At the next request only, or at all that follow. */
  misbehave(how: Mischief, always?: boolean): void;
}

export async function openFaultyDevice(transport: FaultyTransport = "tcp"): Promise<FaultyDevice> {
  const device = blankUnit({ holding: 20, input: 20 });
  const rig = { later: undefined as Buffer | undefined };
  let mischief: Mischief | undefined;
  let always = false;
  let asked = 0;
  const open = transport === "udp" ? openDatagrams : openStream;
  // The driver sends one request at a time, so a chunk on the loopback is a whole request.
  const server = await open(transport, (chunk, wire) => {
    const [id, unit, pdu] = [chunk.readUInt16BE(0), chunk[6] ?? 0, chunk.subarray(7)];
    const ask = { id, unit, pdu, good: frame(id, unit, answer(device, pdu)) };
    const how = mischief;
    asked++;
    if (!always) mischief = undefined;
    if (how) return how(ask, wire, rig);
    if (rig.later) wire.write(rig.later);
    rig.later = undefined;
    wire.write(ask.good);
  });
  return {
    ...server,
    device,
    get asked() {
      return asked;
    },
    misbehave(how, again = false) {
      mischief = how;
      always = again;
    },
  };
}

type Attend = (chunk: Buffer, wire: Wire) => void;

async function openStream(transport: FaultyTransport, attend: Attend) {
  const sockets = new Set<AsyncDisposable & { destroy(): unknown }>();
  const files = transport === "tls" ? await tlsFiles() : undefined;
  const serve = (socket: import("node:net").Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    const wire: Wire = {
      write: (bytes) => socket.write(bytes),
      end: (bytes) => (bytes ? socket.end(bytes) : socket.end()),
      resetAndDestroy: () => (files ? socket.destroy() : socket.resetAndDestroy()),
    };
    socket.on("data", (chunk: Buffer) => attend(chunk, wire));
  };
  const server = files
    ? createTlsServer({ ...files.server, requestCert: true, noDelay: true }, serve)
    : createServer({ noDelay: true }, serve);
  const { host, port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the faulty device");
  return {
    link: { transport, host, port, ...(files && { tls: files.client }) },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      files?.[Symbol.dispose]();
    },
  };
}

async function openDatagrams(transport: FaultyTransport, attend: Attend) {
  const socket = createSocket("udp4");
  socket.on("message", (chunk, { port, address }) => {
    const write = (bytes: Uint8Array | string = "") => socket.send(bytes, port, address);
    attend(chunk, { write, end: (bytes) => bytes && write(bytes), resetAndDestroy() {} });
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    link: { transport, host: "127.0.0.1", port: socket.address().port, retries: 0 },
    async [Symbol.asyncDispose]() {
      socket.close();
      await once(socket, "close");
    },
  };
}

function tail({ good }: Ask): Buffer {
  return good.subarray(7);
}

function reply(ask: Ask, id: number, pdu: Uint8Array | readonly number[] = tail(ask)): Buffer {
  return frame(id & 0xffff, ask.unit, Uint8Array.from(pdu));
}

function patch(bytes: Buffer, at: number, byte: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = byte;
  return copy;
}

async function dribble(bytes: Buffer, socket: Wire): Promise<void> {
  for (const byte of bytes) {
    socket.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
