import { describe, expect, test } from "@jest/globals";
import type { Reading } from "#devices/driver";
import { openConnection } from "#drivers/modbus/connection";
import { address, station } from "#drivers/modbus/schema";
import type { Transport } from "#drivers/modbus/transport";
import { answer, blankUnit, refuse, type Unit } from "#drivers/modbus/unit";

const forever = new AbortController().signal;
const holding = (...registers: readonly number[]) =>
  registers.map((register) => ({ property: `h${register}`, address: address.parse({ table: "holding", register }) }));

describe("a Modbus connection", () => {
  test("splits a refused span once, remembers it, and asks afresh after ten minutes", async () => {
    const unit = { ...blankUnit({ holding: 20 }), holes: { holding: new Set([3]) } };
    const line = lineTo(unit);
    let nowMs = 0;
    const connection = openConnection(line.transport, () => nowMs);
    const points = holding(0, 1, 2, 4, 5);
    const visit = async () => {
      line.asked.length = 0;
      expect(codes(await connection.read(station.parse({}), points, forever))).toEqual(Array(5).fill("ok"));
      return line.asked.join(" ");
    };
    expect(await visit()).toBe("3:0+6 3:0+3 3:4+2");
    expect(await visit()).toBe("3:0+3 3:4+2");
    nowMs += 600_001;
    expect(await visit()).toBe("3:0+6 3:0+3 3:4+2");
  });

  test("finds one bad register among its neighbours by halves", async () => {
    const unit = { ...blankUnit({ holding: 8 }), holes: { holding: new Set([5]) } };
    const line = lineTo(unit);
    const connection = openConnection(line.transport, Date.now);
    const points = holding(0, 1, 2, 3, 4, 5, 6, 7);
    const expected = points.map(({ property }) => (property === "h5" ? "DEVICE_REFUSED" : "ok"));
    expect(codes(await connection.read(station.parse({}), points, forever))).toEqual(expected);
    expect(line.asked.join(" ")).toBe("3:0+8 3:0+4 3:4+4 3:4+2 3:4+1 3:5+1 3:6+2");
  });

  test("does not let one device's holes change how another is read", async () => {
    const unit = { ...blankUnit({ holding: 8 }), holes: { holding: new Set([1]) } };
    const line = lineTo(unit, blankUnit({ holding: 8 }));
    const connection = openConnection(line.transport, Date.now);
    const points = holding(0, 2);
    await connection.read(station.parse({ unit: 1 }), points, forever);
    line.asked.length = 0;
    await connection.read(station.parse({ unit: 2 }), points, forever);
    await connection.read(station.parse({ unit: 1 }), points, forever);
    expect(line.asked.join(" ")).toBe("3:0+3 3:0+1 3:2+1");
  });

  test("plans anew when the limits of the station change", async () => {
    const line = lineTo(blankUnit({ holding: 8 }));
    const connection = openConnection(line.transport, Date.now);
    const points = holding(0, 2);
    for (const maxGap of [8, 0]) await connection.read(station.parse({ maxGap }), points, forever);
    expect(line.asked.join(" ")).toBe("3:0+3 3:0+1 3:2+1");
  });

  test("splits for a device that calls a long request an illegal value", async () => {
    const line = lineTo(blankUnit({ holding: 8 }));
    const short: Transport = {
      ...line.transport,
      request: async (unit, pdu, signal) =>
        (pdu[4] ?? 0) > 2 ? refuse(pdu[0] ?? 0, 3) : await line.transport.request(unit, pdu, signal),
    };
    const connection = openConnection(short, Date.now);
    const readings = await connection.read(station.parse({}), holding(0, 1, 2, 3), forever);
    expect(codes(readings)).toEqual(["ok", "ok", "ok", "ok"]);
    expect(line.asked.join(" ")).toBe("3:0+2 3:2+2");
  });

  test("waits for a silent unit behind a gateway once a visit, and calls it a timeout", async () => {
    const line = lineTo();
    const connection = openConnection(line.transport, Date.now);
    const readings = await connection.read(station.parse({}), holding(0, 100, 200), forever);
    expect(codes(readings)).toEqual(["DEVICE_TIMEOUT", "DEVICE_TIMEOUT", "DEVICE_TIMEOUT"]);
    expect(line.asked).toHaveLength(1);
  });

  test.each([
    [{ table: "coil", register: 1 }, true, {}, "050001ff00"],
    [{ table: "coil", register: 1 }, true, { writeMultiple: true }, "0f000100010101"],
    [{ table: "holding", register: 2 }, 7, {}, "0600020007"],
    [{ table: "holding", register: 2 }, 7, { writeMultiple: true }, "1000020001020007"],
    [{ table: "holding", register: 2, type: "float32" }, 1, {}, "1000020002043f800000"],
    [{ table: "holding", register: 2, type: "bit", bit: 3 }, true, {}, "160002fff70008"],
    [{ table: "holding", register: 2, type: "bit", bit: 3 }, false, {}, "160002fff70000"],
    [{ table: "holding", register: 2, type: "bit", bit: 3, bytes: "little" }, true, {}, "160002f7ff0800"],
  ])("writes %p = %p with %p as %s", async (where, raw, options, bytes) => {
    const unit = blankUnit({ coil: 8, holding: 8 });
    const line = lineTo(unit);
    const connection = openConnection(line.transport, Date.now);
    const point = { property: "p", address: address.parse(where) };
    await connection.write(station.parse(options), point, raw, forever);
    expect(line.sent.at(-1)).toBe(bytes);
    const [reading] = await connection.read(station.parse(options), [point], forever);
    expect(reading?.ok && reading.raw).toBe(raw);
  });

  test("changes one bit and leaves its neighbours", async () => {
    const unit = blankUnit({ holding: 1 });
    unit.holding[0] = 0b1010;
    const connection = openConnection(lineTo(unit).transport, Date.now);
    const bit = (number: number) => address.parse({ table: "holding", register: 0, type: "bit", bit: number });
    await connection.write(station.parse({}), { property: "p", address: bit(0) }, true, forever);
    await connection.write(station.parse({}), { property: "p", address: bit(3) }, false, forever);
    expect(unit.holding[0]).toBe(0b0011);
  });

  test("says in words why a device refuses", async () => {
    const connection = openConnection(lineTo(blankUnit({ holding: 1 })).transport, Date.now);
    const [point] = holding(7);
    const write = point && connection.write(station.parse({}), point, 1, forever);
    await expect(write).rejects.toThrow("writing holding 7: illegal data address (exception 2)");
  });
});

/** Units 1, 2, … on a line that notes what is asked; a unit that does not exist gets exception 11. */
function lineTo(...units: readonly Unit[]) {
  const asked: string[] = [];
  const sent: string[] = [];
  const transport: Transport = {
    async request(number, pdu) {
      const request = Buffer.from(pdu);
      sent.push(request.toString("hex"));
      asked.push(`${request[0]}:${request.readUInt16BE(1)}+${request.readUInt16BE(3)}`);
      const unit = units[number - 1];
      return unit ? answer(unit, request) : refuse(request[0] ?? 0, 11);
    },
    async [Symbol.asyncDispose]() {},
  };
  return { transport, asked, sent };
}

function codes(readings: readonly Reading[]): readonly string[] {
  return readings.map((reading) => (reading.ok ? "ok" : reading.fault.code));
}
