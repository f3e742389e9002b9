import { describe, expect, test } from "@jest/globals";
import type { Connection, Reading } from "#devices/driver";
import { modbus } from "#drivers/modbus/index";
import { Fault } from "#std/fault";
import { type FaultyDevice, mischiefs, openFaultyDevice, outcomeOver } from "../rigs/faulty-modbus.ts";

const driver = modbus();
const station = driver.station.parse({});
const forever = new AbortController().signal;
/** Two requests: the device misbehaves at the first. */
const points = [
  { table: "input", register: 0 },
  { table: "input", register: 1 },
  { table: "holding", register: 5, type: "float32" },
].map((address, i) => ({ property: `p${i}`, address: driver.address.parse(address) }));
const setpoint = { property: "setpoint", address: driver.address.parse({ table: "holding", register: 9 }) };

describe.each(["tcp", "tls", "udp"] as const)("a Modbus device over %s that", (transport) => {
  for (const [how, [plain, mischief]] of Object.entries(mischiefs)) {
    const outcome = outcomeOver(transport, how, plain);
    test(`${how} never gives a wrong value, and is read again by the next visit or connection`, async () => {
      await using device = await openFaultyDevice(transport);
      const expected = [set(device, 100), 101, 1.5];
      let connection = await connect(device);
      expect(raws(await connection.read(station, points, forever))).toEqual(expected);

      set(device, 200);
      device.misbehave(mischief);
      const seen = await outcomeOf(connection.read(station, points, AbortSignal.timeout(100)));
      expect(seen.outcome).toBe(outcome);
      for (const [i, raw] of seen.raws.entries()) expect([undefined, [200, 201, 1.5][i]]).toContain(raw);

      for (const value of [300, 400]) {
        set(device, value);
        const next = await outcomeOf(connection.read(station, points, AbortSignal.timeout(5000)));
        if (next.outcome === "LINK_LOST") {
          await connection[Symbol.asyncDispose]();
          connection = await connect(device);
          expect(raws(await connection.read(station, points, forever))).toEqual([value, value + 1, 1.5]);
        } else expect(next).toEqual({ outcome: "ok", raws: [value, value + 1, 1.5] });
      }
      await connection[Symbol.asyncDispose]();
    });

    test(`${how} ${outcome === "ok" ? "confirms a write" : "does not confirm a write"}`, async () => {
      await using device = await openFaultyDevice(transport);
      await using connection = await connect(device);
      await connection.write(station, setpoint, 1, forever);
      device.misbehave(mischief);
      const write = connection.write(station, setpoint, 2, AbortSignal.timeout(100));
      const seen = await outcomeOf(write.then(() => []));
      expect(seen.outcome === "ok").toBe(outcome === "ok");
    });
  }
});

describe("a Modbus device that", () => {
  test("never answers again is given up after four requests, so that a dead line is found", async () => {
    await using device = await openFaultyDevice();
    await using connection = await connect(device);
    device.misbehave(() => {}, true);
    for (let visit = 0; visit < 4; visit++) {
      const silent = connection.read(station, points, AbortSignal.timeout(20));
      await expect(silent).rejects.toMatchObject({ name: "TimeoutError" });
    }
    await expect(connection.read(station, points, forever)).rejects.toMatchObject({ code: "LINK_LOST" });
    expect(device.asked).toBe(4);
  });

  test("answers now and then is not given up", async () => {
    await using device = await openFaultyDevice();
    await using connection = await connect(device);
    for (let round = 0; round < 3; round++) {
      for (let visit = 0; visit < 3; visit++) {
        device.misbehave(() => {});
        const silent = connection.read(station, points, AbortSignal.timeout(20));
        await expect(silent).rejects.toMatchObject({ name: "TimeoutError" });
      }
      await connection.read(station, points, forever);
    }
  });

  test("is gone while nobody asks is noticed at the next visit", async () => {
    const device = await openFaultyDevice();
    await using connection = await connect(device);
    await connection.read(station, points, forever);
    await device[Symbol.asyncDispose]();
    const { host, port } = device.link;
    const gone = connection.read(station, points, forever);
    await expect(gone).rejects.toThrow(`${host}:${port}`);
    await expect(connection.read(station, points, forever)).rejects.toMatchObject({ code: "LINK_LOST" });
  });
});

async function connect({ link }: FaultyDevice): Promise<Connection> {
  return await driver.connect(driver.link.parse(link), forever);
}

/** Makes the device hold something that it never held before, so that an old answer is seen to be old. */
function set({ device }: FaultyDevice, value: number): number {
  device.input.set([value, value + 1]);
  device.holding.set([0x3fc0, 0], 5);
  return value;
}

function raws(readings: readonly Reading[]): readonly unknown[] {
  return readings.map((reading) => (reading.ok ? reading.raw : undefined));
}

async function outcomeOf(call: Promise<readonly Reading[]>): Promise<{ outcome: string; raws: readonly unknown[] }> {
  try {
    const readings = await call;
    const bad = readings.find((reading) => !reading.ok);
    return { outcome: bad && !bad.ok ? bad.fault.code : "ok", raws: raws(readings) };
  } catch (error) {
    if (Fault.is(error)) return { outcome: error.code, raws: [] };
    expect(error).toMatchObject({ name: "TimeoutError" });
    return { outcome: "silent", raws: [] };
  }
}
