import { once } from "node:events";
import { describe, expect, test } from "@jest/globals";
import ModbusSerial from "modbus-serial";
import { modbus } from "#drivers/modbus/index";
import { openSimulator } from "#drivers/modbus/simulator";
import { blankUnit } from "#drivers/modbus/unit";
import { freePort } from "../rigs/modbus.ts";

const forever = new AbortController().signal;

describe("the modbus-serial package, which we did not write,", () => {
  test("reads and writes our simulator", async () => {
    const unit = blankUnit({ coil: 20, discrete: 20, input: 20, holding: 20 });
    await using simulator = await openSimulator({ host: "127.0.0.1", port: 0, units: new Map([[7, unit]]) });
    const client = new ModbusSerial.default();
    await client.connectTCP(simulator.host, { port: simulator.port });
    client.setID(7);
    client.setTimeout(5000);
    unit.input.set([1, 2, 65535]);
    unit.discrete.set([1, 0, 1]);
    expect((await client.readInputRegisters(0, 3)).data).toEqual([1, 2, 65535]);
    expect((await client.readDiscreteInputs(0, 3)).data.slice(0, 3)).toEqual([true, false, true]);
    await client.writeRegister(3, 77);
    await client.writeRegisters(4, [88, 99]);
    expect((await client.readHoldingRegisters(3, 3)).data).toEqual([77, 88, 99]);
    await client.maskWriteRegister(3, 0xfff0, 0x0005);
    expect(unit.holding[3]).toBe((77 & 0xfff0) | 5);
    await client.writeCoil(1, true);
    await client.writeCoils(4, [true, false, true]);
    expect((await client.readCoils(0, 8)).data).toEqual([false, true, false, false, true, false, true, false]);
    await expect(client.readHoldingRegisters(19, 2)).rejects.toThrow(/Illegal data address/);
    await new Promise((resolve) => client.close(() => resolve(undefined)));
  });

  test("is read and written by our driver", async () => {
    const words = new Map<number, number>([[500, 0xfff6]]);
    const coils = new Map<number, boolean>([[3, true]]);
    const port = await freePort();
    const server = new ModbusSerial.ServerTCP(
      {
        getInputRegister: async (at: number) => words.get(at) ?? 0,
        getHoldingRegister: async (at: number) => words.get(at) ?? 0,
        getCoil: async (at: number) => coils.get(at) ?? false,
        getDiscreteInput: async (at: number) => at === 9,
        setRegister: async (at: number, word: number) => void words.set(at, word),
        setCoil: async (at: number, on: boolean) => void coils.set(at, on),
      },
      { host: "127.0.0.1", port, unitID: 5 },
    );
    await once(server as unknown as NodeJS.EventEmitter, "initialized");
    const driver = modbus();
    const connection = await driver.connect(driver.link.parse({ host: "127.0.0.1", port }), forever);
    const station = driver.station.parse({ unit: 5 });
    const point = (address: unknown) => ({ property: "p", address: driver.address.parse(address) });
    const written = [
      [point({ table: "holding", register: 10 }), 4711],
      [point({ table: "holding", register: 20, type: "float32", words: "little" }), -1.5],
      [point({ table: "holding", register: 30, type: "uint64" }), 2n ** 60n + 1n],
      [point({ table: "holding", register: 40, type: "string", length: 4 }), "größe"],
      [point({ table: "coil", register: 8 }), true],
    ] as const;
    for (const [where, raw] of written) await connection.write(station, where, raw, forever);
    const fixed = [
      point({ table: "input", register: 500, type: "int16" }),
      point({ table: "coil", register: 3 }),
      point({ table: "discrete", register: 9 }),
    ];
    const readings = await connection.read(station, [...written.map(([where]) => where), ...fixed], forever);
    const raws = readings.map((reading) => (reading.ok ? reading.raw : reading.fault.message));
    expect(raws).toEqual([...written.map(([, raw]) => raw), -10, true, true]);
    await connection[Symbol.asyncDispose]();
    await new Promise((resolve) => server.close(resolve));
  });
});
