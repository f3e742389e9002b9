import { Fault } from "#std/fault";

/** How a Modbus device may be reached. */
export const transports = ["tcp", "udp", "rtu-tcp", "ascii-tcp", "rtu", "ascii"] as const;

export interface TargetOptions {
  readonly transport: (typeof transports)[number];
  readonly timeout: string;
  readonly baudRate: string | undefined;
  readonly parity: string | undefined;
}

/** A link, as a Device has it, from what somebody types: `plc:502`, `[fe80::1]:502` or `/dev/ttyUSB0`. @throws {Fault} `USAGE_INVALID` */
export function linkOf(target: string, { transport, timeout, baudRate, parity }: TargetOptions): object {
  if (transport === "rtu" || transport === "ascii") {
    const rate = baudRate === undefined ? {} : { baudRate: integer("--baud-rate", baudRate) };
    return { transport, path: target, timeout, ...rate, ...(parity === undefined ? {} : { parity }) };
  }
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(target) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined)
    throw new Fault("USAGE_INVALID", `${target} is no address`, {
      hint: "Give HOST, HOST:PORT, or with --transport rtu a serial port such as /dev/ttyUSB0.",
    });
  return { transport, host, timeout, ...(port === undefined ? {} : { port: integer("the port", port) }) };
}

/** A whole number of the command line. @throws {Fault} `USAGE_INVALID` */
export function integer(what: string, text: string, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `${least} to ${most}`;
  throw new Fault("USAGE_INVALID", `${what} can not be "${text}": it takes an integer, ${range}`);
}

/** Any finite number of the command line. @throws {Fault} `USAGE_INVALID` */
export function number(what: string, text: string): number {
  if (text.trim() !== "" && Number.isFinite(Number(text))) return Number(text);
  throw new Fault("USAGE_INVALID", `${what} can not be "${text}": it takes a number`);
}
