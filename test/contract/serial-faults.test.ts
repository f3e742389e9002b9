import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Connection, Point, Reading } from "#devices/driver";
import { serial } from "#drivers/serial/index";
import { systemPorts } from "#drivers/serial/port";
import type { SerialStation } from "#drivers/serial/schema/station";
import { openPty, type Pty } from "#drivers/serial/simulator";
import { Fault } from "#std/fault";
import { ptyObstacle } from "../rigs/modbus-pty.ts";
import {
  ANSWER_MS,
  type FaultySerial,
  LATE_ANSWER_MS,
  late,
  mischiefs,
  openFaultySerial,
  type Speech,
  speeches,
} from "../rigs/serial-faulty.ts";

const driver = serial();
const forever = new AbortController().signal;
/** Longer than any exchange of these tests; a visit that takes as long is a failure. */
const VISIT_MS = 5_000;

for (const [kind, speech] of Object.entries(speeches)) {
  const points = [0, 1].map((cell) => ({ property: `p${cell}`, address: driver.address.parse(speech.address(cell)) }));
  const once = stationOf(speech, 0);

  describe(`a serial device of ${kind} that`, () => {
    for (const [how, [outcomes, mischief]] of Object.entries(mischiefs)) {
      const timeoutMs = mischief === late ? LATE_ANSWER_MS : ANSWER_MS;
      const once = stationOf(speech, 0, timeoutMs);
      const twice = stationOf(speech, 1, timeoutMs);

      test(`${how} never gives a wrong value, and is read again by the next visit or connection`, async () => {
        await using device = await openFaultySerial(speech);
        let connection = await connect(device);
        set(device, 100);
        expect(await visit(connection, once, points)).toEqual({ outcome: "ok", raws: [100, 101] });

        set(device, 200);
        device.misbehave(mischief);
        const seen = await visit(connection, once, points);
        expect(outcomes).toContain(seen.outcome);
        for (const [i, raw] of seen.raws.entries()) expect([undefined, 200 + i]).toContain(raw);

        for (const value of [300, 400]) {
          set(device, value);
          if (seen.outcome === "LINK_LOST" && value === 300) {
            expect(await visit(connection, once, points)).toEqual({ outcome: "LINK_LOST", raws: [] });
            await connection[Symbol.asyncDispose]();
            connection = await connect(device);
          }
          expect(await visit(connection, once, points)).toEqual({ outcome: "ok", raws: [value, value + 1] });
        }
        await connection[Symbol.asyncDispose]();
      });

      test(`${how} ${outcomes.includes("LINK_LOST") ? "ends the link" : "is asked again in the same visit"}`, async () => {
        await using device = await openFaultySerial(speech);
        await using connection = await connect(device);
        set(device, 100);
        expect((await visit(connection, twice, points)).outcome).toBe("ok");
        set(device, 200);
        device.misbehave(mischief);
        const expected = outcomes.includes("LINK_LOST")
          ? { outcome: "LINK_LOST", raws: [] }
          : { outcome: "ok", raws: [200, 201] };
        expect(await visit(connection, twice, points)).toEqual(expected);
      });

      test(`${how} ${outcomes.includes("ok") ? "may confirm a write" : "does not confirm a write"}`, async () => {
        await using device = await openFaultySerial(speech);
        await using connection = await connect(device);
        const [point] = points as [Point, Point];
        await connection.write(once, point, 1, forever);
        device.misbehave(mischief);
        const seen = await outcomeOf(connection.write(once, point, 2, forever).then(() => []));
        expect(outcomes).toContain(seen.outcome);
      });
    }

    test("is given up while it answers is read rightly by the next visit", async () => {
      await using device = await openFaultySerial(speech);
      await using connection = await connect(device);
      for (const value of [100, 200, 300]) {
        set(device, value);
        const stop = new AbortController();
        const reason = new Error("enough");
        device.misbehave(({ good }, socket) => {
          stop.abort(reason);
          setImmediate(() => socket.write(good));
        });
        await expect(connection.read(once, points, stop.signal)).rejects.toBe(reason);
        set(device, value + 50);
        expect(await visit(connection, once, points)).toEqual({ outcome: "ok", raws: [value + 50, value + 51] });
      }
    });

    test("is always too slow gives no value rather than that of an earlier request", async () => {
      await using device = await openFaultySerial(speech);
      await using connection = await connect(device);
      device.misbehave(late, true);
      const twice = stationOf(speech, 1, LATE_ANSWER_MS);
      for (const value of [100, 200, 300]) {
        set(device, value);
        const seen = await visit(connection, twice, points.slice(0, 1));
        expect(seen).toEqual({ outcome: "DEVICE_TIMEOUT", raws: [undefined] });
      }
    });

    test("never answers again is given up after eight requests, so that a dead serial server is found", async () => {
      await using device = await openFaultySerial(speech);
      await using connection = await connect(device);
      device.misbehave(() => {}, true);
      for (let i = 0; i < 8; i++)
        expect(await visit(connection, once, points)).toEqual({
          outcome: "DEVICE_TIMEOUT",
          raws: [undefined, undefined],
        });
      expect((await visit(connection, once, points)).outcome).toBe("LINK_LOST");
      expect(device.asked).toBe(8);
    });
  });
}

