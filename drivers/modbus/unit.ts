/**
 * A simulated Modbus device: four tables and the functions that read and write them.
 *
 * **Source:** Modbus Application Protocol V1.1b3, §6, with the checks and exceptions of each function's state diagram.
 */
import { fc } from "./pdu.ts";
import type { Table } from "./schema.ts";

/** The registers and bits of one simulated device. Each table is as long as its array; beyond it nothing exists. */
export interface Unit {
  readonly coil: Uint8Array;
  readonly discrete: Uint8Array;
  readonly input: Uint16Array;
  readonly holding: Uint16Array;
  /** Numbers inside the tables that do not exist either, as in most real devices. */
  readonly holes?: Readonly<Partial<Record<Table, ReadonlySet<number>>>>;
  /** What function 43 / 14 answers. */
  readonly identity?: Identity;
  /** Brings the device to this time, in milliseconds since the Unix epoch, before it is read or written. */
  step?(nowMs: number): void;
}

/** Basic device identification. **Source:** Modbus Application Protocol V1.1b3, §6.21. */
export interface Identity {
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
}

/** Sizes of the four tables; a table that is left out is empty. */
export type Sizes = Readonly<Partial<Record<Table, number>>>;

/** A device of zeros. */
export function blankUnit({ coil = 0, discrete = 0, input = 0, holding = 0 }: Sizes): Unit {
  return {
    coil: new Uint8Array(coil),
    discrete: new Uint8Array(discrete),
    input: new Uint16Array(input),
    holding: new Uint16Array(holding),
  };
}

/** Exceptions that a device of tables can give. */
const exception = { function: 1, address: 2, value: 3 } as const;

/** What the unit answers to a request. Never throws: a request that is too short is an illegal value. */
export function answer(unit: Unit, request: Buffer): Uint8Array {
  const code = request[0] ?? 0;
  if (code === fc.identify) return identify(unit, request);
  if (!known.has(code)) return refuse(code, exception.function);
  const fits = code <= fc.diagnose ? request.length === 5 : request.length > 5;
  if (!fits) return refuse(code, exception.value);
  const start = request.readUInt16BE(1);
  const second = request.readUInt16BE(3);
  switch (code) {
    case fc.readCoils:
      return readBits(unit, "coil", code, start, second);
    case fc.readDiscretes:
      return readBits(unit, "discrete", code, start, second);
    case fc.readHolding:
      return readWords(unit, "holding", code, start, second);
    case fc.readInput:
      return readWords(unit, "input", code, start, second);
    case fc.writeCoil:
      if (second !== 0 && second !== 0xff00) return refuse(code, exception.value);
      if (!exists(unit, "coil", start, 1)) return refuse(code, exception.address);
      unit.coil[start] = second === 0 ? 0 : 1;
      return request;
    case fc.writeRegister:
      if (!exists(unit, "holding", start, 1)) return refuse(code, exception.address);
      unit.holding[start] = second;
      return request;
    case fc.diagnose:
      return start === 0 ? request : refuse(code, exception.function);
    case fc.writeCoils:
      return writeBits(unit, request, start, second);
    case fc.writeRegisters:
      return writeWords(unit, request, 5, start, second) ?? request.subarray(0, 5);
    case fc.maskRegister:
      if (request.length !== 7) return refuse(code, exception.value);
      if (!exists(unit, "holding", start, 1)) return refuse(code, exception.address);
      unit.holding[start] = ((unit.holding[start] ?? 0) & second) | (request.readUInt16BE(5) & ~second);
      return request;
    default:
      return readWrite(unit, request, start, second);
  }
}

/** The exception answer to a function. */
export function refuse(code: number, why: number): Uint8Array {
  return Uint8Array.of(code | 0x80, why);
}

const known = new Set<number>(Object.values(fc));

function exists(unit: Unit, table: Table, start: number, count: number): boolean {
  if (start + count > unit[table].length) return false;
  const holes = unit.holes?.[table];
  if (!holes) return true;
  for (let i = start; i < start + count; i++) if (holes.has(i)) return false;
  return true;
}

