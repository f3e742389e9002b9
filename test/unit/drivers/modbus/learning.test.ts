import { describe, expect, test } from "@jest/globals";
import { openConnection } from "#drivers/modbus/connection";
import { learn } from "#drivers/modbus/lessons";
import { openPatience } from "#drivers/modbus/patience";
import { address, station } from "#drivers/modbus/schema";
import type { Transport } from "#drivers/modbus/transport";
import { answer, blankUnit, refuse, type Unit } from "#drivers/modbus/unit";

const forever = new AbortController().signal;
const holding = (...registers: readonly number[]) =>
  registers.map((register) => ({ property: `h${register}`, address: address.parse({ table: "holding", register }) }));
const range = (count: number) => holding(...Array.from({ length: count }, (_, i) => i));

describe("a device that stands ten registers at most", () => {
  test("teaches its limit once, so that the other requests keep to it at once", async () => {
    const line = lineTo(blankUnit({ holding: 500 }), 10);
    const connection = openConnection(line.transport, () => 1000);
    const points = range(500);
    await connection.read(station.parse({}), points, forever);
    const first = line.asked.length;
    line.asked.length = 0;
    const readings = await connection.read(station.parse({}), points, forever);
    expect(readings.every(({ ok }) => ok)).toBe(true);
    expect(line.refused).toBeLessThan(20);
    expect(line.asked.length).toBeLessThan(first);
    expect(connection.learned(station.parse({}))).toEqual([
      { kind: "limit", table: "holding", start: 0, count: expect.any(Number), until: 601_000 },
    ]);
  });
});

describe("a device with holes", () => {
  test("shows them with the time until which they are believed, and is then asked afresh", async () => {
    let nowMs = 0;
    const unit = { ...blankUnit({ holding: 20 }), holes: { holding: new Set([3, 9]) } };
    const line = lineTo(unit);
    const connection = openConnection(line.transport, () => nowMs);
    const points = holding(0, 1, 4, 8, 9, 10);
    for (let visit = 0; visit < 3; visit++) await connection.read(station.parse({}), points, forever);
    line.asked.length = 0;
    await connection.read(station.parse({}), points, forever);
    expect(line.asked).toEqual(["0+2", "4+1", "8+1", "9+1", "10+1"]);
    expect(connection.learned(station.parse({})).map(({ kind, start, count }) => `${kind} ${start}+${count}`)).toEqual(
      expect.arrayContaining(["hole 9+1", "hole 2+2"]),
    );
    nowMs = 600_001;
    expect(connection.learned(station.parse({}))).toEqual([]);
  });

  test("teaches nothing while it fails for other reasons", () => {
    const span = (start: number, count: number) => ({ table: "holding" as const, start, count });
    const pieces = [
      { span: span(0, 4), outcome: "given" },
      { span: span(4, 4), outcome: "failed" },
    ] as const;
    expect(learn(span(0, 8), pieces)).toEqual([]);
  });
});

