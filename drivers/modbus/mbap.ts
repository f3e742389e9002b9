/**
 * The frame of Modbus TCP: transaction id, protocol id 0, length, unit, then the PDU.
 *
 * **Source:** Modbus Messaging on TCP/IP Implementation Guide V1.0b, §3.1.3 (MBAP header).
 */
import { Fault } from "#std/fault";

/** Bytes before the PDU. */
export const HEADER_BYTES = 7;

/** The length field counts the unit and a PDU of 1 to 253 bytes. */
const MOST_LENGTH = 254;

/** Puts a PDU into a frame. */
export function frame(id: number, unit: number, pdu: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + pdu.length);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE(0, 2);
  bytes.writeUInt16BE(pdu.length + 1, 4);
  bytes[6] = unit;
  bytes.set(pdu, HEADER_BYTES);
  return bytes;
}

/**
 * Length of the frame that begins at `from`, or 0 while it is not complete. Nonsense is seen as early as it can be,
 * because after it nobody knows where the next frame begins.
 * @throws {Fault} `ANSWER_INVALID` when these bytes can not be a frame.
 */
export function frameLength(bytes: Buffer, from: number): number {
  const there = bytes.length - from;
  if (there >= 4) {
    const protocol = bytes.readUInt16BE(from + 2);
    if (protocol !== 0) throw new Fault("ANSWER_INVALID", `protocol id ${protocol} came, Modbus is 0`, { protocol });
  }
  if (there < 6) return 0;
  const length = bytes.readUInt16BE(from + 4);
  if (length < 2 || length > MOST_LENGTH) {
    throw new Fault("ANSWER_INVALID", `a frame of ${length} bytes was announced, 2 to ${MOST_LENGTH} exist`, {
      length,
    });
  }
  return there >= length + 6 ? length + 6 : 0;
}
