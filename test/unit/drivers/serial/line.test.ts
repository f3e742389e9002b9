import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { PassThrough } from "node:stream";
import { describe, expect, test } from "@jest/globals";
import { serial } from "#drivers/serial/index";
import type { Ports } from "#drivers/serial/port";
import { scale } from "#drivers/serial/simulated";
import { openPty, openSerialSimulator } from "#drivers/serial/simulator";
import { choosePort, type PortInfo } from "#std/serial-port";

const forever = new AbortController().signal;
const noPorts: Ports = {
  list: async () => [],
  open: async (path) => {
    throw Object.assign(new Error(`Error: No such file or directory, cannot open ${path}`));
  },
};

/** A port that a test holds the other end of. */
function fakePorts(list: PortInfo[]) {
  const opened: { path: string; stream: PassThrough; settings: unknown }[] = [];
  const ports: Ports = {
    list: async () => list,
    async open(path, settings) {
      const stream = new PassThrough();
      opened.push({ path, stream, settings });
      return stream;
    },
  };
  return { ports, opened };
}

const ftdi = (path: string, serialNumber?: string): PortInfo => ({
  path,
  vendorId: "0403",
  productId: "6001",
  serialNumber,
});

describe("a port by its path", () => {
  const failing = (message: string, list: readonly PortInfo[]) =>
    serial({ ports: { list: async () => list, open: () => Promise.reject(new Error(message)) } });
  const open = (driver: ReturnType<typeof serial>) =>
    driver.connect(driver.link.parse({ path: "/dev/ttyUSB0" }), AbortSignal.timeout(5_000));

  test("that is not there is told with those that are", async () => {
    await expect(
      open(failing("Error: No such file or directory, cannot open /dev/ttyUSB0", [ftdi("/dev/ttyUSB1")])),
    ).rejects.toMatchObject({
      code: "LINK_LOST",
      message: expect.stringMatching(
        /ttyUSB0 can not be opened \(No such file or directory\); this machine shows \/dev\/ttyUSB1$/,
      ),
    });
    await expect(open(failing("No such file", []))).rejects.toThrow("this machine shows no serial port");
    await expect(open(failing("Cannot lock port", [ftdi("/dev/ttyUSB0")]))).rejects.toThrow(/Cannot lock port\)$/);
  });

  test("that this user may not open is told with the group that may", async () => {
    await expect(open(failing("Permission denied, cannot open", []))).rejects.toMatchObject({
      code: "PERMISSION_MISSING",
      message: expect.stringContaining("dialout"),
    });
  });
});

describe("a port by its USB adapter", () => {
  const usb = { vendor: "0403", product: "6001" };

  test("is the only one with these ids", () => {
    const ports = [
      { path: "/dev/ttyS0" },
      { ...ftdi("/dev/ttyUSB1"), vendorId: "0403" },
      { path: "x", vendorId: "1a86", productId: "7523" },
    ];
    expect(choosePort(ports, usb)).toMatchObject({ path: "/dev/ttyUSB1" });
    expect(
      choosePort([{ path: "COM3", vendorId: "10C4", productId: "EA60" }], { vendor: "10c4", product: "ea60" }),
    ).toMatchObject({ path: "COM3" });
  });

  test("is chosen by its serial number among several, and never at random", () => {
    const ports = [ftdi("/dev/ttyUSB0", "A1"), ftdi("/dev/ttyUSB1", "B2")];
    expect(choosePort(ports, { ...usb, serial: "B2" })).toMatchObject({ path: "/dev/ttyUSB1" });
    expect(choosePort(ports, usb)).toContain("/dev/ttyUSB0 (A1), /dev/ttyUSB1 (B2)");
    expect(choosePort(ports, { ...usb, serial: "C3" })).toContain("there is no");
  });

  test("is found again under another name after it was unplugged", async () => {
    const list = [ftdi("/dev/ttyUSB0")];
    const { ports, opened } = fakePorts(list);
    const driver = serial({ ports });
    const link = driver.link.parse({ usb });
    const first = await driver.connect(link, forever);
    list.splice(0);
    opened[0]?.stream.destroy();
    const point = { property: "p", address: driver.address.parse({ column: 0, request: "?" }) };
    const gone = first.read(driver.station.parse({}), [point], forever);
    await expect(gone).rejects.toMatchObject({ code: "LINK_LOST" });
    await expect(driver.connect(link, forever)).rejects.toThrow("there is no USB adapter 0403:6001");
    list.push(ftdi("/dev/ttyUSB7"));
    await using _ = await driver.connect(link, forever);
    expect(opened.map(({ path }) => path)).toEqual(["/dev/ttyUSB0", "/dev/ttyUSB7"]);
  });
});

