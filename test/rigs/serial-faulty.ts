import { createServer, type Socket } from "node:net";
import { checksums } from "#drivers/serial/checksum";
import { listen } from "#std/listen";

/** What is read from the two kinds of device, and how they answer. Cell 0 and cell 1 have a request each. */
export interface Speech {
  readonly station: Readonly<Record<string, unknown>>;
  address(cell: number): Readonly<Record<string, unknown>>;
  /** Which cell a request is for, and what is written to it. */
  parse(request: Buffer): { readonly cell: number; readonly value: number | undefined };
  answer(cell: number, value: number): Buffer;
}

/** Lines of text with the checksum of NMEA 0183. */
const lines: Speech = {
  station: { checksum: { name: "xor", form: "hex", mark: "*", skip: 1 } },
  address: (cell) => ({
    request: `R${cell}\\r\\n`,
    prefix: `$${cell}=`,
    regex: "=(?<value>-?\\d+)$",
    write: `W${cell} {value:d}\\r\\n`,
    answer: `^\\$${cell}=`,
  }),
  parse(request) {
    const [, cell, value] = /^[RW](\d)(?: (-?\d+))?/.exec(request.toString("latin1")) ?? [];
    return { cell: Number(cell), value: value === undefined ? undefined : Number(value) };
  },
  answer(cell, value) {
    const covered = Buffer.from(`${cell}=${value}`);
    const sum = checksums.xor.of(covered, 0, covered.length).toString(16).toUpperCase().padStart(2, "0");
    return Buffer.from(`$${covered}*${sum}\r\n`);
  },
};

/** Binary frames: start, length, cell, 32 bits, CRC. */
const frames: Speech = {
  station: {
    encoding: "hex",
    framing: { by: "length", start: "\\xa5", field: 1, longest: 64 },
    checksum: { name: "crc16-modbus", order: "little" },
  },
  address: (cell) => ({
    request: `a5 05 0${cell} {checksum}`,
    prefix: `a5090${cell}`,
    offset: 3,
    type: "int32",
    write: `a5 09 1${cell} {value:08x} {checksum}`,
    answer: `^a5090${cell}`,
  }),
  parse: (request) => ({
    cell: (request[2] ?? 0) & 15,
    value: request.length > 5 ? request.readInt32BE(3) : undefined,
  }),
  answer(cell, value) {
    const frame = Buffer.from([0xa5, 9, cell, 0, 0, 0, 0, 0, 0]);
    frame.writeInt32BE(value, 3);
    frame.writeUInt16LE(checksums["crc16-modbus"].of(frame, 0, 7), 7);
    return frame;
  },
};

/** By what the tests call them. */
export const speeches = { "lines with a checksum": lines, "binary frames with a CRC": frames };

/** A request that reached the device, and what would answer it rightly. */
interface Ask {
  readonly request: Buffer;
  readonly cell: number;
  readonly value: number;
  readonly good: Buffer;
  readonly speech: Speech;
}

type Mischief = (ask: Ask, socket: Socket, rig: { later: Buffer | undefined }) => void;
type Outcome = "ok" | "DEVICE_TIMEOUT" | "ANSWER_INVALID" | "LINK_LOST";

const invalid: readonly Outcome[] = ["ANSWER_INVALID"];

/** How long the stations of these tests wait for an answer. */
export const ANSWER_MS = 60;
/** The same where the device is late by half of it: both have clocks of their own, and the machine may be busy. */
export const LATE_ANSWER_MS = 500;

/** Answers after half as long again as is waited for. */
export const late: Mischief = ({ good }, socket) => void setTimeout(() => socket.write(good), 1.5 * LATE_ANSWER_MS);

