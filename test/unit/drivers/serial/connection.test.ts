import { afterEach, describe, expect, test } from "@jest/globals";
import type { Connection, Driver, Point, Pushed, Reading } from "#devices/driver";
import { serial } from "#drivers/serial/index";
import { openSerialSimulator, type SerialDevice, type SerialSimulator } from "#drivers/serial/simulator";

const driver: Driver = serial();
const forever = new AbortController().signal;
const opened: AsyncDisposable[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** A device that answers, and what it was asked. */
async function open(answer: (request: string) => string | undefined = () => undefined, end?: string) {
  const requests: string[] = [];
  const device: SerialDevice = {
    ...(end === undefined ? {} : { end }),
    answer(request) {
      requests.push(request);
      return answer(request);
    },
  };
  const simulator = await openSerialSimulator({ host: "127.0.0.1", port: 0, device });
  const connection = await driver.connect(driver.link.parse({ host: simulator.host, port: simulator.port }), forever);
  opened.push(simulator, connection);
  await isConnected(simulator);
  return { simulator, connection, requests };
}

/** What is said before the other side has seen the connection is said to nobody. */
async function isConnected(simulator: SerialSimulator): Promise<void> {
  while (!simulator.say("")) await new Promise(setImmediate);
}

function point(written: object, property = "p"): Point {
  return { property, address: driver.address.parse(written) };
}

function results(readings: readonly Reading[]): readonly unknown[] {
  return readings.map((reading) => (reading.ok ? reading.raw : reading.fault.code));
}

async function read(connection: Connection, station: object, points: readonly Point[]): Promise<readonly unknown[]> {
  return results(await connection.read(driver.station.parse({ timeout: "60ms", ...station }), points, forever));
}

describe("reading", () => {
  test("asks once for the points that share a request", async () => {
    const { connection, requests } = await open((request) => (request === "A" ? "1,2,3\r\n" : "4\r\n"));
    const points = [0, 1, 2].map((column) => point({ column, request: "A\\r\\n" }));
    expect(await read(connection, {}, [...points, point({ column: 0, request: "B\\r\\n" })])).toEqual([1, 2, 3, 4]);
    expect(requests).toEqual(["A", "B"]);
  });

  test("takes each value of an answer of several frames from its own", async () => {
    const { connection } = await open(() => "id: x\r\nv: 230\r\ni: 16\r\nend\r\n");
    const points = ["i: ", "p: ", "v: "].map((prefix) => point({ prefix, regex: "^\\w: (?<value>\\d+)$" }));
    expect(await read(connection, { request: "?\\r\\n", last: "^end$" }, points)).toEqual([16, "DEVICE_REFUSED", 230]);
  });

  test("keeps what came when the rest of an answer does not", async () => {
    const { connection, requests } = await open(() => "a 1\r\n");
    const points = ["a", "b"].map((prefix) => point({ prefix, regex: "^\\w (?<value>\\d)$" }));
    expect(await read(connection, { request: "?\\r\\n", retries: 1 }, points)).toEqual([1, "ANSWER_INVALID"]);
    expect(requests).toHaveLength(2);
  });

  test("does not ask a silent device for everything else", async () => {
    const { connection, requests } = await open();
    const points = ["A", "B", "C"].map((name) => point({ column: 0, request: `${name}\\r\\n` }));
    const silent = ["DEVICE_TIMEOUT", "DEVICE_TIMEOUT", "DEVICE_TIMEOUT"];
    expect(await read(connection, { retries: 2 }, points)).toEqual(silent);
    expect(requests).toEqual(["A", "A", "A"]);
  });

  test("waits for the next frame where nothing asks for it", async () => {
    const { connection, simulator } = await open();
    const reading = read(connection, { timeout: "5s" }, [point({ prefix: "t=", regex: "^t=(?<value>\\d+)$" })]);
    simulator.say("x=1\r\nt=21\r\n");
    expect(await reading).toEqual([21]);
  });

  test("refuses a point that can only be written, and one that lacks the id", async () => {
    const { connection, requests } = await open(() => "5\r\n");
    const points = [point({ write: "T\\r\\n" }), point({ column: 0, prefix: "{id}" }), point({ column: 0 })];
    expect(await read(connection, { request: "?\\r\\n" }, points)).toEqual(["DEVICE_REFUSED", "DEVICE_REFUSED", 5]);
    expect(requests).toEqual(["?"]);
  });

  test("cuts frames by silence", async () => {
    const { connection } = await open(() => "1,22", "?");
    const station = { framing: { by: "silence", silence: "20ms" }, timeout: "300ms", request: "?" };
    expect(await read(connection, station, [point({ column: 1 })])).toEqual([22]);
  });

  test("speaks binary frames with a checksum", async () => {
    const { connection, requests } = await open(() => "\x01\x03\x02\x00\xd7\xf8\x1a", "\xcd");
    const station = {
      encoding: "hex",
      framing: { by: "length", field: 2, adjust: 5 },
      checksum: { name: "crc16-modbus", order: "little" },
    };
    const points = [point({ request: "01 03 0000 000a {checksum}", prefix: "0103", offset: 3, type: "int16" })];
    expect(await read(connection, station, points)).toEqual([215]);
    expect(requests[0]).toBe("\x01\x03\x00\x00\x00\x0a\xc5");
  });

  test("greets a device once on each connection, before everything else", async () => {
    const { connection, requests } = await open((request) => (request === "?" ? "5\r\n" : undefined));
    const station = driver.station.parse({ open: "HELLO\\r\\n", request: "?\\r\\n" });
    for (let visit = 0; visit < 2; visit++)
      expect(results(await connection.read(station, [point({ column: 0 })], forever))).toEqual([5]);
    expect(requests).toEqual(["HELLO", "?", "?"]);
  });

  test("marks a value as uncertain that the device doubts itself", async () => {
    const { connection } = await open(() => "5?\r\n");
    const doubted = point({ regex: "^(?<value>\\d)", doubtful: "\\?$" });
    const readings = await connection.read(driver.station.parse({ request: "?\\r\\n" }), [doubted], forever);
    expect(readings).toMatchObject([{ ok: true, raw: 5, doubt: expect.any(String) }]);
  });

  test("says at once that a checksum is wrong, and asks again", async () => {
    const { connection, requests } = await open(() => "$5*00\r\n");
    const station = driver.station.parse({
      request: "?\\r\\n",
      checksum: { name: "xor", form: "hex", mark: "*", skip: 1 },
      retries: 2,
      timeout: "1h",
    });
    const [reading] = await connection.read(station, [point({ regex: "^\\$(?<value>\\d)" })], forever);
    expect(!reading?.ok && reading?.fault.message).toBe('the frame "$5*00" has no valid checksum');
    expect(requests).toHaveLength(3);
  });

  test("says in words what was wrong", async () => {
    const { connection } = await open(() => "\x02warm\r\n");
    const station = driver.station.parse({ request: "?\\r\\n", retries: 0 });
    const [reading] = await connection.read(station, [point({ regex: "^(?<value>\\d)" }, "oven")], forever);
    expect(!reading?.ok && reading?.fault.message).toBe('oven: the frame "\\x02warm" does not match the pattern');
  });
});

describe("writing", () => {
  const station = driver.station.parse({ timeout: "60ms", refused: "^ERR", id: "01" });

  test("without an answer to wait for is sent, and what the device says to it is not taken for the next answer", async () => {
    let held = 0;
    const { connection } = await open((request) => {
      const [, value] = /^S(\d+)$/.exec(request) ?? [];
      if (value === undefined) return `${held}\r\n`;
      held = Number(value);
      return "99\r\n";
    });
    const setpoint = point({ column: 0, request: "?\\r\\n", write: "S{value:d}\\r\\n" });
    for (const value of [5, 7]) {
      await connection.write(station, setpoint, value, forever);
      expect(results(await connection.read(station, [setpoint], forever))).toEqual([value]);
    }
  });

  test("is confirmed, refused or doubted by the answer", async () => {
    const answers: Readonly<Record<string, string | undefined>> = {
      "1": "01 OK",
      "2": "ERR 4",
      "3": "what?",
      "4": undefined,
    };
    const { connection, requests } = await open((request) => answers[request] && `${answers[request]}\r\n`);
    const setpoint = point({ write: "{value:d}\\r\\n", answer: "^{id} OK$" });
    await connection.write(station, setpoint, 1, forever);
    await expect(connection.write(station, setpoint, 2, forever)).rejects.toMatchObject({
      code: "DEVICE_REFUSED",
      message: 'the device says "ERR 4"',
    });
    await expect(connection.write(station, setpoint, 3, forever)).rejects.toMatchObject({ code: "ANSWER_INVALID" });
    await expect(connection.write(station, setpoint, 4, forever)).rejects.toMatchObject({ code: "DEVICE_TIMEOUT" });
    expect(requests).toEqual(["1", "2", "3", "4"]);
  });

  test("takes the text of the map, and nothing that is not in it", async () => {
    const { connection, requests } = await open(() => "OK\r\n");
    const pump = point({ write: "P {value}\\r\\n", map: { ON: true, OFF: false }, answer: "^OK" });
    await connection.write(station, pump, false, forever);
    await expect(connection.write(station, pump, 2, forever)).rejects.toMatchObject({ code: "VALUE_INVALID" });
    expect(requests).toEqual(["P OFF"]);
  });
});

describe("watching", () => {
  const station = driver.station.parse({ unsolicited: true });
  const temperature = point({ prefix: "t=", regex: "^t=(?<value>\\d+)$" }, "t");
  const humidity = point({ prefix: "h=", regex: "^h=(?<value>\\d+)$" }, "h");

  function watch(connection: Connection, points: readonly Point[], signal = forever, of: unknown = station) {
    return connection.watch?.(of, points, signal)[Symbol.asyncIterator]() as AsyncIterator<readonly Pushed[]>;
  }

  async function next(stream: AsyncIterator<readonly Pushed[]>, count: number) {
    const seen: (readonly [number, unknown])[] = [];
    while (seen.length < count) {
      const { value, done } = await stream.next();
      if (done) break;
      for (const { index, reading } of value as readonly Pushed[])
        seen.push([index, ...results([reading])] as [number, unknown]);
    }
    return seen;
  }

  test("is for points of an unsolicited station without a request", () => {
    const asked = driver.address.parse({ column: 0, request: "?" });
    expect(driver.isPushed?.(station, temperature.address)).toBe(true);
    expect(driver.isPushed?.(station, asked)).toBe(false);
    expect(driver.isPushed?.(driver.station.parse({}), temperature.address)).toBe(false);
    expect(driver.isPushed?.(driver.station.parse({ unsolicited: true, request: "?" }), temperature.address)).toBe(
      false,
    );
  });

  test("gives every reading in order, however the bytes arrive, and misses nothing before the first next", async () => {
    const { connection, simulator } = await open();
    const stream = watch(connection, [humidity, temperature]);
    for (const piece of ["noise\r\nt=", "21\r\nh=4", "0\r\nt=22\r", "\nt=hot\r\n"]) simulator.say(piece);
    expect(await next(stream, 4)).toEqual([
      [1, 21],
      [0, 40],
      [1, 22],
      [1, "ANSWER_INVALID"],
    ]);
  });

  test("goes on beside requests, whose answers it sees too", async () => {
    const { connection, simulator } = await open(() => "h=55\r\n");
    const stream = watch(connection, [temperature, humidity]);
    const asked = point({ request: "H?\\r\\n", prefix: "h=", regex: "^h=(?<value>\\d+)$" });
    simulator.say("t=1\r\n");
    expect(results(await connection.read(station, [asked], forever))).toEqual([55]);
    simulator.say("t=2\r\n");
    expect(await next(stream, 3)).toEqual([
      [0, 1],
      [1, 55],
      [0, 2],
    ]);
  });

  test("hears each of two devices on one line", async () => {
    const { connection, simulator } = await open();
    const level = point({ prefix: "{id}=", regex: "^[^=]*=(?<value>\\d+)$" });
    const streams = ["a", "b"].map((id) =>
      watch(connection, [level], forever, driver.station.parse({ unsolicited: true, id })),
    );
    simulator.say("a=1\r\nb=2\r\na=3\r\n");
    expect(await next(streams[0] as AsyncIterator<readonly Pushed[]>, 2)).toEqual([
      [0, 1],
      [0, 3],
    ]);
    expect(await next(streams[1] as AsyncIterator<readonly Pushed[]>, 1)).toEqual([[0, 2]]);
  });

  test("says at once what can not be read", async () => {
    const { connection } = await open();
    expect(await next(watch(connection, [point({ write: "T" })]), 1)).toEqual([[0, "DEVICE_REFUSED"]]);
  });

  test("says with the next reading that some were dropped, when the reader is too slow", async () => {
    const { connection, simulator } = await open();
    const stream = watch(connection, [temperature]);
    const batch = async () => ((await stream.next()).value as readonly Pushed[])[0];
    simulator.say("t=0\r\n");
    expect(await batch()).not.toHaveProperty("lost");
    for (let i = 1; i <= 1_030; i++) {
      simulator.say(`t=${i}\r\n`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const first = await batch();
    expect(first?.lost).toBe(true);
    expect(first?.reading.ok && first.reading.raw).toBeGreaterThan(1);
    expect(await batch()).not.toHaveProperty("lost");
  });

  test("ends quietly when it is told to stop", async () => {
    const { connection, simulator } = await open();
    const stop = new AbortController();
    const stream = watch(connection, [temperature], stop.signal);
    simulator.say("t=1\r\n");
    expect(await next(stream, 1)).toEqual([[0, 1]]);
    const waiting = stream.next();
    stop.abort(new Error("enough"));
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await watch(connection, [temperature], stop.signal).next()).toEqual({ done: true, value: undefined });
  });

  test("tells what came before the link was lost, and then that it is", async () => {
    const { connection, simulator } = await open();
    const stream = watch(connection, [temperature]);
    simulator.say("t=1\r\n");
    expect(await next(stream, 1)).toEqual([[0, 1]]);
    simulator.hangUp();
    await expect(stream.next()).rejects.toMatchObject({ code: "LINK_LOST" });
    await expect(watch(connection, [temperature]).next()).rejects.toMatchObject({ code: "LINK_LOST" });
  });

  test("greets the device, so that it begins to talk", async () => {
    const { connection } = await open((request) => (request === "SIR" ? "t=5\r\n" : undefined));
    const talking = driver.station.parse({ unsolicited: true, open: "SIR\\r\\n" });
    expect(await next(watch(connection, [temperature], forever, talking), 1)).toEqual([[0, 5]]);
  });
});
