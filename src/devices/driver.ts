import type { Fault } from "#std/fault";
import type { Schema } from "#std/schema";
import type { Value } from "./value.ts";

/** What a protocol carries for one property, before scale and offset. 64-bit integers come as `bigint`. */
export type Raw = number | bigint | boolean | string;

/**
 * A driver teaches the product one protocol. It knows bytes and nothing else: when to read, what a value means, where
 * it goes, what to retry and how long to wait is decided once, for all protocols, by its caller.
 *
 * A new protocol is one folder under `drivers/` and one line in `drivers/index.ts`.
 */
export interface Driver<Link = unknown, Station = unknown, Address = unknown, Command = unknown> {
  /** Name of the folder and value of `spec.protocol`, such as `"modbus"`. */
  readonly protocol: string;
  /** How one bus is reached: `spec.link` of a Device. Devices whose links are equal share one connection. */
  readonly link: Schema<Link>;
  /** Which device on that bus: `spec.station` of a Device. */
  readonly station: Schema<Station>;
  /** Where one property lives in that device: `address` of a property. */
  readonly address: Schema<Address>;
  /**
   * Longest time that one request to a device may take: a visit, a write, a description, with its repetitions, in
   * milliseconds. Absent when it is the link's `timeoutMs` for all of them, or 1 s.
   */
  timeoutMs?(link: Link, station: Station): number;
  /**
   * Whether the device pushes this point by itself, so that it is watched and not polled. Absent when nothing is pushed.
   */
  isPushed?(station: Station, address: Address): boolean;
  /**
   * Opens the link. What is returned is open; disposing it, once or twice, closes it.
   * @throws {Fault} `LINK_LOST` when nobody is there.
   */
  connect(link: Link, signal: AbortSignal): Promise<Connection<Station, Address, Command>>;
  /** What can be called: `address` of a command. Absent when the protocol has no calls. */
  readonly command?: Schema<Command>;
  /** Explains how points would be read together, and what that costs. Asks nobody. Absent when nothing is planned. */
  plan?(link: Link, station: Station, points: readonly Point<Address>[], known?: Experience): Plan;
  /** Puts an exchange into words. Present when connections have `exchanges`. */
  tell?(exchange: Exchange): Told;
  /** Whether an exchange of a shared link was with this device. Absent when nobody can tell. */
  isWith?(station: Station, exchange: Exchange): boolean;
}