const obstacle = ptyObstacle();
const onTty = obstacle === undefined ? describe : describe.skip;

for (const [kind, speech] of Object.entries(speeches)) {
  const points = [0, 1].map((cell) => ({ property: `p${cell}`, address: driver.address.parse(speech.address(cell)) }));

  onTty(`a serial device of ${kind} at a real port (${obstacle ?? "a pseudo-terminal"}) that`, () => {
    let device: FaultySerial;
    let port: Pty;
    let connection: Connection;

    // One for all: what one mischief leaves behind must not harm the next.
    beforeAll(async () => {
      device = await openFaultySerial(speech);
      port = await openPty(device.link);
      connection = await driver.connect(driver.link.parse({ path: port.path, baudRate: 115_200 }), forever);
    });
    afterAll(async () => {
      for (const one of [connection, port, device]) await one[Symbol.asyncDispose]();
    });

    const staying = Object.entries(mischiefs).filter(([, [outcomes]]) => !outcomes.includes("LINK_LOST"));
    for (const [i, [how, [outcomes, mischief]]] of staying.entries()) {
      // Another process carries the bytes here, and it has to have its turn.
      const once = stationOf(speech, 0, mischief === late ? LATE_ANSWER_MS : 3 * ANSWER_MS);

      test(`${how} never gives a wrong value, and is read again by the next visit`, async () => {
        const value = 1_000 * (i + 1);
        set(device, value);
        expect(await visit(connection, once, points)).toEqual({ outcome: "ok", raws: [value, value + 1] });
        set(device, value + 100);
        device.misbehave(mischief);
        const seen = await visit(connection, once, points);
        expect(outcomes).toContain(seen.outcome);
        for (const [i, raw] of seen.raws.entries()) expect([undefined, value + 100 + i]).toContain(raw);
        set(device, value + 200);
        expect(await visit(connection, once, points)).toEqual({ outcome: "ok", raws: [value + 200, value + 201] });
      });
    }
  });
}

onTty(`a serial adapter that is pulled out (${obstacle ?? "a pseudo-terminal"})`, () => {
  const speech = speeches["lines with a checksum"];
  const points = [0, 1].map((cell) => ({ property: `p${cell}`, address: driver.address.parse(speech.address(cell)) }));

  test("loses the link, is not there until it is put in again, and is found under its new name", async () => {
    await using device = await openFaultySerial(speech);
    set(device, 1);
    let port: Pty | undefined = await openPty(device.link);
    const list = async () => (port ? [{ path: port.path, vendorId: "0403", productId: "6001" }] : []);
    const here = serial({ ports: { ...systemPorts, list } });
    const link = here.link.parse({ usb: { vendor: "0403", product: "6001" } });
    const station = stationOf(speech, 0);
    await using connection = await here.connect(link, forever);
    expect(await visit(connection, station, points)).toEqual({ outcome: "ok", raws: [1, 2] });
    await port[Symbol.asyncDispose]();
    port = undefined;
    expect(await visit(connection, station, points)).toEqual({ outcome: "LINK_LOST", raws: [] });
    await expect(here.connect(link, forever)).rejects.toMatchObject({ code: "LINK_LOST" });
    await using again = await openPty(device.link);
    port = again;
    set(device, 5);
    await using back = await here.connect(link, forever);
    expect(await visit(back, station, points)).toEqual({ outcome: "ok", raws: [5, 6] });
  });
});

function stationOf(speech: Speech, retries: number, timeoutMs = ANSWER_MS): SerialStation {
  return driver.station.parse({ ...speech.station, retries, timeout: `${timeoutMs}ms` });
}

async function connect({ link }: FaultySerial): Promise<Connection> {
  return await driver.connect(driver.link.parse(link), forever);
}

/** Makes the device hold something that it never held before, so that an old answer is seen to be old. */
function set({ cells }: FaultySerial, value: number): void {
  cells.splice(0, 2, value, value + 1);
}

async function visit(connection: Connection, station: unknown, points: readonly Point[]) {
  return await outcomeOf(connection.read(station, points, AbortSignal.timeout(VISIT_MS)));
}

async function outcomeOf(call: Promise<readonly Reading[]>): Promise<{ outcome: string; raws: readonly unknown[] }> {
  try {
    const readings = await call;
    const bad = readings.find((reading) => !reading.ok);
    const raws = readings.map((reading) => (reading.ok ? reading.raw : undefined));
    return { outcome: bad && !bad.ok ? bad.fault.code : "ok", raws };
  } catch (error) {
    if (Fault.is(error)) return { outcome: error.code, raws: [] };
    throw error;
  }
}
