import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "@jest/globals";
import ModbusSerial from "modbus-serial";
import { modbus } from "#drivers/modbus/index";
import { blankUnit } from "#drivers/modbus/unit";
import { freePort, openBus } from "../rigs/modbus.ts";
import { openPtyPair, ptyObstacle, said, whereIs } from "../rigs/modbus-pty.ts";

const forever = new AbortController().signal;
const run = promisify(execFile);
const driver = modbus();

describe("mbpoll, which is libmodbus and was not written here,", () => {
  const obstacle = whereIs("mbpoll") ? undefined : "mbpoll is not installed (apt-get install mbpoll)";

  tryOut("reads and writes our simulator over TCP", obstacle, async () => {
    const unit = someUnit();
    await using bus = await openBus("tcp", { units: new Map([[5, unit]]) });
    const { host, port } = bus.link as { readonly host: string; readonly port: number };
    await mbpollReadsAndWrites(unit, ["-m", "tcp", "-p", String(port), host]);
  });

  tryOut("reads and writes our simulator over RTU on a serial port", obstacle ?? ptyObstacle(), async () => {
    const unit = someUnit();
    await using bus = await openBus("rtu", { units: new Map([[5, unit]]) });
    const { path } = bus.link as { readonly path: string };
    await mbpollReadsAndWrites(unit, ["-m", "rtu", "-b", "115200", "-P", "none", path]);
  });
});

async function mbpollReadsAndWrites(unit: ReturnType<typeof someUnit>, where: readonly string[]): Promise<void> {
  const read = await run("mbpoll", ["-0", "-1", "-a", "5", "-r", "3", "-c", "2", "-t", "3", ...where]);
  expect(read.stdout).toMatch(/\[3\]:\s+1003\s+\[4\]:\s+1004/);
  await run("mbpoll", ["-0", "-1", "-a", "5", "-r", "7", "-t", "4", ...where, "4711", "4712"]);
  expect([...unit.holding.subarray(7, 9)]).toEqual([4711, 4712]);
  await run("mbpoll", ["-0", "-1", "-a", "5", "-r", "1", "-t", "0", ...where, "1"]);
  expect(unit.coil[1]).toBe(1);
}

describe("the server of pymodbus, which was not written here,", () => {
  const python = "/usr/bin/python3";
  const hasPymodbus = spawnSync(python, ["-c", "import pymodbus.server"]).status === 0;
  const obstacle = hasPymodbus ? undefined : "pymodbus is not installed (apt-get install python3-pymodbus)";

  for (const transport of ["tcp", "rtu-tcp", "ascii-tcp", "udp"] as const) {
    tryOut(`is read and written by our driver over ${transport}`, obstacle, async () => {
      const port = await freePort();
      await using _server = await pymodbus(transport, String(port));
      await driverReadsAndWrites({ transport, host: "127.0.0.1", port });
    });
  }

  for (const transport of ["rtu", "ascii"] as const) {
    const needs = obstacle ?? ptyObstacle() ?? missing(python, "serial");
    tryOut(`is read and written by our driver over ${transport} on a serial port`, needs, async () => {
      await using pair = await openPtyPair();
      await using _server = await pymodbus(transport, pair.there);
      await driverReadsAndWrites({ transport, path: pair.here, baudRate: 115_200 });
    });
  }

  async function pymodbus(transport: string, where: string): Promise<AsyncDisposable> {
    const script = fileURLToPath(new URL("../rigs/modbus-pymodbus.py", import.meta.url));
    const server = spawn(python, [script, transport, where]);
    await said(server, /ready/);
    return {
      async [Symbol.asyncDispose]() {
        server.kill("SIGKILL");
        await once(server, "exit");
      },
    };
  }
});

