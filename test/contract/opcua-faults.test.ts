import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Connection, Point, Pushed, Reading } from "#devices/driver";
import { opcua } from "#drivers/opcua/index";
import type { OpcuaAddress, OpcuaStation } from "#drivers/opcua/schema";
import { freePort, openProxy, type Wire } from "../rigs/opcua-proxy.ts";
import { openSample, PLANT_A, PLANT_B, type Sample } from "../rigs/opcua-server.ts";

const forever = new AbortController().signal;
/** Short, because these tests wait for it. */
const driver = opcua({ patience: { healMs: 3_000, silentMs: 2_500, pingMs: 500 } });
const station = driver.station.parse({ namespaceUri: PLANT_A, publishingInterval: "50ms" });
const moving = pointOf("Moving");
const missing = pointOf("Missing");

describe("a server that stays", () => {
  let sample: Sample;
  beforeAll(async () => {
    sample = await openSample({ limit: 3 });
  });
  afterAll(async () => {
    await sample[Symbol.asyncDispose]();
  });

  test("tells every point first, then each change as it comes", async () => {
    await using bench = await open(sample);
    sample.setMoving(1);
    using watched = watch(bench.connection, [moving, missing, pointOf("First")]);
    const first = await watched.next();
    expect(first.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(first.map(({ reading }) => codeOf(reading))).toEqual(["ok", "DEVICE_REFUSED", "ok"]);
    for (const value of [2, 3, 4]) {
      sample.setMoving(value);
      await watched.until(0, value);
    }
  });

  test("is asked in pieces when it takes few nodes at once", async () => {
    await using bench = await open(sample);
    sample.setMoving(7);
    const points = Array.from({ length: 20 }, () => moving);
    const readings = await bench.connection.read(station, points, forever);
    expect(readings.map((reading) => reading.ok && reading.raw)).toEqual(points.map(() => 7));
    using watched = watch(bench.connection, points);
    expect(await watched.next()).toHaveLength(20);
    sample.setMoving(8);
    const told = new Set<number>();
    while (told.size < points.length)
      for (const { index, reading } of await watched.next()) if (reading.ok && reading.raw === 8) told.add(index);
  });

  test("tells the quality that its status code says, with the name of the code", async () => {
    await using bench = await open(sample);
    const doubtful = [pointOf("Doubtful")];
    const read = async () => (await bench.connection.read(station, doubtful, forever))[0];
    sample.setStatus("UncertainLastUsableValue");
    expect(await read()).toMatchObject({ ok: true, raw: 21.5, doubt: "UncertainLastUsableValue" });
    sample.setStatus("BadSensorFailure");
    expect(await read()).toMatchObject({
      ok: false,
      fault: { code: "DEVICE_REFUSED", message: expect.stringContaining("BadSensorFailure") },
    });
    sample.setStatus("BadNoCommunication");
    expect(await read()).toMatchObject({ ok: false, fault: { code: "DEVICE_TIMEOUT" } });
    sample.setStatus("Good");
    expect(await read()).toMatchObject({ ok: true, raw: 21.5 });
  });

  test("pushes a bad status as a reading that is not ok, never the last good value", async () => {
    await using bench = await open(sample);
    using watched = watch(bench.connection, [pointOf("Doubtful")]);
    await watched.next();
    sample.setStatus("BadSensorFailure");
    expect(codeOf(await watched.when((reading) => !reading.ok))).toBe("DEVICE_REFUSED");
    sample.setStatus("Good");
    expect(codeOf(await watched.when((reading) => reading.ok))).toBe("ok");
  });

  test("is not written out of the node's range, and says so", async () => {
    await using bench = await open(sample);
    const { connection } = bench;
    const setpoint = pointOf("Setpoint");
    await connection.write(station, setpoint, 55, forever);
    await expect(connection.write(station, setpoint, 95, forever)).rejects.toMatchObject({
      code: "VALUE_INVALID",
      message: expect.stringContaining("BadOutOfRange"),
    });
    expect(await connection.read(station, [setpoint], forever)).toMatchObject([{ ok: true, raw: 55 }]);
  });

  test("refuses to have a read-only or missing node written, with the name of the status", async () => {
    await using bench = await open(sample);
    for (const [name, status] of [
      ["Fixed", "BadNotWritable"],
      ["Missing", "BadNodeIdUnknown"],
    ] as const) {
      const write = bench.connection.write(station, pointOf(name), 1, forever);
      await expect(write).rejects.toMatchObject({ code: "DEVICE_REFUSED", message: expect.stringMatching(status) });
    }
  });

  test("does not know a namespace, and only the points in it fail", async () => {
    await using bench = await open(sample);
    const stray = { property: "stray", address: driver.address.parse({ nodeId: "nsu=urn:nowhere;s=Moving" }) };
    const readings = await bench.connection.read(station, [stray, moving], forever);
    expect(readings.map(codeOf)).toEqual(["DEVICE_REFUSED", "ok"]);
  });
});

describe("a connection that breaks", () => {
  let sample: Sample;
  beforeAll(async () => {
    sample = await openSample();
  });
  afterAll(async () => {
    await sample[Symbol.asyncDispose]();
  });

  test("heals within the session: what changed meanwhile is told, and the watch goes on", async () => {
    await using bench = await open(sample);
    sample.setMoving(10);
    using watched = watch(bench.connection, [moving]);
    await watched.next();
    bench.proxy.cut();
    sample.setMoving(11);
    await watched.until(0, 11);
    sample.setMoving(12);
    await watched.until(0, 12);
    expect(await bench.connection.read(station, [moving], forever)).toMatchObject([{ ok: true, raw: 12 }]);
  });

  test("is lost when it can not heal, and says so to everybody", async () => {
    await using bench = await open(sample);
    using watched = watch(bench.connection, [moving]);
    await watched.next();
    bench.proxy.refuse(true);
    bench.proxy.cut();
    await expect(watched.end()).rejects.toMatchObject({ code: "LINK_LOST" });
    await expect(bench.connection.read(station, [moving], forever)).rejects.toMatchObject({ code: "LINK_LOST" });
  });

  test("is lost when nothing comes through although it stands", async () => {
    await using bench = await open(sample);
    using watched = watch(bench.connection, [moving]);
    await watched.next();
    bench.proxy.mute(true);
    await expect(watched.end()).rejects.toMatchObject({ code: "LINK_LOST" });
  });

  test("is lost when the server ends the session, and can be opened again", async () => {
    await using bench = await open(sample);
    using watched = watch(bench.connection, [moving]);
    await watched.next();
    const { engine } = sample.server;
    for (const session of Object.values(sessionsOf(engine)))
      engine.closeSession(session.authenticationToken, true, "Forcing");
    await expect(watched.end()).rejects.toMatchObject({ code: "LINK_LOST" });
    await using again = await connect(bench.proxy);
    expect(await again.read(station, [moving], forever)).toMatchObject([{ ok: true }]);
  });
});

describe("a server that restarts", () => {
  test("loses the link, and tells the right values under the same names although its namespaces have other numbers", async () => {
    const port = await freePort();
    const before = await openSample({ port });
    await using proxy = await openProxy(port);
    await using connection = await connect(proxy);
    using watched = watch(connection, [moving]);
    await watched.next();
    await before[Symbol.asyncDispose]();
    await using after = await openSample({ port, namespaces: [PLANT_B, PLANT_A] });
    after.setMoving(77);
    await expect(watched.end()).rejects.toMatchObject({ code: "LINK_LOST" });
    await using again = await connect(proxy);
    using anew = watch(again, [moving]);
    await anew.until(0, 77);
    expect(await again.read(station, [moving], forever)).toMatchObject([{ ok: true, raw: 77 }]);
  });
});

function pointOf(name: string): Point<OpcuaAddress> {
  return { property: name, address: driver.address.parse({ nodeId: `s=${name}` }), everyMs: 50 };
}

function codeOf(reading: Reading): string {
  return reading.ok ? "ok" : reading.fault.code;
}

interface Bench extends AsyncDisposable {
  readonly proxy: Wire;
  readonly connection: Connection<OpcuaStation, OpcuaAddress>;
}

async function open({ port }: Sample): Promise<Bench> {
  const proxy = await openProxy(port);
  const connection = await connect(proxy);
  return {
    proxy,
    connection,
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

async function connect({ port }: Wire) {
  const endpoint = `opc.tcp://127.0.0.1:${port}/plant`;
  const link = driver.link.parse({ endpoint, security: { mode: "None", insecure: true } });
  return await driver.connect(link, forever);
}

/** A watch in the hands of a test. */
function watch(connection: Connection<OpcuaStation, OpcuaAddress>, points: readonly Point<OpcuaAddress>[]) {
  const stop = new AbortController();
  const batches = connection.watch?.(station, points, stop.signal)[Symbol.asyncIterator]();
  if (!batches) throw new Error("the connection can not watch");
  const next = async (): Promise<readonly Pushed[]> => {
    const { done, value } = await batches.next();
    if (done) throw new Error("the watch ended");
    return value;
  };
  const find = async (wanted: (pushed: Pushed) => boolean): Promise<Reading> => {
    for (;;) {
      const found = (await next()).find(wanted);
      if (found) return found.reading;
    }
  };
  return {
    next,
    until: (index: number, raw: number) =>
      find((pushed) => pushed.index === index && pushed.reading.ok && pushed.reading.raw === raw),
    when: (wanted: (reading: Reading) => boolean) => find(({ reading }) => wanted(reading)),
    /** Reads on until the watch throws. */
    end: () => find(() => false),
    [Symbol.dispose]() {
      stop.abort();
      void batches.return?.(undefined);
    },
  };
}

function sessionsOf(engine: Sample["server"]["engine"]) {
  return (engine as unknown as { readonly _sessions: Record<string, { readonly authenticationToken: never }> })
    ._sessions;
}
