/** What the node and the thread of the stack say to each other. Both are of one program, so there is no version in it. */
import type { Point, Raw, Reading } from "#devices/driver";
import type { Value } from "#devices/value";
import { Fault, type FaultCode } from "#std/fault";
import type { Patience } from "./line.ts";
import type { OpcuaAddress, OpcuaCommand, OpcuaLink, OpcuaStation } from "./schema.ts";
import type { Decision } from "./trust.ts";
import type { Watched } from "./watch.ts";

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
  | {
      readonly do: "call";
      readonly connection: number;
      readonly station: OpcuaStation;
      readonly command: OpcuaCommand;
      readonly args: readonly Value[];
    }
  | { readonly do: "describe"; readonly connection: number; readonly station: OpcuaStation }
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

/**
 * Readings in columns. An object each would cost 2 µs to copy to another thread; columns of numbers cost a fifth of that.
 */
export interface Packed {
  /** Numbers alone as one block, which is most of what a plant says. */
  readonly raws: Float64Array | readonly Raw[];
  readonly at: Float64Array;
  /** Doubts and faults by place; few, usually none. */
  readonly doubts: ReadonlyMap<number, string>;
  readonly faults: ReadonlyMap<number, PlainFault>;
}

/** Pushed readings: the place of each in the points of its watch. */
export interface PackedBatch extends Packed {
  readonly indexes: Uint32Array;
  /** Places of those before which others were dropped; usually none. */
  readonly lossy: ReadonlySet<number>;
  /** Whether they were read for want of room to watch them. */
  readonly isRead: boolean;
}

export function pack(readings: readonly Reading[]): Packed {
  const at = new Float64Array(readings.length);
  const raws = new Array<Raw>(readings.length);
  const doubts = new Map<number, string>();
  const faults = new Map<number, PlainFault>();
  let isPlain = true;
  for (const [i, reading] of readings.entries()) {
    at[i] = reading.at;
    raws[i] = reading.ok ? reading.raw : 0;
    if (typeof raws[i] !== "number") isPlain = false;
    if (!reading.ok) faults.set(i, plainFault(reading.fault));
    else if (reading.doubt !== undefined) doubts.set(i, reading.doubt);
  }
  return { raws: isPlain ? Float64Array.from(raws as number[]) : raws, at, doubts, faults };
}

export function unpack({ raws, at, doubts, faults }: Packed): readonly Reading[] {
  return Array.from(at, (at, i): Reading => {
    const fault = faults.get(i);
    if (fault) return { ok: false, fault: faultFrom(fault), at };
    const doubt = doubts.get(i);
    const raw = raws[i] ?? 0;
    return doubt === undefined ? { ok: true, raw, at } : { ok: true, raw, at, doubt };
  });
}

export function packBatch(batch: readonly Watched[]): PackedBatch {
  const indexes = Uint32Array.from(batch, ({ index }) => index);
  const lossy = new Set(batch.flatMap(({ lost }, place) => (lost ? place : [])));
  const isRead = batch[0]?.isRead === true;
  return { ...pack(batch.map(({ reading }) => reading)), indexes, lossy, isRead };
}

export function unpackBatch({ indexes, lossy, isRead, ...packed }: PackedBatch): readonly Watched[] {
  return unpack(packed).map((reading, i) => {
    const pushed = { index: indexes[i] ?? 0, reading, ...(isRead ? { isRead } : {}) };
    return lossy.has(i) ? { ...pushed, lost: true } : pushed;
  });
}

export function plainFault({ code, message, detail }: Fault): PlainFault {
  return { code, message, detail: JSON.stringify(detail) };
}

export function faultFrom({ code, message, detail }: PlainFault): Fault {
  return new Fault(code, message, JSON.parse(detail) as Record<string, unknown>);
}
