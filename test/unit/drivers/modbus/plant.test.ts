import { describe, expect, test } from "@jest/globals";
import type { Raw } from "#devices/driver";
import { modbus } from "#drivers/modbus/index";
import { boiler, plant, plantUnits } from "#drivers/modbus/plant";
import { openSimulator } from "#drivers/modbus/simulator";

const minute = 60_000;
const forever = new AbortController().signal;

const boilerMap = {
  temperature: { table: "input", register: 0, type: "int16" },
  pressure: { table: "input", register: 1, type: "uint16" },
  setpoint: { table: "holding", register: 10, type: "float32" },
  energy: { table: "holding", register: 20, type: "uint64" },
  pump: { table: "coil", register: 0 },
  flame: { table: "discrete", register: 0 },
};

const tankMap = {
  level: { table: "input", register: 0 },
  flow: { table: "input", register: 1, type: "int16" },
  mode: { table: "holding", register: 0 },
  name: { table: "holding", register: 1, type: "string", length: 8 },
  valve: { table: "coil", register: 0 },
};

describe("the plant", () => {
  test("has a boiler that heats up to its setpoint and follows a new one", async () => {
    await using site = await open();
    const cold = await site.read(plantUnits.boiler, boilerMap);
    expect(cold).toMatchObject({ setpoint: 70, pump: true, energy: 0n });
    expect(Number(cold.temperature)).toBeLessThan(200);
    site.pass(10_000);
    expect(await site.read(plantUnits.boiler, boilerMap)).toMatchObject({ flame: true });
    site.pass(10 * minute);
    const warm = await site.read(plantUnits.boiler, boilerMap);
    expect(Math.abs(Number(warm.temperature) - 700)).toBeLessThanOrEqual(3);
    expect(warm.energy).toBeGreaterThan(0n);
    await site.write(plantUnits.boiler, boilerMap.setpoint, 40);
    site.pass(10 * minute);
    const lower = await site.read(plantUnits.boiler, boilerMap);
    expect(lower.setpoint).toBe(40);
    expect(Math.abs(Number(lower.temperature) - 400)).toBeLessThanOrEqual(3);
    expect(Number(lower.pressure)).toBeLessThan(Number(warm.pressure));
  });

  test("has a boiler that cools down without its pump", async () => {
    await using site = await open();
    await site.write(plantUnits.boiler, boilerMap.pump, false);
    site.pass(10 * minute);
    const { temperature, flame } = await site.read(plantUnits.boiler, boilerMap);
    expect([flame, Number(temperature) < 200]).toEqual([false, true]);
  });

  test("has a tank that cycles between a fifth and four fifths", async () => {
    await using site = await open();
    expect(await site.read(plantUnits.tank, tankMap)).toMatchObject({
      name: "tank 2",
      mode: 2,
      level: 5000,
      valve: true,
    });
    const levels: number[] = [];
    for (let second = 0; second < 1800; second += 5) {
      site.pass(5000);
      levels.push(Number((await site.read(plantUnits.tank, tankMap)).level));
    }
    expect(Math.max(...levels)).toBeGreaterThan(7900);
    expect(Math.max(...levels)).toBeLessThan(8500);
    expect(Math.min(...levels)).toBeLessThan(2100);
    expect(Math.min(...levels)).toBeGreaterThan(1500);
  });

  test("has a tank that drains when it is off and its valve is closed", async () => {
    await using site = await open();
    await site.write(plantUnits.tank, tankMap.mode, 0);
    await site.write(plantUnits.tank, tankMap.valve, false);
    site.pass(minute);
    expect(await site.read(plantUnits.tank, tankMap)).toMatchObject({ flow: -900, level: 4100 });
    site.pass(60 * minute);
    expect(await site.read(plantUnits.tank, tankMap)).toMatchObject({ level: 0 });
  });

  test("says the same at the same time, however often it was read before", () => {
    const [often, seldom] = [boiler(), boiler()];
    for (let ms = 0; ms <= minute; ms += 100) often.step?.(ms);
    for (let ms = 0; ms <= minute; ms += 30_000) seldom.step?.(ms);
    expect(often.input).toEqual(seldom.input);
  });

  test("goes on when somebody sets the clock back", () => {
    const unit = boiler();
    for (const ms of [1_000_000, 0]) unit.step?.(ms);
    const [before] = unit.input;
    unit.step?.(60_000);
    expect(Number(unit.input[0])).toBeGreaterThan(Number(before));
  });
});

/** The plant behind its simulator, with a clock that the test moves. */
async function open() {
  let nowMs = 1_700_000_000_000;
  const simulator = await openSimulator({ host: "127.0.0.1", port: 0, units: plant(), now: () => nowMs });
  const driver = modbus();
  const connection = await driver.connect(driver.link.parse({ host: simulator.host, port: simulator.port }), forever);
  return {
    pass(ms: number) {
      nowMs += ms;
    },
    async read<T extends Record<string, unknown>>(unit: number, map: T): Promise<Record<keyof T, Raw | undefined>> {
      const points = Object.entries(map).map(([property, at]) => ({ property, address: driver.address.parse(at) }));
      const readings = await connection.read(driver.station.parse({ unit }), points, forever);
      const raws = readings.map((reading, i) => [points[i]?.property, reading.ok ? reading.raw : undefined]);
      return Object.fromEntries(raws);
    },
    async write(unit: number, at: unknown, raw: Raw) {
      const point = { property: "p", address: driver.address.parse(at) };
      await connection.write(driver.station.parse({ unit }), point, raw, forever);
    },
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await simulator[Symbol.asyncDispose]();
    },
  };
}
