/**
 * Checksums of serial protocols, by the name under which manuals know them.
 *
 * **Source:** for the CRCs the parameters and check values of the Catalogue of parametrised CRC algorithms (G. Cook);
 * `lrc` is that of Modbus over Serial Line V1.02, §2.5.2.2.
 */

/** One kind of checksum: how wide it is, and its value over `bytes` from `from` to before `to`. */
export interface Checksum {
  readonly width: 1 | 2 | 4;
  of(bytes: Uint8Array, from: number, to: number): number;
}

/** Parameters of a CRC. */
interface Crc {
  readonly width: 1 | 2 | 4;
  readonly polynomial: number;
  readonly start: number;
  /** Whether bits go in and out lowest first. */
  readonly reflected: boolean;
  readonly final: number;
}

/** Every checksum by its name. */
export const checksums = {
  sum8: { width: 1, of: (bytes, from, to) => sum(bytes, from, to) & 0xff },
  sum16: { width: 2, of: (bytes, from, to) => sum(bytes, from, to) & 0xffff },
  xor: { width: 1, of: xor },
  lrc: { width: 1, of: (bytes, from, to) => -sum(bytes, from, to) & 0xff },
  crc8: crc({ width: 1, polynomial: 0x07, start: 0, reflected: false, final: 0 }),
  "crc8-maxim": crc({ width: 1, polynomial: 0x31, start: 0, reflected: true, final: 0 }),
  "crc16-modbus": crc({ width: 2, polynomial: 0x8005, start: 0xffff, reflected: true, final: 0 }),
  "crc16-arc": crc({ width: 2, polynomial: 0x8005, start: 0, reflected: true, final: 0 }),
  "crc16-ccitt": crc({ width: 2, polynomial: 0x1021, start: 0xffff, reflected: false, final: 0 }),
  "crc16-xmodem": crc({ width: 2, polynomial: 0x1021, start: 0, reflected: false, final: 0 }),
  "crc16-kermit": crc({ width: 2, polynomial: 0x1021, start: 0, reflected: true, final: 0 }),
  "crc16-x25": crc({ width: 2, polynomial: 0x1021, start: 0xffff, reflected: true, final: 0xffff }),
  crc32: crc({ width: 4, polynomial: 0x04c11db7, start: 0xffffffff, reflected: true, final: 0xffffffff }),
} as const satisfies Record<string, Checksum>;

export type ChecksumName = keyof typeof checksums;

/** The names, for the schema. */
export const checksumNames = Object.keys(checksums) as [ChecksumName, ...ChecksumName[]];

function sum(bytes: Uint8Array, from: number, to: number): number {
  let total = 0;
  for (let i = from; i < to; i++) total = (total + (bytes[i] ?? 0)) | 0;
  return total;
}

function xor(bytes: Uint8Array, from: number, to: number): number {
  let total = 0;
  for (let i = from; i < to; i++) total ^= bytes[i] ?? 0;
  return total;
}

function crc({ width, polynomial, start, reflected, final }: Crc): Checksum {
  const bits = width * 8;
  const mask = width === 4 ? 0xffffffff : (1 << bits) - 1;
  let table: Uint32Array | undefined;
  return {
    width,
    of(bytes, from, to) {
      table ??= reflected ? lowFirst(mirror(polynomial, bits)) : highFirst(polynomial, bits);
      let crc = start;
      for (let i = from; i < to; i++) {
        const byte = bytes[i] ?? 0;
        crc = reflected
          ? (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0)
          : ((crc << 8) ^ (table[((crc >>> (bits - 8)) ^ byte) & 0xff] ?? 0)) & mask;
      }
      return ((crc ^ final) & mask) >>> 0;
    },
  };
}

function lowFirst(polynomial: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    return crc;
  });
}

function highFirst(polynomial: number, bits: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << (bits - 8);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> (bits - 1)) & 1 ? (crc << 1) ^ polynomial : crc << 1;
    return crc;
  });
}

function mirror(value: number, bits: number): number {
  let mirrored = 0;
  for (let bit = 0; bit < bits; bit++) mirrored = (mirrored << 1) | ((value >>> bit) & 1);
  return mirrored >>> 0;
}
