import { createServer, type Socket } from "node:net";
import { frame } from "#drivers/modbus/mbap";
import { answer, blankUnit, type Unit } from "#drivers/modbus/unit";
import { listen } from "#std/listen";

/** One request that reached the device, and the frame that would answer it rightly. */
interface Ask {
  readonly id: number;
  readonly unit: number;
  readonly pdu: Buffer;
  readonly good: Buffer;
}

/** What a broken device does instead of answering. */
type Mischief = (ask: Ask, socket: Socket, rig: { later: Buffer | undefined }) => void;

/** What the caller sees: `ok` is the right value, `silent` is its own deadline. */
type Outcome = "ok" | "silent" | "ANSWER_INVALID" | "LINK_LOST" | "DEVICE_REFUSED";

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

/** A device that answers rightly, until it is told to misbehave at its next request. */
export interface FaultyDevice extends AsyncDisposable {
  readonly link: { readonly host: string; readonly port: number };
  readonly device: Unit;
  /** Requests that reached it. */
  readonly asked: number;
  /** At the next request only, or at all that follow. */
  misbehave(how: Mischief, always?: boolean): void;
}

export async function openFaultyDevice(): Promise<FaultyDevice> {
  const device = blankUnit({ holding: 20, input: 20 });
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
    socket.on("data", (chunk: Buffer) => {
      const [id, unit, pdu] = [chunk.readUInt16BE(0), chunk[6] ?? 0, chunk.subarray(7)];
      const ask = { id, unit, pdu, good: frame(id, unit, answer(device, pdu)) };
      const how = mischief;
      asked++;
      if (!always) mischief = undefined;
      if (how) return how(ask, socket, rig);
      if (rig.later) socket.write(rig.later);
      rig.later = undefined;
      socket.write(ask.good);
    });
  });
  const { host, port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the faulty device");
  return {
    link: { host, port },
    device,
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

async function dribble(bytes: Buffer, socket: Socket): Promise<void> {
  for (const byte of bytes) {
    socket.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
