/** The server's side of each frame: takes requests out of bytes and puts answers into frames. */
import type { Codec } from "./codec.ts";
import { frame, frameLength, HEADER_BYTES } from "./mbap.ts";

/** What a unit answers; undefined when nobody does. */
export type Reply = (unit: number, pdu: Buffer) => Uint8Array | undefined;

/** Answers to every whole request, and the bytes after them. */
export interface Served {
  readonly answers: readonly Buffer[];
  readonly rest: Buffer;
}

/** Answers what a piece of a stream asks. @throws {Fault} `ANSWER_INVALID` when the bytes can not be Modbus. */
export type Serve = (bytes: Buffer, reply: Reply) => Served;

/** Modbus TCP, also in TLS and in datagrams. */
export function serveFrames(bytes: Buffer, reply: Reply): Served {
  const answers: Buffer[] = [];
  let from = 0;
  for (let length = frameLength(bytes, 0); length > 0; length = frameLength(bytes, from)) {
    const unit = bytes[from + 6] ?? 0;
    const answer = reply(unit, bytes.subarray(from + HEADER_BYTES, from + length));
    if (answer) answers.push(frame(bytes.readUInt16BE(from), unit, answer));
    from += length;
  }
  return { answers, rest: bytes.subarray(from) };
}

/** A line. What is no frame is dropped, as a device does after a silence. */
export function serveLine(codec: Codec): Serve {
  return (bytes, reply) => {
    const answers: Buffer[] = [];
    let rest = bytes;
    for (let taken = codec.take(rest, "client"); taken.is !== "part"; taken = codec.take(rest, "client")) {
      if (taken.is === "noise") return { answers, rest: Buffer.alloc(0) };
      const answer = reply(taken.unit, taken.pdu);
      if (answer && taken.unit !== 0) answers.push(codec.encode(taken.unit, answer));
      rest = rest.subarray(taken.length);
    }
    return { answers, rest };
  };
}
