import { describe, expect, test } from "@jest/globals";
import type { Connection, Driver, Point, Raw, Reading } from "#devices/driver";
import { problems } from "#std/schema";

/** Two equal devices on one link. Links, stations and addresses are as people write them; the contract parses them. */
export interface Rig extends AsyncDisposable {
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

const forever = new AbortController().signal;

/** What every driver promises. A new driver passes these tests before it gets any of its own. */
export function keepsDriverContract(protocol: string, openRig: () => Promise<Rig>): void {
  describe(`the ${protocol} driver`, () => {
    test("is called by its protocol", async () => {
      await using rig = await openRig();
      expect(rig.driver.protocol).toBe(protocol);
    });

    test("refuses fields that it does not know, with their names", async () => {
      await using rig = await openRig();
      const { driver, link, stations, addresses } = rig;
      const extended = (value: unknown) => ({ ...(value as object), colour: "red" });
      expect(problems(driver.link, extended(link)).map(({ path }) => path)).toContain("colour");
      expect(problems(driver.station, extended(stations[0])).map(({ path }) => path)).toContain("colour");
      expect(problems(driver.address, extended(addresses.first))).not.toEqual([]);
    });

    test("answers each point at its own place, whatever the order, and as often as it is asked", async () => {
      await using bench = await open(openRig);
      const { connection, stations, points } = bench;
      await connection.write(stations[0], points.first, 11, forever);
      await connection.write(stations[0], points.second, 22, forever);
      for (const order of ["first second", "second first", "first second first", "second moving first"]) {
        const names = order.split(" ") as (keyof typeof points)[];
        const readings = await connection.read(stations[0], pick(points, names), forever);
        const expected = { first: 11, second: 22, moving: bench.moving, refused: undefined };
        expect(raws(readings)).toEqual(names.map((name) => expected[name]));
      }
    });

    test("reads nothing when it is asked for nothing", async () => {
      await using bench = await open(openRig);
      expect(await bench.connection.read(bench.stations[0], [], forever)).toEqual([]);
    });

    test("says what the device says now, not what it said before", async () => {
      await using bench = await open(openRig);
      const asked = [bench.points.moving];
      for (let visit = 0; visit < 3; visit++) {
        const expected = bench.rig.change();
        expect(raws(await bench.connection.read(bench.stations[0], asked, forever))).toEqual([expected]);
      }
    });

    test("reads back what it wrote", async () => {
      await using bench = await open(openRig);
      const { connection, stations, points } = bench;
      for (const raw of [0, 7, 100]) {
        await connection.write(stations[0], points.first, raw, forever);
        expect(raws(await connection.read(stations[0], [points.first], forever))).toEqual([raw]);
      }
    });

    test("keeps two devices on one link apart, although they share their points", async () => {
      await using bench = await open(openRig);
      const { connection, stations, points } = bench;
      const shared = [points.first, points.second];
      for (const [i, station] of stations.entries()) await connection.write(station, points.first, 10 + i, forever);
      for (const [i, station] of stations.entries()) {
        expect(raws(await connection.read(station, shared, forever))[0]).toBe(10 + i);
      }
    });

    test("does not let a refused point spoil the others, at any visit", async () => {
      await using bench = await open(openRig);
      const { connection, stations, points } = bench;
      await connection.write(stations[0], points.second, 22, forever);
      const asked = [points.refused, points.moving, points.second];
      for (let visit = 0; visit < 3; visit++) {
        const readings = await connection.read(stations[0], asked, forever);
        expect(raws(readings)).toEqual([undefined, bench.moving, 22]);
        expect(codes(readings)).toEqual(["DEVICE_REFUSED", "ok", "ok"]);
      }
    });

    test("refuses to write what can not be written, and stays usable", async () => {
      await using bench = await open(openRig);
      const { connection, stations, points } = bench;
      await expect(connection.write(stations[0], points.moving, 1, forever)).rejects.toMatchObject({
        code: "DEVICE_REFUSED",
      });
      await connection.write(stations[0], points.first, 5, forever);
    });

    test("refuses a value that does not fit, and leaves the old one", async () => {
      await using bench = await open(openRig);
      const { connection, stations, points } = bench;
      await connection.write(stations[0], points.first, 5, forever);
      const write = connection.write(stations[0], points.first, "warm", forever);
      await expect(write).rejects.toMatchObject({ code: "VALUE_INVALID" });
      expect(raws(await connection.read(stations[0], [points.first], forever))).toEqual([5]);
    });

    test("tells when an answer arrived", async () => {
      await using bench = await open(openRig);
      const [reading] = await bench.connection.read(bench.stations[0], [bench.points.first], forever);
      expect(reading?.at).toBeGreaterThan(0);
    });

    test("rejects with the signal's reason when the device is silent, and goes on when it is back", async () => {
      await using bench = await open(openRig);
      const { connection, rig, stations, points } = bench;
      const reason = new Error("enough");
      for (const call of ["read", "write"] as const) {
        const stop = new AbortController();
        rig.mute(true);
        const silent =
          call === "read"
            ? connection.read(stations[0], [points.first], stop.signal)
            : connection.write(stations[0], points.first, 1, stop.signal);
        stop.abort(reason);
        await expect(silent).rejects.toBe(reason);
        rig.mute(false);
        await connection.write(stations[0], points.first, 42, forever);
        expect(raws(await connection.read(stations[0], [points.first], forever))).toEqual([42]);
      }
    });

    test("does nothing for a signal that has aborted already", async () => {
      await using bench = await open(openRig);
      const { connection, rig, stations, points } = bench;
      const reason = new Error("too late");
      const over = AbortSignal.abort(reason);
      await connection.write(stations[0], points.first, 3, forever);
      await expect(connection.read(stations[0], [points.first], over)).rejects.toBe(reason);
      await expect(connection.write(stations[0], points.first, 4, over)).rejects.toBe(reason);
      await expect(rig.driver.connect(rig.driver.link.parse(rig.link), over)).rejects.toBe(reason);
      expect(raws(await connection.read(stations[0], [points.first], forever))).toEqual([3]);
    });

    test("rejects with the signal's reason when it is told to stop while it connects", async () => {
      await using rig = await openRig();
      const reason = new Error("enough");
      const stop = new AbortController();
      rig.mute(true);
      const connecting = rig.driver.connect(rig.driver.link.parse(rig.link), stop.signal);
      stop.abort(reason);
      await expect(connecting).rejects.toBe(reason);
    });

    test("says LINK_LOST when nobody is there", async () => {
      await using rig = await openRig();
      if (rig.deadLink === undefined) return;
      const connecting = rig.driver.connect(rig.driver.link.parse(rig.deadLink), forever);
      await expect(connecting).rejects.toMatchObject({ code: "LINK_LOST" });
    });

    test("can be closed twice, and is closed then", async () => {
      await using bench = await open(openRig);
      const { connection, stations, points } = bench;
      await connection[Symbol.asyncDispose]();
      await connection[Symbol.asyncDispose]();
      await expect(connection.read(stations[0], [points.first], forever)).rejects.toMatchObject({ code: "LINK_LOST" });
      const write = connection.write(stations[0], points.first, 1, forever);
      await expect(write).rejects.toMatchObject({ code: "LINK_LOST" });
    });

    test("can be connected again after it was closed", async () => {
      await using bench = await open(openRig);
      const { connection, rig, stations, points } = bench;
      await connection[Symbol.asyncDispose]();
      await using again = await rig.driver.connect(rig.driver.link.parse(rig.link), forever);
      expect(codes(await again.read(stations[0], [points.first], forever))).toEqual(["ok"]);
    });
  });
}

type Points = Readonly<Record<keyof Rig["addresses"], Point>>;

/** A rig with an open connection and everything parsed. */
interface Bench extends AsyncDisposable {
  readonly rig: Rig;
  readonly connection: Connection;
  readonly stations: readonly [unknown, unknown];
  readonly points: Points;
  /** What `moving` says now. */
  readonly moving: Raw;
}

async function open(openRig: () => Promise<Rig>): Promise<Bench> {
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

function pick(points: Points, names: readonly (keyof Points)[]): readonly Point[] {
  return names.map((name) => points[name]);
}

function raws(readings: readonly Reading[]): readonly (Raw | undefined)[] {
  return readings.map((reading) => (reading.ok ? reading.raw : undefined));
}

function codes(readings: readonly Reading[]): readonly string[] {
  return readings.map((reading) => (reading.ok ? "ok" : reading.fault.code));
}
