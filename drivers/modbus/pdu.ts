/**
 * Requests and answers of the Modbus protocol, without the frame around them. What is asked and what is accepted as
 * its answer stand side by side, so that no byte of an answer is believed unchecked.
 *
 * **Source:** Modbus Application Protocol V1.1b3, §6 (functions) and §7 (exceptions).
 */
import type { Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { isBits, type Span } from "./plan.ts";
import { boolean, byteBits, encode, isByte } from "./registers.ts";
import type { ModbusAddress, ModbusStation, Table } from "./schema.ts";

/** Function codes. */
export const fc = {
  readCoils: 1,
  readDiscretes: 2,
  readHolding: 3,
  readInput: 4,
  writeCoil: 5,
  writeRegister: 6,
  diagnose: 8,
  writeCoils: 15,
  writeRegisters: 16,
  maskRegister: 22,
  readWriteRegisters: 23,
  identify: 43,
} as const;

const readers: Readonly<Record<Table, number>> = {
  coil: fc.readCoils,
  discrete: fc.readDiscretes,
  holding: fc.readHolding,
  input: fc.readInput,
};

/** What each exception code means, and whether asking again may help. Others exist in the wild, as vendors like. */
export const exceptions: Readonly<Record<number, readonly [string, "DEVICE_REFUSED" | "DEVICE_TIMEOUT"]>> = {
  1: ["illegal function", "DEVICE_REFUSED"],
  2: ["illegal data address", "DEVICE_REFUSED"],
  3: ["illegal data value", "DEVICE_REFUSED"],
  4: ["server device failure", "DEVICE_REFUSED"],
  5: ["acknowledged, but still working on it", "DEVICE_TIMEOUT"],
  6: ["server device busy", "DEVICE_TIMEOUT"],
  7: ["negative acknowledge", "DEVICE_REFUSED"],
  8: ["memory parity error", "DEVICE_REFUSED"],
  10: ["gateway path unavailable", "DEVICE_TIMEOUT"],
  11: ["gateway target did not respond", "DEVICE_TIMEOUT"],
};

/** Asks for the registers or bits of a span. */
export function readRequest({ table, start, count }: Pick<Span, "table" | "start" | "count">): Uint8Array {
  return Uint8Array.of(readers[table], start >> 8, start & 0xff, count >> 8, count & 0xff);
}

/** The bytes of the registers or bits that an answer carries, or what is wrong with it. */
export function readAnswer(answer: Uint8Array, { table, start, count }: Span): DataView | Fault {
  const code = readers[table];
  const bytes = isBits(table) ? (count + 7) >> 3 : count * 2;
  if (answer[0] === code && answer[1] === bytes && answer.length === bytes + 2) {
    return new DataView(answer.buffer, answer.byteOffset + 2, bytes);
  }
  const what = `reading ${table} ${start} to ${start + count - 1}`;
  if (answer[0] === code) {
    return new Fault(
      "ANSWER_INVALID",
      `${what}: ${answer[1]} bytes announced, ${answer.length - 2} came, ${bytes} expected`,
    );
  }
  return refusal(answer, code, what);
}

/** Asks for one value to be written. @throws {Fault} `DEVICE_REFUSED`, `VALUE_INVALID`. */
export function writeRequest(
  address: ModbusAddress,
  raw: Raw,
  { writeMultiple, readWrite = false }: Partial<Pick<ModbusStation, "writeMultiple" | "readWrite">>,
): Uint8Array {
  const { table, register } = address;
  if (table === "input" || table === "discrete") {
    throw new Fault("DEVICE_REFUSED", `${table} ${register} can not be written; only holding and coil can`);
  }
  const [high, low] = [register >> 8, register & 0xff];
  if (!("type" in address)) {
    const on = boolean(raw);
    if (writeMultiple) return Uint8Array.of(fc.writeCoils, high, low, 0, 1, 1, on ? 1 : 0);
    return Uint8Array.of(fc.writeCoil, high, low, on ? 0xff : 0, 0);
  }
  const { type } = address;
  if (type === "bit") return maskRequest(register, maskOf(address), boolean(raw) ? 0xffff : 0);
  if (isByte(type)) {
    const isHigh = (address.byte === "high") === (address.bytes === "big");
    return maskRequest(register, isHigh ? 0xff00 : 0x00ff, byteBits(raw, type) * 0x0101);
  }
  const words = encode(raw, address);
  if (readWrite) {
    const where = [high, low, 0, words.length];
    return Uint8Array.from([fc.readWriteRegisters, ...where, ...where, words.length * 2, ...bytesOf(words)]);
  }
  const [first = 0] = words;
  if (words.length === 1 && !writeMultiple) return Uint8Array.of(fc.writeRegister, high, low, first >> 8, first & 0xff);
  return Uint8Array.from([fc.writeRegisters, high, low, 0, words.length, words.length * 2, ...bytesOf(words)]);
}

function bytesOf(words: readonly number[]): readonly number[] {
  return words.flatMap((word) => [word >> 8, word & 0xff]);
}

/** Resolves a write: the device must have echoed what it did. @throws {Fault} `DEVICE_REFUSED`, `ANSWER_INVALID`. */
export function checkWrite(answer: Uint8Array, request: Uint8Array, { table, register }: ModbusAddress): void {
  const [code = 0] = request;
  const what = `writing ${table} ${register}`;
  if (answer[0] !== code) throw refusal(answer, code, what);
  if (code === fc.readWriteRegisters && isAnswer(answer, request)) {
    if (answer.every((byte, i) => i < 2 || byte === request[i + 8])) return;
    throw new Fault("DEVICE_REFUSED", `${what}: the device holds something else after it`);
  }
  if (isEcho(answer, request)) return;
  throw new Fault("ANSWER_INVALID", `${what}: the device confirmed something else`);
}

/** Changes some bits in the device itself; to read, change and write here would race with the device's own program. */
function maskRequest(register: number, mask: number, bits: number): Uint8Array {
  const and = ~mask & 0xffff;
  const or = bits & mask;
  return Uint8Array.of(fc.maskRegister, register >> 8, register & 0xff, and >> 8, and & 0xff, or >> 8, or & 0xff);
}

function maskOf({ bit = 0, bytes }: { readonly bit?: number | undefined; readonly bytes: "big" | "little" }): number {
  return 1 << (bytes === "little" ? bit ^ 8 : bit);
}

/** Whether an answer has the form that the request asks for. A line can not tell in any other way whose answer it is. */
export function isAnswer(answer: Uint8Array, request: Uint8Array): boolean {
  const [code = 0, , , countHigh = 0, countLow = 0] = request;
  if (answer[0] === (code | 0x80)) return answer.length === 2;
  if (answer[0] !== code) return false;
  const count = (countHigh << 8) | countLow;
  switch (code) {
    case fc.readCoils:
    case fc.readDiscretes:
      return hasBytes(answer, (count + 7) >> 3);
    case fc.readHolding:
    case fc.readInput:
    case fc.readWriteRegisters:
      return hasBytes(answer, 2 * count);
    case fc.identify:
      return answer[1] === request[1];
    default:
      return isEcho(answer, request);
  }
}

function hasBytes(answer: Uint8Array, bytes: number): boolean {
  return answer[1] === bytes && answer.length === bytes + 2;
}

/** Multiple writes echo where and how many; the others echo everything. */
function isEcho(answer: Uint8Array, request: Uint8Array): boolean {
  const length = request[0] === fc.writeCoils || request[0] === fc.writeRegisters ? 5 : request.length;
  return answer.length === length && answer.every((byte, i) => byte === request[i]);
}

/** What an answer with another function code means: an exception of this request, or nonsense. */
function refusal(answer: Uint8Array, code: number, what: string): Fault {
  const [got = 0, exception = 0] = answer;
  if (got !== (code | 0x80) || answer.length !== 2) {
    return new Fault("ANSWER_INVALID", `${what}: function ${got} answered function ${code}`);
  }
  const [words, kind] = exceptions[exception] ?? ["not in the standard", "DEVICE_REFUSED" as const];
  return new Fault(kind, `${what}: ${words} (exception ${exception})`, { exception });
}