describe("a station", () => {
  test("that wants one value at a time gets a request for each, and bits of one register share theirs", async () => {
    const line = lineTo(blankUnit({ holding: 20 }));
    const connection = openConnection(line.transport, Date.now);
    const bits = [0, 1].map((bit) => ({
      property: `b${bit}`,
      address: address.parse({ table: "holding", register: 5, type: "bit", bit }),
    }));
    await connection.read(station.parse({ single: true }), [...holding(0, 1, 2), ...bits], forever);
    expect(line.asked).toEqual(["0+1", "1+1", "2+1", "5+1"]);
  });

  test("that writes with function 23 is believed when it says what was written", async () => {
    const unit = blankUnit({ holding: 4 });
    const line = lineTo(unit);
    const connection = openConnection(line.transport, Date.now);
    const point = { property: "p", address: address.parse({ table: "holding", register: 1, type: "float32" }) };
    await connection.write(station.parse({ readWrite: true }), point, 1.5, forever);
    expect([...unit.holding]).toEqual([0, 0x3fc0, 0, 0]);
    const stubborn: Transport = { ...line.transport, request: async () => Uint8Array.of(23, 4, 0, 0, 0, 0) };
    const refused = openConnection(stubborn, Date.now).write(station.parse({ readWrite: true }), point, 1.5, forever);
    await expect(refused).rejects.toMatchObject({ code: "DEVICE_REFUSED" });
  });

  test("with a time limit of its own is a timeout for its points alone", async () => {
    const connection = openConnection(silent, Date.now);
    const readings = await connection.read(station.parse({ timeout: "5ms" }), holding(0, 200), forever);
    expect(readings.map((reading) => !reading.ok && reading.fault.code)).toEqual(["DEVICE_TIMEOUT", "DEVICE_TIMEOUT"]);
    expect(connection.exchanges).toHaveLength(1);
  });

  test("tells who made it, and nothing when it can not", async () => {
    const identity = { vendor: "Skerry", product: "Boiler", revision: "1" };
    const known = openConnection(lineTo({ ...blankUnit({}), identity }).transport, Date.now);
    expect(await known.describe(station.parse({}), forever)).toEqual(identity);
    const unknown = openConnection(lineTo(blankUnit({})).transport, Date.now);
    expect(await unknown.describe(station.parse({}), forever)).toEqual({});
  });

  test("that does not answer the question who it is is asked once, or never when it says so", async () => {
    const connection = openConnection(silent, Date.now, { retries: 3 });
    const mute = connection.describe(station.parse({ timeout: "5ms", retries: 3 }), forever);
    await expect(mute).rejects.toMatchObject({ code: "DEVICE_TIMEOUT" });
    expect(await connection.describe(station.parse({ identify: false }), forever)).toEqual({});
    expect(connection.exchanges).toHaveLength(1);
  });
});

describe("patience", () => {
  const waits = { timeoutMs: 1000, retries: 1 };

  test("shares the link's time among the repetitions", () => {
    expect(openPatience(waits).of(1, {})).toEqual({ tries: 2, ms: 500 });
    expect(openPatience({ ...waits, retries: 0 }).of(1, {})).toEqual({ tries: 1, ms: undefined });
  });

  test("is what a unit says for itself, before what the link says", () => {
    const { of } = openPatience(waits);
    expect(of(1, { timeoutMs: 3000 })).toEqual({ tries: 2, ms: 1500 });
    expect(of(1, { timeoutMs: 300, retries: 2 })).toEqual({ tries: 3, ms: 100 });
    expect(of(1, { timeoutMs: 300, retries: 0 })).toEqual({ tries: 1, ms: 300 });
    expect(of(1, { retries: 0 })).toEqual({ tries: 1, ms: undefined });
  });

  test("is a knock for a unit that was silent twice among others, and its full time now and then", () => {
    const patience = openPatience(waits);
    patience.answered(2, 10);
    for (let i = 0; i < 2; i++) patience.missed(1);
    expect(patience.of(1, {})).toEqual({ tries: 1, ms: 100 });
    for (let i = 0; i < 6; i++) patience.missed(1);
    expect(patience.of(1, {})).toEqual({ tries: 1, ms: 500 });
    patience.answered(1, 40);
    for (let i = 0; i < 2; i++) patience.missed(1);
    expect(patience.of(1, {}).ms).toBeCloseTo(160);
  });

  test("is never short for a unit that has the link for itself", () => {
    const patience = openPatience(waits);
    for (let i = 0; i < 5; i++) patience.missed(1);
    expect(patience.of(1, {})).toEqual({ tries: 2, ms: 500 });
  });
});

/** A line on which nobody answers. */
const silent: Transport = {
  request: (_, __, signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  async [Symbol.asyncDispose]() {},
};

/** A line to one unit that notes what is asked and refuses what is longer than `most`. */
function lineTo(unit: Unit, most = 125) {
  const asked: string[] = [];
  let refused = 0;
  const transport: Transport = {
    async request(_, pdu) {
      const request = Buffer.from(pdu);
      if (request[0] === 3) asked.push(`${request.readUInt16BE(1)}+${request.readUInt16BE(3)}`);
      if (request[0] === 3 && request.readUInt16BE(3) > most) {
        refused++;
        return refuse(3, 3);
      }
      return answer(unit, request);
    },
    async [Symbol.asyncDispose]() {},
  };
  return {
    transport,
    asked,
    get refused() {
      return refused;
    },
  };
}