function readBits(unit: Unit, table: "coil" | "discrete", code: number, start: number, count: number): Uint8Array {
  if (count < 1 || count > 2000) return refuse(code, exception.value);
  if (!exists(unit, table, start, count)) return refuse(code, exception.address);
  const bits = unit[table];
  const bytes = new Uint8Array(2 + ((count + 7) >> 3));
  bytes[0] = code;
  bytes[1] = bytes.length - 2;
  for (let i = 0; i < count; i++)
    if (bits[start + i]) bytes[2 + (i >> 3)] = (bytes[2 + (i >> 3)] ?? 0) | (1 << (i & 7));
  return bytes;
}

function readWords(unit: Unit, table: "input" | "holding", code: number, start: number, count: number): Uint8Array {
  if (count < 1 || count > 125) return refuse(code, exception.value);
  if (!exists(unit, table, start, count)) return refuse(code, exception.address);
  const words = unit[table];
  const bytes = new Uint8Array(2 + 2 * count);
  bytes[0] = code;
  bytes[1] = 2 * count;
  for (let i = 0; i < count; i++) {
    const word = words[start + i] ?? 0;
    bytes[2 + 2 * i] = word >> 8;
    bytes[3 + 2 * i] = word;
  }
  return bytes;
}

function writeBits(unit: Unit, request: Buffer, start: number, count: number): Uint8Array {
  const bytes = (count + 7) >> 3;
  const fits = count >= 1 && count <= 1968 && request[5] === bytes && request.length === 6 + bytes;
  if (!fits) return refuse(fc.writeCoils, exception.value);
  if (!exists(unit, "coil", start, count)) return refuse(fc.writeCoils, exception.address);
  for (let i = 0; i < count; i++) unit.coil[start + i] = ((request[6 + (i >> 3)] ?? 0) >> (i & 7)) & 1;
  return request.subarray(0, 5);
}

/** Writes the words that follow the byte count at `at`; undefined when it did, an exception when not. */
function writeWords(unit: Unit, request: Buffer, at: number, start: number, count: number): Uint8Array | undefined {
  const code = request[0] ?? 0;
  const fits = count >= 1 && count <= 123 && request[at] === 2 * count && request.length === at + 1 + 2 * count;
  if (!fits) return refuse(code, exception.value);
  if (!exists(unit, "holding", start, count)) return refuse(code, exception.address);
  for (let i = 0; i < count; i++) unit.holding[start + i] = request.readUInt16BE(at + 1 + 2 * i);
  return undefined;
}

/** Function 23 writes first, then reads. */
function readWrite(unit: Unit, request: Buffer, start: number, count: number): Uint8Array {
  const code = fc.readWriteRegisters;
  if (request.length < 10 || count < 1 || count > 125) return refuse(code, exception.value);
  if (!exists(unit, "holding", start, count)) return refuse(code, exception.address);
  const refused = writeWords(unit, request, 9, request.readUInt16BE(5), request.readUInt16BE(7));
  return refused ?? readWords(unit, "holding", code, start, count);
}

/** All three basic objects in one answer, from the asked one on. */
function identify({ identity }: Unit, request: Buffer): Uint8Array {
  const [code = 0, kind, level = 0, from = 0] = request;
  if (!identity || kind !== 14) return refuse(code, exception.function);
  if (level < 1 || level > 3) return refuse(code, exception.value);
  const objects = [identity.vendor, identity.product, identity.revision];
  const told = objects.slice(from > 2 ? 0 : from).map((text, i) => {
    const bytes = Buffer.from(text, "ascii").subarray(0, 60);
    return Buffer.concat([Uint8Array.of((from > 2 ? 0 : from) + i, bytes.length), bytes]);
  });
  return Buffer.concat([Uint8Array.of(code, 14, level, 1, 0, 0, told.length), ...told]);
}
