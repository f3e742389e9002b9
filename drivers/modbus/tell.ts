import type { Exchange, Told } from "#devices/driver";
import { exceptions, fc } from "./pdu.ts";

const verbs: Readonly<Record<number, string>> = {
  [fc.readCoils]: "read coil",
  [fc.readDiscretes]: "read discrete",
  [fc.readHolding]: "read holding",
  [fc.readInput]: "read input",
  [fc.writeCoil]: "write coil",
  [fc.writeRegister]: "write holding",
  [fc.diagnose]: "echo",
  [fc.writeCoils]: "write coil",
  [fc.writeRegisters]: "write holding",
  [fc.maskRegister]: "mask holding",
  [fc.readWriteRegisters]: "write and read holding",
  [fc.identify]: "tell the identity",
};

/** Functions whose requests name a first and a number. */
const ranges = new Set<number>([1, 2, 3, 4, 15, 16, 23]);

/** An exchange with a unit: nothing comes by itself. */
export interface ModbusExchange extends Exchange<Uint8Array> {
  readonly request: Uint8Array;
}

/** Puts the bytes of an exchange into words, for whoever asks why a value is bad. */
export function tell({ request, answer, error }: ModbusExchange): Told {
  const [unit = 0, code = 0] = request;
  const verb = verbs[code] ?? "do something";
  const asked = `unit ${unit}: ${verb}${placeOf(request)} (function ${code})`;
  if (!answer) return { asked, said: error ?? "nothing" };
  return { asked, said: saidOf(answer, code) };
}

function placeOf(request: Uint8Array): string {
  const [, code = 0, startHigh = 0, startLow = 0, countHigh = 0, countLow = 0] = request;
  if (code === fc.diagnose || code === fc.identify) return "";
  const start = (startHigh << 8) | startLow;
  const last = start + ((countHigh << 8) | countLow) - 1;
  return ranges.has(code) && last > start ? ` ${start} to ${last}` : ` ${start}`;
}

function saidOf(answer: Uint8Array, code: number): string {
  const [, got = 0, second = 0] = answer;
  if (got === (code | 0x80)) return `${exceptions[second]?.[0] ?? "not in the standard"} (exception ${second})`;
  if (got !== code) return `an answer to function ${got}`;
  const bytes = Buffer.from(answer.subarray(3));
  if (code === fc.readHolding || code === fc.readInput || code === fc.readWriteRegisters) {
    const words = bytes.toString("hex").match(/.{1,4}/g) ?? [];
    return `${words.length} ${words.length === 1 ? "register" : "registers"}: ${words.join(" ")}`;
  }
  if (code === fc.readCoils || code === fc.readDiscretes) return `bits, the first lowest: ${bytes.toString("hex")}`;
  return code === fc.identify ? "its identity" : "done";
}
