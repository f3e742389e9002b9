import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { decode } from "#devices/codec";
import type { Connection, Driver, Point, Pushed, Reading } from "#devices/driver";
import { deviceSpec, modelSpec, type PropertySpec } from "#devices/model";
import { serial } from "#drivers/serial/index";
import { meter, type Pan, print, scale, sentence, sentences } from "#drivers/serial/simulated";
import { openSerialSimulator, type SerialDevice, type SerialSimulator } from "#drivers/serial/simulator";
import { parseAllYaml } from "#std/yaml";

const folder = new URL("../../../../examples/", import.meta.url);
const driver: Driver = serial();
const forever = new AbortController().signal;

interface Manifest {
  readonly metadata: { readonly name: string };
  readonly spec: unknown;
}

/** A model and its first or second device, with the simulated device in the place of the real line. */
async function open(example: string, simulated: SerialDevice, which = 0) {
  const [model] = manifests(example, "model") as [Manifest];
  const { properties } = modelSpec.parse(model.spec);
  const device = deviceSpec.parse(manifests(example, "device")[which]?.spec);
  expect(device.model).toBe(model.metadata.name);
  const simulator = await openSerialSimulator({ host: "127.0.0.1", port: 0, device: simulated });
  const { timeoutMs } = driver.link.parse(device.link) as { timeoutMs: number };
  const { host, port } = simulator;
  const connection = await driver.connect(driver.link.parse({ host, port, timeout: `${timeoutMs}ms` }), forever);
  // What is said before the other side has seen the connection is said to nobody.
  while (!simulator.say("")) await new Promise(setImmediate);
  return {
    simulator,
    connection,
    station: driver.station.parse(device.station),
    properties,
    points: properties.map(({ name, address }) => ({ property: name, address: driver.address.parse(address) })),
    async [Symbol.asyncDispose]() {
      await connection[Symbol.asyncDispose]();
      await simulator[Symbol.asyncDispose]();
    },
  };
}

function manifests(example: string, file: string): readonly Manifest[] {
  return parseAllYaml(readFileSync(new URL(`${example}/${file}.yaml`, folder), "utf8"), file) as Manifest[];
}

/** Values as an application sees them; what is not good says why. */
function values(properties: readonly PropertySpec[], readings: readonly (Reading | undefined)[]) {
  return Object.fromEntries(
    properties.map((property, i) => {
      const reading = readings[i];
      if (!reading) return [property.name, undefined];
      if (!reading.ok) return [property.name, reading.fault.code];
      const { value, quality } = decode(property, reading.raw);
      return [property.name, reading.doubt === undefined && quality === "good" ? value : `uncertain ${value}`];
    }),
  );
}

/** Says something until it is heard, and gathers what is pushed until `count` points have a reading. */
async function pushed(
  {
    connection,
    simulator,
    station,
    points,
  }: { connection: Connection; simulator: SerialSimulator; station: unknown; points: readonly Point[] },
  text: string,
  count: number,
) {
  const stop = new AbortController();
  const readings: Reading[] = [];
  const stream = connection.watch?.(station, points, stop.signal) as AsyncIterable<readonly Pushed[]>;
  simulator.say(text);
  for await (const batch of stream) {
    for (const { index, reading } of batch) readings[index] = reading;
    if (Object.keys(readings).length >= count) stop.abort();
  }
  return readings;
}

const silentDevice: SerialDevice = { answer: () => undefined };

describe("the example of a GPS receiver", () => {
  test("has every property pushed", async () => {
    await using gps = await open("serial-gps", silentDevice);
    for (const { address } of gps.points) expect(driver.isPushed?.(gps.station, address)).toBe(true);
  });

  test("reads the sentences of the standard", async () => {
    await using gps = await open("serial-gps", silentDevice);
    const text =
      "$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n" +
      "$GPRMC,123519,A,4807.038,N,01131.000,W,022.4,084.4,230394,003.1,W*78\r\n";
    expect(values(gps.properties, await pushed(gps, text, 7))).toEqual({
      latitude: 48.1173,
      longitude: 11.516666667,
      altitude: 545.4,
      fix: 1,
      satellites: 8,
      speed: 11.5235456,
      valid: true,
    });
  });

  test("reads a mixed receiver south of the equator and west of Greenwich", async () => {
    await using gps = await open("serial-gps", silentDevice);
    const text = sentences({ latitude: -33.8568, longitude: -70.6483, metres: -4, knots: 0, satellites: 12 });
    const mixed = sentence(text.slice(1, text.indexOf("*")).replace("GPGGA", "GNGGA"));
    const seen = values(gps.properties, await pushed(gps, mixed, 5));
    expect(seen).toMatchObject({ latitude: -33.8568, longitude: -70.6483, altitude: -4, satellites: 12 });
  });

  test("has no position without a fix, and says so", async () => {
    await using gps = await open("serial-gps", silentDevice);
    expect(values(gps.properties, await pushed(gps, sentences(undefined), 7))).toEqual({
      latitude: "DEVICE_REFUSED",
      longitude: "DEVICE_REFUSED",
      altitude: "DEVICE_REFUSED",
      fix: 0,
      satellites: 0,
      speed: "DEVICE_REFUSED",
      valid: false,
    });
  });

  test("calls a position uncertain that is kept without a fix", async () => {
    await using gps = await open("serial-gps", silentDevice);
    const kept = sentence("GPGGA,123519,4807.038,N,01131.000,E,0,00,99.9,545.4,M,46.9,M,,");
    expect(values(gps.properties, await pushed(gps, kept, 5))).toMatchObject({ latitude: "uncertain 48.1173", fix: 0 });
  });

  test("takes no value from a damaged sentence, and the next one is good", async () => {
    await using gps = await open("serial-gps", silentDevice);
    const good = sentences({ latitude: 54, longitude: 10, metres: 5, knots: 1, satellites: 7 });
    const damaged = good.replace("5400", "5500");
    const seen = await pushed(gps, damaged, 7);
    expect(values(gps.properties, seen)).toMatchObject({ latitude: "ANSWER_INVALID", fix: "ANSWER_INVALID" });
    expect(values(gps.properties, await pushed(gps, good, 7))).toMatchObject({ latitude: 54, fix: 1 });
  });
});

