/** What the contract of drivers works with. */
import type { Connection, Driver, Point, Raw, Reading } from "./driver.ts";

/** Two equal devices on one link. Links, stations and addresses are as people write them; the contract parses them. */
export interface DriverRig extends AsyncDisposable {
  readonly driver: Driver;
  readonly link: unknown;
  /** A link where nobody is; absent when the protocol knows no such thing. */
  readonly deadLink?: unknown;
  readonly stations: readonly [unknown, unknown];
  readonly addresses: {
    /** Can not be written; what it says in the first device is changed by `change`. */
    readonly moving: unknown;
    /** Both can be written with the numbers 0 to 100. */
    readonly first: unknown;
    readonly second: unknown;
    /** What every device refuses to read. */
    readonly refused: unknown;
  };
  /** Makes `moving` of the first device say something new, and tells what. */
  change(): Raw;
  /** Makes the devices fall silent, or answer again. */
  mute(silent: boolean): void;
}

/** A signal that never aborts. */
export const forever: AbortSignal = new AbortController().signal;

/** The addresses of a rig, parsed. */
export type Points = Readonly<Record<keyof DriverRig["addresses"], Point>>;

/** A rig with an open connection and everything parsed. */
export interface Bench extends AsyncDisposable {
  readonly rig: DriverRig;
  readonly connection: Connection;
  readonly stations: readonly [unknown, unknown];
  readonly points: Points;
  /** What `moving` says now. */
  readonly moving: Raw;
}

/** Opens a rig. */
export async function openBench(openRig: () => Promise<DriverRig>): Promise<Bench> {
  const rig = await openRig();
  const { driver, link, stations, addresses } = rig;
  const point = (property: keyof Points): Point => ({ property, address: driver.address.parse(addresses[property]) });
  const connection = await driver.connect(driver.link.parse(link), forever);
  return {
    rig,
    connection,
    stations: [driver.station.parse(stations[0]), driver.station.parse(stations[1])],
    points: { moving: point("moving"), first: point("first"), second: point("second"), refused: point("refused") },
    moving: rig.change(),
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await rig[Symbol.asyncDispose]();
    },
  };
}

/** Points in an order, some of them perhaps twice. */
export function pick(points: Points, names: readonly (keyof Points)[]): readonly Point[] {
  return names.map((name) => points[name]);
}

/** What was read; undefined where nothing was. */
export function raws(readings: readonly Reading[]): readonly (Raw | undefined)[] {
  return readings.map((reading) => (reading.ok ? reading.raw : undefined));
}

/** `ok`, or the code of the fault. */
export function codes(readings: readonly Reading[]): readonly string[] {
  return readings.map((reading) => (reading.ok ? "ok" : reading.fault.code));
}