/** An open link, perhaps shared by several devices. Calls never overlap; the caller sees to that. */
export interface Connection<Station = unknown, Address = unknown, Command = unknown> extends AsyncDisposable {
  /**
   * Reads every point of one device once, in as few requests as the protocol allows. The reading at index i answers
   * the point at index i. A point that fails alone is a reading that is not `ok`. The caller passes the same `points`
   * array at each visit, so a plan may be kept by its identity.
   *
   * @throws {Fault} `LINK_LOST` when the link is gone. When the device is silent it rejects with the signal's reason,
   * and the connection is good for the next call: a late answer is recognised and dropped.
   */
  read(station: Station, points: readonly Point<Address>[], signal: AbortSignal): Promise<readonly Reading[]>;
  /**
   * Writes one point; resolves when the device has confirmed it.
   * @throws {Fault} `DEVICE_REFUSED` when the device says no or the address can not be written, `VALUE_INVALID` when
   * the raw value does not fit the address, `LINK_LOST` when the link is gone.
   */
  write(station: Station, point: Point<Address>, raw: Raw, signal: AbortSignal): Promise<void>;
  /**
   * Calls something and resolves with its answer. Present when the driver has `command`.
   * @throws {Fault} `DEVICE_REFUSED` when the device says no, `VALUE_INVALID` when an argument does not fit, `LINK_LOST`.
   */
  call?(station: Station, command: Command, args: readonly Value[], signal: AbortSignal): Promise<Value>;
  /**
   * Yields readings of the pushed points of one device as they come, until the signal aborts. Runs beside reads and
   * writes. The first batch brings every point once, as soon as it is known. Present when the driver has `isPushed`.
   * @throws {Fault} `LINK_LOST` when the link is gone.
   */
  watch?(station: Station, points: readonly Point<Address>[], signal: AbortSignal): AsyncIterable<readonly Pushed[]>;
  /**
   * What the device says of itself, such as `{ vendor: "Acme", product: "PM 300" }`; empty when it has no such thing.
   * @throws {Fault} as `read` does.
   */
  describe?(station: Station, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** What this device has taught the driver since the link was opened, and until when it is believed. */
  learned?(station: Station): readonly Lesson[];
  /** The last requests on this link with their answers, the oldest first: a ring of at most 32. */
  readonly exchanges?: readonly Exchange[];
}

/** A limit of a device that its manual may not tell. */
export interface Lesson {
  /** `hole`: these do not exist; `limit`: so many at most may be asked at once. */
  readonly kind: "hole" | "limit";
  /** Part of the device that it concerns, such as the table `holding`. */
  readonly table: string;
  readonly start: number;
  readonly count: number;
  /** Milliseconds since the Unix epoch; then it is tried afresh. */
  readonly until: number;
}

/**
 * What is said on a link: bytes as the protocol has them, without what only carries them (for Modbus unit and PDU), or
 * JSON where it has services rather than bytes (OPC UA).
 */
export type Content = Uint8Array | { readonly [name: string]: Value };

/** One request on a link and what came of it. */
export interface Exchange<Said extends Content = Content> {
  /** When it was sent or, without a request, when the answer came, in milliseconds since the Unix epoch. */
  readonly at: number;
  /** How long it took, in milliseconds. */
  readonly ms: number;
  /** Undefined when the device said something by itself. */
  readonly request: Said | undefined;
  /** Undefined when none came; empty bytes when none was due. */
  readonly answer: Said | undefined;
  /** What was wrong, in words; absent when all was well. */
  readonly error?: string;
  /** What the driver made of the answer, in words, such as `2 frames, the checksum is right`. */
  readonly note?: string;
  /** Which station it was with, as the caller passed it, where the content does not tell. */
  readonly station?: unknown;
}

/** An exchange as people read it. */
export interface Told {
  /** Such as `unit 3: read holding 10 to 13 (function 3)`. */
  readonly asked: string;
  /** Such as `4 registers: 000a 0014 001e 0028`, `illegal data address (exception 2)` or `nothing`. */
  readonly said: string;
}

/** What is known of a device beyond its declaration. */
export interface Experience {
  readonly lessons?: readonly Lesson[];
  /** The middle of the measured times from request to answer, in milliseconds. */
  readonly roundTripMs?: number | undefined;
}

/** How some points of one device are read together: once is a cycle. */
export interface Plan {
  readonly requests: readonly PlanRow[];
  /** Registers, or what else the protocol counts, that one cycle asks for, and those of them that nobody wants. */
  readonly asked: number;
  readonly wasted: number;
  /** Estimated time of one cycle; undefined when nothing is known about the link. */
  readonly cycleMs: number | undefined;
  /** Where the estimate comes from, in words. */
  readonly basis: string;
  /** What will not work, such as a cycle that is longer than the link's timeout; absent when all is well. */
  readonly warning?: string;
}

/** One request of a plan. */
export interface PlanRow {
  /** In words, such as `read holding 10 to 13`. */
  readonly request: string;
  readonly properties: readonly string[];
  readonly asked: number;
  readonly wasted: number;
  /** On the wire in both directions, with the frames. */
  readonly bytes: number;
  readonly ms: number | undefined;
}

/** One reading that came by itself: of the point at `index`. */
export interface Pushed {
  readonly index: number;
  readonly reading: Reading;
  /** True when readings of this point before this one were dropped on the way here, such as by a queue that was full. */
  readonly lost?: boolean;
}

/** One property of one device, and where the driver finds it. */
export interface Point<Address = unknown> {
  readonly property: string;
  readonly address: Address;
  /** How often the property is wanted, in milliseconds: the sampling interval of a pushed point. */
  readonly everyMs?: number;
}

/**
 * One answer about one point. `at` is in milliseconds since the Unix epoch: the source's time where the protocol has
 * one, otherwise when the answer arrived. `doubt` says why the device itself calls the value uncertain.
 */
export type Reading =
  | { readonly ok: true; readonly raw: Raw; readonly at: number; readonly doubt?: string }
  | { readonly ok: false; readonly fault: Fault; readonly at: number };

/** The drivers of a program by protocol, each loaded when a device first needs it. */
export type DriverTable = Readonly<Record<string, () => Promise<Driver>>>;