async function driverReadsAndWrites(link: unknown): Promise<void> {
  await using connection = await driver.connect(driver.link.parse(link), forever);
  const station = driver.station.parse({ unit: 5 });
  const point = (where: unknown) => ({ property: "p", address: driver.address.parse(where) });
  const setpoint = point({ table: "holding", register: 20, type: "float32", words: "little" });
  const pump = point({ table: "coil", register: 8 });
  await connection.write(station, setpoint, -1.5, forever);
  await connection.write(station, point({ table: "holding", register: 30 }), 77, forever);
  await connection.write(station, point({ table: "holding", register: 31, type: "bit", bit: 0 }), false, forever);
  await connection.write(station, pump, true, forever);
  const asked = [
    setpoint,
    point({ table: "holding", register: 30 }),
    point({ table: "holding", register: 31 }),
    pump,
    point({ table: "coil", register: 9 }),
    point({ table: "discrete", register: 0 }),
    point({ table: "input", register: 50 }),
    point({ table: "input", register: 200 }),
  ];
  for (let visit = 0; visit < 2; visit++) {
    const readings = await connection.read(station, asked, forever);
    const raws = readings.map((reading) => (reading.ok ? reading.raw : reading.fault.code));
    expect(raws).toEqual([-1.5, 77, 2030, true, true, true, 1050, "DEVICE_REFUSED"]);
  }
  const identity = await connection.describe?.(station, forever);
  expect(identity).toMatchObject({ vendor: "pymodbus", product: "PM", revision: "3" });
}

describe("modbus-serial, which was not written here,", () => {
  test("reads and writes our simulator in RTU over TCP", async () => {
    const unit = someUnit();
    await using bus = await openBus("rtu-tcp", { units: new Map([[5, unit]]) });
    const { host, port } = bus.link as { readonly host: string; readonly port: number };
    const client = new ModbusSerial.default();
    // Its "TCP RTU" has the header of Modbus TCP; what everybody calls RTU over TCP is its "telnet".
    await client.connectTelnet(host, { port });
    client.setID(5);
    client.setTimeout(5000);
    expect((await client.readInputRegisters(3, 2)).data).toEqual([1003, 1004]);
    await client.writeRegisters(4, [88, 99]);
    expect([...unit.holding.subarray(4, 6)]).toEqual([88, 99]);
    await expect(client.readHoldingRegisters(99, 2)).rejects.toThrow(/Illegal data address/);
    await new Promise((resolve) => client.close(() => resolve(undefined)));
  });

  tryOut("is read and written by our driver over RTU on a serial port", ptyObstacle(), async () => {
    await using pair = await openPtyPair();
    const words = new Map<number, number>();
    const server = new ModbusSerial.ServerSerial(
      {
        getInputRegister: async (at: number) => 1000 + at,
        getHoldingRegister: async (at: number) => words.get(at) ?? 0,
        setRegister: async (at: number, word: number) => void words.set(at, word),
      },
      { path: pair.there, baudRate: 115_200, unitID: 5 },
    );
    await once(server as unknown as NodeJS.EventEmitter, "initialized");
    const link = driver.link.parse({ transport: "rtu", path: pair.here, baudRate: 115_200 });
    await using connection = await driver.connect(link, forever);
    const station = driver.station.parse({ unit: 5 });
    const points = [
      { table: "holding", register: 4, type: "float32" },
      { table: "input", register: 7 },
    ].map((where) => ({ property: "p", address: driver.address.parse(where) }));
    const [setpoint] = points;
    if (setpoint) await connection.write(station, setpoint, 21.5, forever);
    const readings = await connection.read(station, points, forever);
    expect(readings.map((reading) => (reading.ok ? reading.raw : reading.fault.message))).toEqual([21.5, 1007]);
    await new Promise((resolve) => server.close(resolve));
  });
});

/** A test that says why it is skipped, where it can not run. */
function tryOut(what: string, obstacle: string | undefined, body: () => Promise<void>): void {
  if (obstacle === undefined) test(what, body);
  else test.skip(`${what}: skipped, because ${obstacle}`, () => {});
}

function missing(python: string, module: string): string | undefined {
  const found = spawnSync(python, ["-c", `import ${module}`]).status === 0;
  return found ? undefined : `python3-${module} is not installed`;
}

function someUnit() {
  const unit = blankUnit({ coil: 20, input: 20, holding: 20 });
  unit.input.set(Array.from({ length: 20 }, (_, i) => 1000 + i));
  return unit;
}
