import { describe, expect, test } from "@jest/globals";
import type { Connection, Point, Reading } from "#devices/driver";
import { serial } from "#drivers/serial/index";
import { Fault } from "#std/fault";
import {
  ANSWER_MS,
  type FaultySerial,
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
  const twice = stationOf(speech, 1);

  describe(`a serial device of ${kind} that`, () => {
    for (const [how, [outcomes, mischief]] of Object.entries(mischiefs)) {
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
      device.misbehave(({ good }, socket) => void setTimeout(() => socket.write(good), 1.5 * ANSWER_MS), true);
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

function stationOf(speech: Speech, retries: number): unknown {
  return driver.station.parse({ ...speech.station, retries, timeout: `${ANSWER_MS}ms` });
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
