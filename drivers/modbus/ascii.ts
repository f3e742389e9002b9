/**
 * The frame of Modbus ASCII: a colon, unit, PDU and LRC in hex, CR LF.
 *
 * **Source:** Modbus over Serial Line Specification V1.02, §2.5.2.
 */
import { lrc } from "./checksum.ts";
import { type Codec, part, type Taken } from "./codec.ts";

const COLON = 0x3a;
const LF = 0x0a;

/** A frame has 513 characters at most. */
const MOST_CHARACTERS = 513;

/** ASCII on a line. */
export const ascii: Codec = {
  name: "ASCII",

  encode(unit, pdu) {
    const bytes = Buffer.from([unit, ...pdu, 0]);
    bytes[bytes.length - 1] = lrc(bytes);
    return Buffer.from(`:${bytes.toString("hex").toUpperCase()}\r\n`, "latin1");
  },

  take(bytes): Taken {
    const end = bytes.indexOf(LF);
    if (end < 0) return bytes.length > MOST_CHARACTERS ? { is: "noise", why: "no frame ends" } : part;
    // A colon begins a frame, whatever was before it: noise, or a frame that was broken off.
    const begin = bytes.lastIndexOf(COLON, end);
    if (begin < 0) return { is: "noise", why: "no frame begins" };
    const text = bytes.toString("latin1", begin + 1, end).replace(/\r$/, "");
    if (!/^(?:[0-9A-Fa-f]{2}){3,}$/.test(text)) return { is: "noise", why: "a frame is not hex" };
    const frame = Buffer.from(text, "hex");
    const [got, expected] = [frame.at(-1), lrc(frame.subarray(0, -1))];
    if (got !== expected) return { is: "noise", why: `the LRC is ${got}, not ${expected}` };
    return { is: "frame", unit: frame[0] ?? 0, pdu: frame.subarray(1, -1), length: end + 1 };
  },
};