describe("the example of a Sartorius scale", () => {
  const pan = (grams: number, isStable = true): Pan => ({ grams, isStable });

  test("reads a weight at rest, and one that moves as uncertain", async () => {
    const dish = pan(-123.45);
    await using bench = await open("serial-scale", scale(dish));
    const read = async () =>
      values(bench.properties, await bench.connection.read(bench.station, bench.points, forever));
    expect(await read()).toEqual({ weight: -123.45, stable: true, tare: "DEVICE_REFUSED" });
    Object.assign(dish, pan(7.5, false));
    expect(await read()).toEqual({ weight: "uncertain 7.5", stable: false, tare: "DEVICE_REFUSED" });
    expect(bench.simulator.asked).toBe(2);
  });

  test("reads the prints of the operating instructions", async () => {
    const prints = {
      "   111.255 g  ": 111.255,
      "+  123.5 6 g  ": "ANSWER_INVALID",
      "+      253 pcs": 253,
      "-     0.00 kg ": -0,
    };
    for (const [text, weight] of Object.entries(prints)) {
      await using bench = await open("serial-scale", { answer: () => `${text}\r\n` });
      const [reading] = await bench.connection.read(bench.station, bench.points.slice(0, 1), forever);
      expect(values(bench.properties.slice(0, 1), [reading])).toEqual({ weight });
    }
  });

  test("says what the scale says instead of a weight", async () => {
    for (const special of ["High", "Low", "--", "Err 30"]) {
      await using bench = await open("serial-scale", scale({ ...pan(0), special }));
      const [reading] = await bench.connection.read(bench.station, bench.points.slice(0, 1), forever);
      expect(reading).toMatchObject({ ok: false, fault: { code: "DEVICE_REFUSED" } });
      expect(!reading?.ok && reading?.fault.message).toContain(special);
    }
  });

  test("tares when true is written, and nothing else", async () => {
    const dish = pan(50);
    await using bench = await open("serial-scale", scale(dish));
    const tare = bench.points[2] as Point;
    await expect(bench.connection.write(bench.station, tare, false, forever)).rejects.toMatchObject({
      code: "VALUE_INVALID",
    });
    await bench.connection.write(bench.station, tare, true, forever);
    const [weight] = await bench.connection.read(bench.station, bench.points, forever);
    expect(weight).toMatchObject({ ok: true, raw: 0 });
  });

  test("is pushed when it prints by itself", async () => {
    await using bench = await open("serial-scale", silentDevice, 1);
    expect(driver.isPushed?.(bench.station, bench.points[0]?.address)).toBe(true);
    const seen = await pushed(bench, print(pan(12.34)), 2);
    expect(values(bench.properties, seen)).toMatchObject({ weight: 12.34, stable: true });
  });
});

describe("the example of an electricity meter", () => {
  const registers = () =>
    new Map([
      ["F.F", "00"],
      ["0.0.0", "35260001"],
      ["1.8.0", "000123.45*kWh"],
      ["1.8.1", "000100.00*kWh"],
      ["2.8.0", "000000.07*kWh"],
      ["1.7.0", "00.412*kW"],
    ]);

  test("reads every register in one readout", async () => {
    await using bench = await open("serial-meter", meter(registers()));
    expect(values(bench.properties, await bench.connection.read(bench.station, bench.points, forever))).toEqual({
      energy: 123.45,
      exported: 0.07,
      power: 0.412,
      serial: "35260001",
      faults: "00",
    });
    expect(bench.simulator.asked).toBe(1);
  });

  test("refuses a register that the meter does not have, without waiting", async () => {
    const few = registers();
    few.delete("2.8.0");
    await using bench = await open("serial-meter", meter(few));
    const seen = values(bench.properties, await bench.connection.read(bench.station, bench.points, forever));
    expect(seen).toMatchObject({ energy: 123.45, exported: "DEVICE_REFUSED", power: 0.412 });
    expect(bench.simulator.asked).toBe(1);
  });

  test("takes no value from a readout with one wrong digit", async () => {
    const whole = meter(registers());
    let readouts = 0;
    const damaged: SerialDevice = {
      answer: (request) =>
        readouts++ === 0 ? whole.answer(request)?.replace("123.45", "123.46") : whole.answer(request),
    };
    await using bench = await open("serial-meter", damaged);
    const station = { ...(bench.station as object), retries: 0 };
    for (const code of [new Set(["ANSWER_INVALID"]), undefined]) {
      const readings = await bench.connection.read(station, bench.points, forever);
      if (code) expect(new Set(readings.map((reading) => (reading.ok ? "ok" : reading.fault.code)))).toEqual(code);
      else expect(values(bench.properties, readings)).toMatchObject({ energy: 123.45 });
    }
  });
});

test("every example has a README, a model and a device", () => {
  for (const example of readdirSync(folder).filter((name) => name.startsWith("serial-")))
    expect(readdirSync(new URL(`${example}/`, folder)).sort()).toEqual(["README.md", "device.yaml", "model.yaml"]);
});
