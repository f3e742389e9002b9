/**
 * The contract of drivers for those who write one: `import … from "skerry/testing"`. It knows no test runner: each promise
 * has a name and rejects when it is broken.
 */
import assert from "node:assert/strict";
import { problems, type Schema } from "#std/schema";
import { codes, type DriverRig, forever, openBench, pick, raws } from "./bench.ts";
import { formatExchange, parseExchanges } from "./recording.ts";

export type { DriverRig };

/** One promise of a contract. */
export interface Promised {
  /** A sentence about the driver. */
  readonly name: string;
  /** Rejects with what is wrong when the promise is broken. */
  run(): Promise<void>;
}

/**
 * What every driver promises; each promise gets a rig of its own. A new driver keeps these before it gets other tests.
 * @param limitMs - longest time of one promise: a driver that does not listen to its signals would wait for ever.
 */
export function driverContract(
  protocol: string,
  openRig: () => Promise<DriverRig>,
  { limitMs = 15_000 }: { readonly limitMs?: number } = {},
): readonly Promised[] {
  return promises(protocol, openRig).map(({ name, run }) => ({ name, run: () => within(limitMs, run) }));
}

async function within(limitMs: number, run: () => Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(reject, limitMs, new assert.AssertionError({ message: `is not done after ${limitMs} ms` }));
  try {
    await Promise.race([run(), promise]);
  } finally {
    clearTimeout(timer);
  }
}

