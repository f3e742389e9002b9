import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "@jest/globals";
import { modbus } from "#drivers/modbus/index";
import { blankUnit } from "#drivers/modbus/unit";
import { choosePort } from "#std/serial-port";
import { openFaultyDevice } from "../../../rigs/faulty-modbus.ts";
import { openBus } from "../../../rigs/modbus.ts";

const forever = new AbortController().signal;
const driver = modbus();
const point = { property: "p", address: driver.address.parse({ table: "holding", register: 3 }) };

describe("a device in TLS", () => {
  test("that shows another certificate than the pin is not talked to", async () => {
    await using device = await openFaultyDevice("tls");
    const { tls, ...where } = device.link;
    const wrong = driver.link.parse({ ...where, tls: { ...tls, pin: "ab".repeat(32) } });
    await expect(driver.connect(wrong, forever)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/^link\.tls\.pin: .* shows the certificate [\da-f]{64}, the pin is (ab){32};/),
    });
    expect(device.asked).toBe(0);
  });

  test("whose certificate comes from another authority is not talked to", async () => {
    await using bus = await openBus("tls", { units: new Map() });
    await using other = await openFaultyDevice("tls");
    const { tls, ...where } = bus.link as { readonly tls: { readonly pin: string } };
    const { pin: _, ...files } = tls;
    const { authorityFrom } = other.link.tls as { readonly authorityFrom: object };
    const wrong = driver.link.parse({ ...where, tls: { ...files, authorityFrom } });
    await expect(driver.connect(wrong, forever)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("authorityFrom"),
    });
  });

  test("is known by its pin alone when there is no authority", async () => {
    const unit = blankUnit({ holding: 4 });
    await using bus = await openBus("tls", { units: new Map([[1, unit]]) });
    const { tls, ...where } = bus.link as { readonly tls: { readonly authorityFrom: object } };
    const { authorityFrom: _, ...pinned } = tls;
    await using connection = await driver.connect(driver.link.parse({ ...where, tls: pinned }), forever);
    await connection.write(driver.station.parse({}), point, 7, forever);
    expect(unit.holding[3]).toBe(7);
  });

  test("can not be reached with a file that is not there", async () => {
    const link = { transport: "tls", host: "127.0.0.1", port: 1, tls: { authorityFrom: { file: "/nowhere/ca.pem" } } };
    const connecting = driver.connect(driver.link.parse(link), forever);
    await expect(connecting).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

describe.each(["rtu-tcp", "ascii-tcp"] as const)("a broadcast over %s", (transport) => {
  test("reaches every unit, waits for none, and can not be read", async () => {
    const units = new Map([1, 2, 3].map((number) => [number, blankUnit({ holding: 4 })]));
    await using bus = await openBus(transport, { units });
    const link = { ...(bus.link as object), turnaround: "1ms" };
    await using connection = await driver.connect(driver.link.parse(link), forever);
    await connection.write(driver.station.parse({ unit: 0 }), point, 9, forever);
    const [reading] = await connection.read(driver.station.parse({ unit: 2 }), [point], forever);
    expect(reading?.ok && reading.raw).toBe(9);
    expect([...units.values()].map(({ holding }) => holding[3])).toEqual([9, 9, 9]);
    const [everybody] = await connection.read(driver.station.parse({ unit: 0 }), [point], forever);
    expect(everybody?.ok).toBe(false);
  });
});

describe("a USB adapter", () => {
  const port = { path: "/dev/ttyUSB3", vendorId: "0403", productId: "6001", serialNumber: "A10K" };
  const usb = { vendor: "0403", product: "6001" };

  test("is known by vendor and product in either case, and by its number where one is given", () => {
    expect(choosePort([port], usb)).toBe(port);
    expect(choosePort([{ ...port, vendorId: "10C4" }], { ...usb, vendor: "10c4" })).toMatchObject({ path: port.path });
    expect(choosePort([port], { ...usb, serial: "A10K" })).toBe(port);
    expect(choosePort([port, { path: "/dev/ttyS0" }], { ...usb, serial: "B" })).toBe(
      "there is no USB adapter 0403:6001 with serial number B",
    );
  });

  test("is not guessed among several", () => {
    expect(choosePort([port, { ...port, path: "/dev/ttyUSB4" }], usb)).toMatch("give the serial number");
  });
});

test("a driver that opens no serial port does not load the package for them", async () => {
  const script = `
    await import("#drivers/modbus/index");
    const { Module } = await import("node:module");
    console.log(Object.keys(Module._cache).filter((file) => file.includes("serialport")).length);`;
  const child = spawn(process.execPath, ["--conditions=source", "--input-type=module", "-e", script]);
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  await once(child, "close");
  expect(said).toBe("0\n");
});