describe("a port", () => {
  test("is set as the link says", async () => {
    const { ports, opened } = fakePorts([]);
    const driver = serial({ ports });
    const written = { path: "/dev/ttyS0", baudRate: 300, dataBits: 7, parity: "even", stopBits: 2, flow: "rtscts" };
    await using _ = await driver.connect(driver.link.parse(written), forever);
    expect(opened[0]).toMatchObject({ path: "/dev/ttyS0", settings: { ...written, path: "/dev/ttyS0" } });
  });

  test("that is not there is LINK_LOST, with its name", async () => {
    const driver = serial({ ports: noPorts });
    const connecting = driver.connect(driver.link.parse({ path: "/dev/ttyUSB9" }), forever);
    await expect(connecting).rejects.toMatchObject({
      code: "LINK_LOST",
      message: expect.stringContaining("/dev/ttyUSB9"),
    });
  });

  test("that this user may not open says so", async () => {
    const open = async () => {
      throw new Error("Error: Permission denied, cannot open /dev/ttyS0");
    };
    const driver = serial({ ports: { ...noPorts, open } });
    const connecting = driver.connect(driver.link.parse({ path: "/dev/ttyS0" }), forever);
    await expect(connecting).rejects.toMatchObject({ code: "PERMISSION_MISSING" });
  });

  test("that opens after it was given up is closed", async () => {
    const opening = Promise.withResolvers<PassThrough>();
    const driver = serial({ ports: { ...noPorts, open: () => opening.promise } });
    const stop = new AbortController();
    const connecting = driver.connect(driver.link.parse({ path: "/dev/ttyS0" }), stop.signal);
    const reason = new Error("enough");
    stop.abort(reason);
    await expect(connecting).rejects.toBe(reason);
    const late = new PassThrough();
    const closed = new Promise((resolve) => late.on("close", resolve));
    opening.resolve(late);
    await closed;
  });
});

describe("the package serialport", () => {
  const asked = (source: string) => {
    const script = `${source}; console.log(process.report.getReport().sharedObjects.some((file) => file.includes("serialport")));
      const { createRequire } = await import("node:module");
      console.log(Object.keys(createRequire(import.meta.url).cache).some((file) => file.includes("serialport")));`;
    const args = ["--conditions=source", "--input-type=module", "--eval", script];
    return execFileSync(process.execPath, args, {
      cwd: new URL("../../../..", import.meta.url),
      encoding: "utf8",
    })
      .trim()
      .split("\n")
      .slice(-3);
  };

  test("is not loaded with the edge and the table of drivers, nor with the driver", () => {
    const source = `await import("#edge/main"); const { drivers } = await import("#drivers/index"); await drivers.serial()`;
    expect(asked(source).slice(-2)).toEqual(["false", "false"]);
  });

  test("is loaded when a port is opened", () => {
    const source = `const { drivers } = await import("#drivers/index"); const driver = await drivers.serial();
      await driver.connect(driver.link.parse({ path: "/dev/nobody" }), new AbortController().signal).catch((error) => console.log(error.code))`;
    expect(asked(source)).toEqual(["LINK_LOST", "true", "true"]);
  });
});

const why = existsSync("/dev/ptmx")
  ? spawnSync("socat", ["-V"]).error && "socat is not installed"
  : "there are no ptys here";
if (why) process.stderr.write(`skipped: a serial port by pty, because ${why}\n`);

(why ? describe.skip : describe)("a real serial port", () => {
  const driver = serial();
  const station = driver.station.parse({ request: "\\eP\\r\\n" });
  const points = [{ property: "weight", address: driver.address.parse({ offset: 0, length: 10 }) }];

  test("is read like a serial server", async () => {
    const pan = { grams: 12.5, isStable: true };
    await using simulator = await openSerialSimulator({ host: "127.0.0.1", port: 0, device: scale(pan) });
    await using pty = await openPty(simulator);
    await using connection = await driver.connect(driver.link.parse({ path: pty.path }), forever);
    for (const grams of [12.5, -7, 0.01]) {
      pan.grams = grams;
      expect(await connection.read(station, points, forever)).toMatchObject([{ ok: true, raw: grams }]);
    }
  });

  test("that is unplugged is LINK_LOST, and is read again when it is back", async () => {
    await using simulator = await openSerialSimulator({
      host: "127.0.0.1",
      port: 0,
      device: scale({ grams: 5, isStable: true }),
    });
    const pty = await openPty(simulator);
    await using connection = await driver.connect(driver.link.parse({ path: pty.path }), forever);
    expect(await connection.read(station, points, forever)).toMatchObject([{ ok: true, raw: 5 }]);
    await pty[Symbol.asyncDispose]();
    const gone = connection.read(station, points, forever);
    await expect(gone).rejects.toMatchObject({ code: "LINK_LOST" });
    await using back = await openPty(simulator);
    await using again = await driver.connect(driver.link.parse({ path: back.path }), forever);
    expect(await again.read(station, points, forever)).toMatchObject([{ ok: true, raw: 5 }]);
  });

  test("that is open already can not be opened twice", async () => {
    await using simulator = await openSerialSimulator({
      host: "127.0.0.1",
      port: 0,
      device: scale({ grams: 5, isStable: true }),
    });
    await using pty = await openPty(simulator);
    const link = driver.link.parse({ path: pty.path });
    const connection = await driver.connect(link, forever);
    await expect(driver.connect(link, forever)).rejects.toMatchObject({ code: "LINK_LOST" });
    await connection[Symbol.asyncDispose]();
    await using again = await driver.connect(link, forever);
    expect(await again.read(station, points, forever)).toMatchObject([{ ok: true, raw: 5 }]);
  });
});