function promises(protocol: string, openRig: () => Promise<DriverRig>): readonly Promised[] {
  return [
    {
      name: "is called by its protocol",
      async run() {
        await using rig = await openRig();
        assert.equal(rig.driver.protocol, protocol);
      },
    },

    {
      name: "refuses fields that it does not know, with their names",
      async run() {
        await using rig = await openRig();
        const { driver, link, stations, addresses } = rig;
        const extended = (value: unknown) => ({ ...(value as object), colour: "red" });
        assert.ok(pathsOf(driver.link, extended(link)).includes("colour"), "link takes a field that it does not know");
        assert.ok(
          pathsOf(driver.station, extended(stations[0])).includes("colour"),
          "station takes a field that it does not know",
        );
        assert.notDeepEqual(
          pathsOf(driver.address, extended(addresses.first)),
          [],
          "address takes a field that it does not know",
        );
      },
    },

    {
      name: "answers each point at its own place, whatever the order, and as often as it is asked",
      async run() {
        await using bench = await openBench(openRig);
        const { connection, stations, points } = bench;
        await connection.write(stations[0], points.first, 11, forever);
        await connection.write(stations[0], points.second, 22, forever);
        for (const order of ["first second", "second first", "first second first", "second moving first"]) {
          const names = order.split(" ") as (keyof typeof points)[];
          const readings = await connection.read(stations[0], pick(points, names), forever);
          const expected = { first: 11, second: 22, moving: bench.moving, refused: undefined };
          assert.deepEqual(
            raws(readings),
            names.map((name) => expected[name]),
          );
        }
      },
    },

    {
      name: "reads nothing when it is asked for nothing",
      async run() {
        await using bench = await openBench(openRig);
        assert.deepEqual(await bench.connection.read(bench.stations[0], [], forever), []);
      },
    },

    {
      name: "says what the device says now, not what it said before",
      async run() {
        await using bench = await openBench(openRig);
        const asked = [bench.points.moving];
        for (let visit = 0; visit < 3; visit++) {
          const expected = bench.rig.change();
          assert.deepEqual(raws(await bench.connection.read(bench.stations[0], asked, forever)), [expected]);
        }
      },
    },

    {
      name: "reads back what it wrote",
      async run() {
        await using bench = await openBench(openRig);
        const { connection, stations, points } = bench;
        for (const raw of [0, 7, 100]) {
          await connection.write(stations[0], points.first, raw, forever);
          assert.deepEqual(raws(await connection.read(stations[0], [points.first], forever)), [raw]);
        }
      },
    },

    {
      name: "keeps two devices on one link apart, although they share their points",
      async run() {
        await using bench = await openBench(openRig);
        const { connection, stations, points } = bench;
        const shared = [points.first, points.second];
        for (const [i, station] of stations.entries()) await connection.write(station, points.first, 10 + i, forever);
        for (const [i, station] of stations.entries()) {
          assert.equal(raws(await connection.read(station, shared, forever))[0], 10 + i);
        }
      },
    },

    {
      name: "does not let a refused point spoil the others, at any visit",
      async run() {
        await using bench = await openBench(openRig);
        const { connection, stations, points } = bench;
        await connection.write(stations[0], points.second, 22, forever);
        const asked = [points.refused, points.moving, points.second];
        for (let visit = 0; visit < 3; visit++) {
          const readings = await connection.read(stations[0], asked, forever);
          assert.deepEqual(raws(readings), [undefined, bench.moving, 22]);
          assert.deepEqual(codes(readings), ["DEVICE_REFUSED", "ok", "ok"]);
        }
      },
    },

    {
      name: "refuses to write what can not be written, and stays usable",
      async run() {
        await using bench = await openBench(openRig);
        const { connection, stations, points } = bench;
        await assert.rejects(connection.write(stations[0], points.moving, 1, forever), { code: "DEVICE_REFUSED" });
        await connection.write(stations[0], points.first, 5, forever);
      },
    },

    {
      name: "refuses a value that does not fit, and leaves the old one",
      async run() {
        await using bench = await openBench(openRig);
        const { connection, stations, points } = bench;
        await connection.write(stations[0], points.first, 5, forever);
        const write = connection.write(stations[0], points.first, "warm", forever);
        await assert.rejects(write, { code: "VALUE_INVALID" });
        assert.deepEqual(raws(await connection.read(stations[0], [points.first], forever)), [5]);
      },
    },

    {
      name: "tells when an answer arrived",
      async run() {
        await using bench = await openBench(openRig);
        const [reading] = await bench.connection.read(bench.stations[0], [bench.points.first], forever);
        assert.ok((reading?.at ?? 0) > 0, "a reading has no time");
      },
    },

    {
      name: "rejects with the signal's reason when the device is silent, and goes on when it is back",
      async run() {
        await using bench = await openBench(openRig);
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
          await assert.rejects(silent, is(reason));
          rig.mute(false);
          await connection.write(stations[0], points.first, 42, forever);
          assert.deepEqual(raws(await connection.read(stations[0], [points.first], forever)), [42]);
        }
      },
    },

    {
      name: "does nothing for a signal that has aborted already",
      async run() {
        await using bench = await openBench(openRig);
        const { connection, rig, stations, points } = bench;
        const reason = new Error("too late");
        const over = AbortSignal.abort(reason);
        await connection.write(stations[0], points.first, 3, forever);
        await assert.rejects(connection.read(stations[0], [points.first], over), is(reason));
        await assert.rejects(connection.write(stations[0], points.first, 4, over), is(reason));
        await assert.rejects(rig.driver.connect(rig.driver.link.parse(rig.link), over), is(reason));
        assert.deepEqual(raws(await connection.read(stations[0], [points.first], forever)), [3]);
      },
    },

    {
      name: "rejects with the signal's reason when it is told to stop while it connects",
      async run() {
        await using rig = await openRig();
        const reason = new Error("enough");
        const stop = new AbortController();
        rig.mute(true);
        const connecting = rig.driver.connect(rig.driver.link.parse(rig.link), stop.signal);
        stop.abort(reason);
        await assert.rejects(connecting, is(reason));
      },
    },

    {
      name: "keeps at most 32 exchanges when it keeps any, each in words, of one device, and fit for a recording",
      async run() {
        await using bench = await openBench(openRig);
        const { connection, stations, points } = bench;
        const { driver } = bench.rig;
        if (connection.exchanges === undefined) return;
        for (let visit = 0; visit < 40; visit++)
          await connection.read(visit % 2 === 0 ? stations[0] : stations[1], [points.first], forever);
        const { exchanges } = connection;
        assert.ok(exchanges.length > 0 && exchanges.length <= 32, `${exchanges.length} exchanges are kept`);
        for (const exchange of exchanges) {
          const { asked, said } = driver.tell?.(exchange) ?? { asked: "", said: "" };
          assert.ok(asked !== "" && said !== "", "an exchange is not told in words");
          const line = formatExchange(exchange);
          assert.deepEqual(parseExchanges(line).map(formatExchange), [line]);
          if (driver.isWith) assert.equal(stations.filter((it) => driver.isWith?.(it, exchange)).length, 1);
        }
      },
    },

    {
      name: "says LINK_LOST when nobody is there",
      async run() {
        await using rig = await openRig();
        if (rig.deadLink === undefined) return;
        const connecting = rig.driver.connect(rig.driver.link.parse(rig.deadLink), forever);
        await assert.rejects(connecting, { code: "LINK_LOST" });
      },
    },

    {
      name: "can be closed twice, and is closed then",
      async run() {
        await using bench = await openBench(openRig);
        const { connection, stations, points } = bench;
        await connection[Symbol.asyncDispose]();
        await connection[Symbol.asyncDispose]();
        await assert.rejects(connection.read(stations[0], [points.first], forever), { code: "LINK_LOST" });
        const write = connection.write(stations[0], points.first, 1, forever);
        await assert.rejects(write, { code: "LINK_LOST" });
      },
    },

    {
      name: "can be connected again after it was closed",
      async run() {
        await using bench = await openBench(openRig);
        const { connection, rig, stations, points } = bench;
        await connection[Symbol.asyncDispose]();
        await using again = await rig.driver.connect(rig.driver.link.parse(rig.link), forever);
        assert.deepEqual(codes(await again.read(stations[0], [points.first], forever)), ["ok"]);
      },
    },
  ];
}

function pathsOf(schema: Schema<unknown>, value: unknown): readonly string[] {
  return problems(schema, value).map(({ path }) => path);
}

function is(reason: Error): (error: unknown) => boolean {
  return (error) => error === reason;
}
