import { describe, expect, test } from "@jest/globals";
import type { Connection, Reading } from "#devices/driver";
import { modbus } from "#drivers/modbus/index";
import { Fault } from "#std/fault";
import { type FaultyLine, lineMischiefs, openFaultyLine } from "../rigs/faulty-modbus-line.ts";

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

describe.each([
  ["rtu-tcp", "RTU"],
  ["ascii-tcp", "ASCII"],
] as const)("a device on a Modbus line over %s that", (transport, codec) => {
  for (const [how, [outcomes, mischief]] of Object.entries(lineMischiefs)) {
    const outcome = typeof outcomes === "string" ? outcomes : outcomes[codec];

    test(`${how} never gives a wrong value, and is read again by the next visit or connection`, async () => {
      await using line = await openFaultyLine(transport);
      let connection = await connect(line);
      set(line, 100);
      expect(raws(await connection.read(station, points, forever))).toEqual([100, 101, 1.5]);

      set(line, 200);
      line.misbehave(mischief);
      const seen = await outcomeOf(connection.read(station, points, AbortSignal.timeout(100)));
      expect(seen.outcome).toBe(outcome);
      for (const [i, raw] of seen.raws.entries()) expect([undefined, [200, 201, 1.5][i]]).toContain(raw);

      for (const value of [300, 400]) {
        set(line, value);
        const next = await outcomeOf(connection.read(station, points, AbortSignal.timeout(5000)));
        if (next.outcome === "LINK_LOST") {
          await connection[Symbol.asyncDispose]();
          connection = await connect(line);
          expect(raws(await connection.read(station, points, forever))).toEqual([value, value + 1, 1.5]);
        } else expect(next).toEqual({ outcome: "ok", raws: [value, value + 1, 1.5] });
      }
      await connection[Symbol.asyncDispose]();
    });

    test(`${how} ${outcome === "ok" ? "confirms a write" : "does not confirm a write"}`, async () => {
      await using line = await openFaultyLine(transport);
      await using connection = await connect(line);
      await connection.write(station, setpoint, 1, forever);
      line.misbehave(mischief);
      const write = connection.write(station, setpoint, 2, AbortSignal.timeout(100));
      const seen = await outcomeOf(write.then(() => []));
      expect(seen.outcome === "ok").toBe(outcome === "ok");
    });
  }

  test("is late and does not know function 8 is read again by the visit after the next", async () => {
    await using line = await openFaultyLine(transport);
    await using connection = await connect(line);
    line.diagnoses = false;
    line.misbehave(() => {});
    for (let visit = 0; visit < 2; visit++) {
      const silent = connection.read(station, points, AbortSignal.timeout(50));
      await expect(silent).rejects.toMatchObject({ name: "TimeoutError" });
    }
    set(line, 500);
    for (let visit = 0; visit < 2; visit++) {
      expect(raws(await connection.read(station, points, forever))).toEqual([500, 501, 1.5]);
    }
  });

  test("is disturbed once is asked again within the same visit, when the link allows it", async () => {
    await using line = await openFaultyLine(transport);
    await using connection = await driver.connect(driver.link.parse({ ...(line.link as object), retries: 1 }), forever);
    for (const how of ["has a wrong checksum", "speaks HTTP", "flips one bit on the way"]) {
      set(line, 600);
      const [, mischief] = lineMischiefs[how] ?? [];
      if (mischief) line.misbehave(mischief);
      expect(raws(await connection.read(station, points, forever))).toEqual([600, 601, 1.5]);
    }
  });

  test("never answers again is given up after four requests, so that a dead line is found", async () => {
    await using line = await openFaultyLine(transport);
    await using connection = await connect(line);
    line.misbehave(() => {}, true);
    for (let visit = 0; visit < 4; visit++) {
      const silent = connection.read(station, points, AbortSignal.timeout(20));
      await expect(silent).rejects.toMatchObject({ name: "TimeoutError" });
    }
    await expect(connection.read(station, points, forever)).rejects.toMatchObject({ code: "LINK_LOST" });
  });
});

async function connect({ link }: FaultyLine): Promise<Connection> {
  return await driver.connect(driver.link.parse(link), forever);
}

/** Makes the device hold something that it never held before, so that an old answer is seen to be old. */
function set({ device }: FaultyLine, value: number): number {
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
