/**
 * The frame of Modbus RTU: unit, PDU, CRC. Its end is known by its length and its CRC rather than by silence, because
 * silence is lost on the way through USB adapters and serial servers.
 *
 * **Source:** Modbus over Serial Line Specification V1.02, §2.5.1.
 */
import { crc16 } from "./checksum.ts";
import { type Codec, part, type Taken } from "./codec.ts";
import { fc } from "./pdu.ts";

/** A frame has 256 bytes at most. */
const MOST_BYTES = 256;

/** RTU on a line. */
export const rtu: Codec = {
  name: "RTU",

  encode(unit, pdu) {
    const bytes = Buffer.allocUnsafe(pdu.length + 3);
    bytes[0] = unit;
    bytes.set(pdu, 1);
    bytes.writeUInt16LE(crc16(bytes, 0, pdu.length + 1), pdu.length + 1);
    return bytes;
  },

  take(bytes, from): Taken {
    if (bytes.length < 4) return part;
    const length = from === "server" ? answerBytes(bytes) : requestBytes(bytes);
    if (length === undefined) return { is: "noise", why: `function ${bytes[1]} has no frame` };
    if (length > MOST_BYTES) return { is: "noise", why: `${length} bytes were announced, ${MOST_BYTES} exist` };
    if (bytes.length < length) return part;
    const [crc, expected] = [bytes.readUInt16LE(length - 2), crc16(bytes, 0, length - 2)];
    if (crc !== expected)
      return { is: "noise", why: `the CRC of ${length} bytes is ${hex(crc)}, not ${hex(expected)}` };
    return { is: "frame", unit: bytes[0] ?? 0, pdu: bytes.subarray(1, length - 2), length };
  },
};

/** Length of an answer with unit and CRC, from its first bytes; undefined when its function is unknown. */
function answerBytes(bytes: Buffer): number | undefined {
  const [, code = 0, count = 0] = bytes;
  if (code & 0x80) return 5;
  switch (code) {
    case fc.readCoils:
    case fc.readDiscretes:
    case fc.readHolding:
    case fc.readInput:
    case fc.readWriteRegisters:
      return 5 + count;
    case fc.writeCoil:
    case fc.writeRegister:
    case fc.writeCoils:
    case fc.writeRegisters:
    case fc.diagnose:
      return 8;
    case fc.maskRegister:
      return 10;
    case fc.identify:
      return identityBytes(bytes);
    default:
      return undefined;
  }
}

/** Six bytes of head, the number of objects, then each with its own length. */
function identityBytes(bytes: Buffer): number {
  let at = 8;
  for (let left = bytes[7] ?? 1; left > 0; left--) at += 2 + (bytes[at + 1] ?? 0);
  return at + 2;
}

/** Length of a request with unit and CRC. */
function requestBytes(bytes: Buffer): number | undefined {
  switch (bytes[1]) {
    case fc.readCoils:
    case fc.readDiscretes:
    case fc.readHolding:
    case fc.readInput:
    case fc.writeCoil:
    case fc.writeRegister:
    case fc.diagnose:
      return 8;
    case fc.writeCoils:
    case fc.writeRegisters:
      return 9 + (bytes[6] ?? 0);
    case fc.maskRegister:
      return 10;
    case fc.readWriteRegisters:
      return 13 + (bytes[10] ?? 0);
    case fc.identify:
      return 7;
    default:
      return undefined;
  }
}

function hex(number: number): string {
  return number.toString(16).padStart(4, "0");
}
