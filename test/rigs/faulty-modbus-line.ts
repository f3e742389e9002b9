import { createServer, type Socket } from "node:net";
import { ascii } from "#drivers/modbus/ascii";
import type { Codec } from "#drivers/modbus/codec";
import { rtu } from "#drivers/modbus/rtu";
import { answer, blankUnit, type Unit } from "#drivers/modbus/unit";
import { listen } from "#std/listen";
import type { Outcome } from "./faulty-modbus.ts";

/** One request that reached the device, and what would answer it rightly. */
interface Ask {
  readonly codec: Codec;
  readonly unit: number;
  readonly pdu: Buffer;
  readonly answer: Uint8Array;
  readonly good: Buffer;
  /** The answer before this one. */
  readonly before: Buffer;
}

/** What a broken device on a line does instead of answering. */
type Mischief = (ask: Ask, socket: Socket, rig: { later: Buffer | undefined }) => void;

/** What the caller sees, for RTU and ASCII where they differ. */
type Outcomes = Outcome | { readonly RTU: Outcome; readonly ASCII: Outcome };

/** Every way in which a device on a line is known to break, and what the driver makes of it. */
export const lineMischiefs: Readonly<Record<string, readonly [Outcomes, Mischief]>> = {
  "says nothing": ["silent", () => {}],
  "answers only when the next request is there": [
    "silent",
    ({ good }, _socket, rig) => {
      rig.later = good;
    },
  ],
  "answers for another unit": [
    "ANSWER_INVALID",
    ({ codec, unit, answer }, socket) => socket.write(codec.encode(unit + 1, answer)),
  ],
  "says its last answer again before the right one": [
    "ANSWER_INVALID",
    ({ before, good }, socket) => socket.write(Buffer.concat([before, good])),
  ],
  "answers another function": [
    "ANSWER_INVALID",
    ({ codec, unit, answer }, socket) => socket.write(codec.encode(unit, changed(answer, 0, 0x14))),
  ],
  "gives an exception of another function": [
    "ANSWER_INVALID",
    ({ codec, unit }, socket) => socket.write(codec.encode(unit, Uint8Array.of(0xab, 2))),
  ],
  "gives an exception that does not exist": [
    "DEVICE_REFUSED",
    ({ codec, unit, pdu }, socket) => socket.write(codec.encode(unit, Uint8Array.of((pdu[0] ?? 0) | 0x80, 99))),
  ],
  "leaves out the last bytes": [
    { RTU: "silent", ASCII: "ANSWER_INVALID" },
    ({ codec, unit, answer }, socket) => socket.write(codec.encode(unit, answer.subarray(0, -2))),
  ],
  "sends two bytes too many": [
    "ANSWER_INVALID",
    ({ codec, unit, answer }, socket) => socket.write(codec.encode(unit, Buffer.concat([answer, Buffer.of(0, 0)]))),
  ],
  "lies about the byte count, or confirms another place": [
    "ANSWER_INVALID",
    ({ codec, unit, answer }, socket) => {
      const lie = changed(answer, 1, (answer[1] ?? 0) - 2);
      socket.write(codec.encode(unit, lie));
    },
  ],
  "flips one bit on the way": [
    "ANSWER_INVALID",
    ({ good }, socket) => socket.write(changed(good, good.length - 5, (good[good.length - 5] ?? 0) ^ 1)),
  ],
  "has a wrong checksum": [
    "ANSWER_INVALID",
    ({ good, codec }, socket) => {
      const at = good.length - (codec.name === "RTU" ? 1 : 3);
      socket.write(changed(good, at, (good[at] ?? 0) ^ 1));
    },
  ],
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
  "makes the line crackle before it answers": [
    "ok",
    ({ good }, socket) => socket.write(Buffer.concat([Buffer.of(0, 0xff, 0), good])),
  ],
  "sends noise before it answers": [
    { RTU: "ANSWER_INVALID", ASCII: "ok" },
    ({ good }, socket) => socket.write(Buffer.concat([Buffer.from("6b1f9977", "hex"), good])),
  ],
  "speaks HTTP": ["ANSWER_INVALID", (_ask, socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")],
  "sends zeros": ["silent", (_ask, socket) => socket.write(Buffer.alloc(64))],
  "sends a megabyte of nothing": ["silent", (_ask, socket) => socket.write(Buffer.alloc(1_000_000))],
  "sends half an answer": ["silent", ({ good }, socket) => socket.write(good.subarray(0, good.length >> 1))],
  "closes in the middle of an answer": ["LINK_LOST", ({ good }, socket) => socket.end(good.subarray(0, 5))],
  "closes instead of answering": ["LINK_LOST", (_ask, socket) => socket.end()],
  "resets the connection": ["LINK_LOST", (_ask, socket) => socket.resetAndDestroy()],
};

/** A device on a line behind a socket that answers rightly, until it is told to misbehave at its next request. */
export interface FaultyLine extends AsyncDisposable {
  readonly link: unknown;
  readonly device: Unit;
  /** Requests that reached it. */
  readonly asked: number;
  misbehave(how: Mischief, always?: boolean): void;
  /** Whether the device knows function 8, as it does at first. */
  diagnoses: boolean;
}

export async function openFaultyLine(transport: "rtu-tcp" | "ascii-tcp"): Promise<FaultyLine> {
  const codec = transport === "rtu-tcp" ? rtu : ascii;
  const device = blankUnit({ holding: 20, input: 20 });
  const rig = { later: undefined as Buffer | undefined };
  const sockets = new Set<Socket>();
  let mischief: Mischief | undefined;
  let always = false;
  let asked = 0;
  let diagnoses = true;
  const server = createServer({ noDelay: true }, (socket) => {
    let before: Buffer = Buffer.alloc(0);
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    // The driver sends one request at a time, so a chunk on the loopback is a whole request.
    socket.on("data", (chunk: Buffer) => {
      const taken = codec.take(chunk, "client");
      if (taken.is !== "frame") throw new Error("the driver sent no frame");
      const { unit, pdu } = taken;
      asked++;
      if (pdu[0] === 8 && !diagnoses) return;
      const said = answer(device, pdu);
      const good = codec.encode(unit, said);
      const how = mischief;
      if (!always) mischief = undefined;
      if (how) how({ codec, unit, pdu, answer: said, good, before }, socket, rig);
      else {
        if (rig.later) socket.write(rig.later);
        rig.later = undefined;
        socket.write(good);
      }
      before = good;
    });
  });
  const { host, port } = await listen(server, { host: "127.0.0.1", port: 0 }, "the faulty line");
  return {
    link: { transport, host, port, retries: 0 },
    device,
    get asked() {
      return asked;
    },
    get diagnoses() {
      return diagnoses;
    },
    set diagnoses(does) {
      diagnoses = does;
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

function changed(bytes: Uint8Array, at: number, byte: number): Buffer {
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