/** Every way in which a serial device or line is known to break, and what the driver may make of it. */
export const mischiefs: Readonly<Record<string, readonly [readonly Outcome[], Mischief]>> = {
  "says nothing": [["DEVICE_TIMEOUT"], () => {}],
  "answers only when the next request is there": [
    ["DEVICE_TIMEOUT"],
    ({ good }, _socket, rig) => {
      rig.later = good;
    },
  ],
  "answers when nobody waits any more": [["DEVICE_TIMEOUT"], late],
  "answers something else": [
    invalid,
    ({ speech, cell, value }, socket) => socket.write(speech.answer(9 - cell, value)),
  ],
  "has a bit turned": [invalid, ({ good }, socket) => socket.write(patch(good, 3, (good[3] ?? 0) ^ 1))],
  "has a wrong checksum": [invalid, ({ good }, socket) => socket.write(patch(good, good.length - 3, 0x30))],
  "leaves out the end": [invalid, ({ good }, socket) => socket.write(good.subarray(0, -2))],
  "leaves out a byte": [
    invalid,
    ({ good }, socket) => socket.write(Buffer.concat([good.subarray(0, 3), good.subarray(4)])),
  ],
  "has a byte too many": [
    invalid,
    ({ good }, socket) => socket.write(Buffer.concat([good.subarray(0, 4), good.subarray(3)])),
  ],
  "sends half an answer": [invalid, ({ good }, socket) => socket.write(good.subarray(0, good.length >> 1))],
  "answers byte by byte": [["ok"], ({ good }, socket) => void dribble(good, socket)],
  "answers twice": [["ok"], ({ good }, socket) => socket.write(Buffer.concat([good, good]))],
  "answers twice, in three pieces": [
    ["ok"],
    ({ good }, socket) => {
      socket.write(good.subarray(0, 3));
      setImmediate(() => socket.write(Buffer.concat([good.subarray(3), good.subarray(0, 4)])));
      setImmediate(() => setImmediate(() => socket.write(good.subarray(4))));
    },
  ],
  "sends noise before the answer": [
    ["ok", "ANSWER_INVALID"],
    ({ good }, socket) => socket.write(Buffer.concat([Buffer.from("\x00\xff~ noise"), good])),
  ],
  "sends noise that looks like a beginning before the answer": [
    invalid,
    ({ good }, socket) => socket.write(Buffer.concat([good.subarray(0, 4), good])),
  ],
  "sends noise alone": [
    invalid,
    (_ask, socket) => socket.write(Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 151 + 7) & 0xff))),
  ],
  "sends zeros": [invalid, (_ask, socket) => socket.write(Buffer.alloc(64))],
  "never comes to an end": [invalid, (_ask, socket) => socket.write(Buffer.alloc(100_000, "$0="))],
  "sends back what it was asked": [invalid, ({ request }, socket) => socket.write(request)],
  "speaks HTTP": [invalid, (_ask, socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")],
  "closes in the middle of an answer": [["LINK_LOST"], ({ good }, socket) => socket.end(good.subarray(0, 4))],
  "closes instead of answering": [["LINK_LOST"], (_ask, socket) => socket.end()],
  "resets the connection": [["LINK_LOST"], (_ask, socket) => socket.resetAndDestroy()],
};

/** A device that answers rightly, until it is told to misbehave at its next request. */
export interface FaultySerial extends AsyncDisposable {
  readonly link: { readonly host: string; readonly port: number };
  readonly cells: number[];
  /** Requests that reached it. */
  readonly asked: number;
  /** At the next request only, or at all that follow. */
  misbehave(how: Mischief, always?: boolean): void;
}

export async function openFaultySerial(speech: Speech): Promise<FaultySerial> {
  const cells = [0, 0];
  const rig = { later: undefined as Buffer | undefined };
  const sockets = new Set<Socket>();
  let mischief: Mischief | undefined;
  let always = false;
  let asked = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    // The driver sends one request at a time, so a chunk on the loopback is a whole request.
    socket.on("data", (request: Buffer) => {
      const { cell, value: wish } = speech.parse(request);
      const value = wish ?? cells[cell] ?? 0;
      const good = speech.answer(cell, value);
      const how = mischief;
      asked++;
      if (!always) mischief = undefined;
      if (how) return how({ request, cell, value, good, speech }, socket, rig);
      if (rig.later) socket.write(rig.later);
      rig.later = undefined;
      socket.write(good);
    });
  });
  const { host, port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the faulty device");
  return {
    link: { host, port },
    cells,
    get asked() {
      return asked;
    },
    misbehave(how, again = false) {
      mischief = how;
      always = again;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function dribble(bytes: Buffer, socket: Socket): Promise<void> {
  for (const byte of bytes) {
    socket.write(Buffer.of(byte));
    await new Promise(setImmediate);
  }
}

function patch(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = value === copy[at] ? value ^ 1 : value;
  return copy;
}
