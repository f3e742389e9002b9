/** What the node and the thread of the stack say to each other. Both are of one program, so there is no version in it. */
import type { Point, Pushed, Raw, Reading } from "#devices/driver";
import { Fault, type FaultCode } from "#std/fault";
import type { Patience } from "./line.ts";
import type { OpcuaAddress, OpcuaLink, OpcuaStation } from "./schema.ts";
import type { Decision } from "./trust.ts";

/** Points are sent once, and named by their number from then on: 10,000 of them are polled every second. */
export interface Points {
  readonly key: number;
  readonly points?: readonly Point<OpcuaAddress>[];
}

/** What is asked. `connection` is the number that the answer to `connect` gave. */
export type Call =
  | {
      readonly do: "connect";
      readonly link: OpcuaLink;
      readonly identityDir: string | undefined;
      readonly decisions: readonly Decision[];
      readonly patience: Patience;
    }
  | { readonly do: "read"; readonly connection: number; readonly station: OpcuaStation; readonly points: Points }
  | {
      readonly do: "write";
      readonly connection: number;
      readonly station: OpcuaStation;
      readonly point: Point<OpcuaAddress>;
      readonly raw: Raw;
    }
  | { readonly do: "watch"; readonly connection: number; readonly station: OpcuaStation; readonly points: Points }
  /** The next batch of a watch; `undefined` when it has ended. */
  | { readonly do: "next"; readonly connection: number; readonly watch: number }
  | { readonly do: "close"; readonly connection: number };

/** What needs no answer: a call that nobody waits for any more, a watch that ended, points that are no more. */
export type Notice =
  | { readonly do: "abort"; readonly id: number }
  | { readonly do: "unwatch"; readonly connection: number; readonly watch: number }
  | { readonly do: "forget"; readonly connection: number; readonly key: number };

export type Question = (Call & { readonly id: number }) | Notice;

export type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly fault: PlainFault };

/** A fault that can travel: its cause stays where it was. */
export interface PlainFault {
  readonly code: FaultCode;
  readonly message: string;
  readonly detail: string;
}

/** A reading whose fault can travel. */
export type PlainReading =
  | Extract<Reading, { ok: true }>
  | { readonly ok: false; readonly fault: PlainFault; readonly at: number };
export interface PlainPushed {
  readonly index: number;
  readonly reading: PlainReading;
}

export function plainFault({ code, message, detail }: Fault): PlainFault {
  return { code, message, detail: JSON.stringify(detail) };
}

export function faultFrom({ code, message, detail }: PlainFault): Fault {
  return new Fault(code, message, JSON.parse(detail) as Record<string, unknown>);
}

export function plainReading(reading: Reading): PlainReading {
  return reading.ok ? reading : { ...reading, fault: plainFault(reading.fault) };
}

export function readingFrom(reading: PlainReading): Reading {
  return reading.ok ? reading : { ...reading, fault: faultFrom(reading.fault) };
}

export function pushedFrom({ index, reading }: PlainPushed): Pushed {
  return { index, reading: readingFrom(reading) };
}
