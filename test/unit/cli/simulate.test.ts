/** What the simulated devices say, and what the command refuses. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { execute } from "#cli/program";
import { type Simulation, simulations } from "#cli/simulate/devices";
import { eventually } from "../../rigs/eventually.ts";
import { manualClock } from "../../rigs/manual-clock.ts";
import { ptyObstacle } from "../../rigs/modbus-pty.ts";
import { fakeWorld } from "./fake-world.ts";

const at = { host: "127.0.0.1", port: 0, unsolicited: false, clock: manualClock() };

/** The first thing that a simulation answers to a request or, at some second, says by itself. */
async function hear({ host, port, step }: Simulation, request: string, seconds?: number): Promise<string> {
  const socket = connect({ host, port });
  let heard = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    heard ||= text;
  });
  await once(socket, "connect");
  if (request !== "") socket.write(request);
  await eventually(() => {
    if (seconds !== undefined) step?.(seconds);
    return heard !== "";
  });
  socket.destroy();
  return heard;
}

describe("a simulated scale", () => {
  test("moves for two seconds after the load changes, then is stable, and stays tared", async () => {
    await using scale = await simulations.scale.open(at);
    scale.step?.(11);
    expect(await hear(scale, "\x1bP\r\n")).toBe("+   120.50    \r\n");
    scale.step?.(13);
    expect(await hear(scale, "\x1bP\r\n")).toBe("+   120.50 g  \r\n");
    expect(await hear(scale, "\x1bT\r\n\x1bP\r\n")).toBe("+     0.00 g  \r\n");
    scale.step?.(14);
    expect(await hear(scale, "\x1bP\r\n")).toBe("+     0.00 g  \r\n");
  });

  test("prints by itself when it is told so", async () => {
    await using scale = await simulations.scale.open({ ...at, unsolicited: true });
    expect(await hear(scale, "", 13)).toContain("+   120.50 g  \r\n");
  });
});

test("a simulated GPS receiver says where it is each second", async () => {
  await using gps = await simulations.gps.open(at);
  expect(await hear(gps, "", 0)).toMatch(/^\$GPGGA,.*,5418\.0000,N,01012\.6000,E,1,09,/);
});

test("a simulated meter counts", async () => {
  await using meter = await simulations.meter.open(at);
  expect(await hear(meter, "/?!\r\n")).toContain("1.8.0(001234.50*kWh)");
  meter.step?.(3_600);
  expect(await hear(meter, "/?!\r\n")).toContain("1.8.0(001235.10*kWh)");
});

describe("edgeadm simulate", () => {
  const pty = ptyObstacle() === undefined ? test : test.skip;
  pty(`leads to it by a serial port too (${ptyObstacle() ?? "with socat"})`, async () => {
    const world = fakeWorld();
    const ending = execute(["simulate", "gps", "--pty", "--port", "0"], world);
    await eventually(() => /^link: \{ path: \/dev\/\S+ \}$/m.test(world.said.out));
    world.interrupt();
    expect(await ending).toBe(0);
  });

  test("says how to come by another port when its own is in use", async () => {
    await using taken = await simulations.gps.open(at);
    const world = fakeWorld();
    expect(await execute(["simulate", "scale", "--port", String(taken.port)], world)).toBe(1);
    expect(world.said.err).toContain("edgeadm simulate scale --port 0");
  });

  test.each([
    [["cow"], "is invalid"],
    [["gps", "--unsolicited"], "is for the scale"],
    [["plc", "--pty"], "no serial port"],
    [["meter", "--port", "70000"], "0 to 65535"],
  ])("refuses %j", async (args, why) => {
    const world = fakeWorld();
    expect(await execute(["simulate", ...args], world)).toBe(2);
    expect(world.said.err).toContain(why);
  });
});
