/**
 * The checksums of Modbus on a line.
 *
 * **Source:** Modbus over Serial Line Specification V1.02, §6.2.2 (CRC) and §6.2.1 (LRC).
 */

/** One byte's share of a CRC-16 with the reflected polynomial A001h. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  return crc;
});

/** CRC-16 of bytes `[from, end)`; it is sent low byte first. */
export function crc16(bytes: Uint8Array, from = 0, end = bytes.length): number {
  let crc = 0xffff;
  for (let i = from; i < end; i++) crc = (crc >> 8) ^ (table[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  return crc;
}

/** Longitudinal redundancy check: what makes the sum of all bytes zero. */
export function lrc(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}
