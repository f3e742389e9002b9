import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Connection, Driver, Exchange, Point, Pushed, Reading, Told } from "#devices/driver";
import { formatExchange } from "#devices/recording";
import { serial } from "#drivers/serial/index";
import { type Pan, print, scale, sentences } from "#drivers/serial/simulated";
import { openSerialSimulator, type SerialDevice, type SerialSimulator } from "#drivers/serial/simulator";
import { eventually } from "../../../rigs/eventually.ts";
import { folder } from "../../../rigs/folder.ts";

const driver: Driver = serial();
const forever = new AbortController().signal;
const opened: AsyncDisposable[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** A device at the end of a simulated serial server, and a connection to it. */
async function open(device: SerialDevice): Promise<{ connection: Connection; simulator: SerialSimulator }> {
  const simulator = await openSerialSimulator({ host: "127.0.0.1", port: 0, device });
  const connection = await driver.connect(driver.link.parse({ host: simulator.host, port: simulator.port }), forever);
  opened.push(simulator, connection);
  await eventually(() => simulator.say(""));
  return { connection, simulator };
}

const silent: SerialDevice = { answer: () => undefined };
const scaleStation = { request: "\\eP\\r\\n", refused: "^ *High", timeout: "60ms", retries: 0 };
const weight = point("weight", { offset: 0, length: 10 });
const nmea = { unsolicited: true, checksum: { name: "xor", form: "hex", mark: "*", skip: 1 } };
const latitude = point("latitude", { frame: "^\\$GPGGA,", column: 2, type: "degrees" });

function point(property: string, written: object): Point {
  return { property, address: driver.address.parse(written) };
}

function station(written: object): unknown {
  return driver.station.parse(written);
}

async function read(connection: Connection, written: object, points: readonly Point[]): Promise<readonly unknown[]> {
  return rawsOf(await connection.read(station(written), points, forever));
}

function rawsOf(readings: readonly Reading[]): readonly unknown[] {
  return readings.map((reading) => (reading.ok ? reading.raw : reading.fault.code));
}

function told({ exchanges = [] }: Connection): readonly (Told & Pick<Exchange, "error">)[] {
  return exchanges.map((it) => ({ ...(driver.tell?.(it) as Told), ...(it.error ? { error: it.error } : {}) }));
}

/** The readings of the first batches of a watch. */
async function watch(connection: Connection, points: readonly Point[], count: number): Promise<readonly Pushed[]> {
  const stop = new AbortController();
  const seen: Pushed[] = [];
  for await (const batch of connection.watch?.(station(nmea), points, stop.signal) ?? []) {
    seen.push(...batch);
    if (seen.length >= count) stop.abort();
  }
  return seen;
}

describe("the exchanges of a serial line", () => {
  test("show what was sent and what came, as text", async () => {
    const pan: Pan = { grams: 123.45, isStable: true };
    const { connection } = await open(scale(pan));
    expect(await read(connection, scaleStation, [weight])).toEqual([123.45]);
    const [exchange] = connection.exchanges ?? [];
    expect(exchange).toMatchObject({ request: Buffer.from("\x1bP\r\n"), answer: Buffer.from(print(pan)) });
    expect(told(connection)).toEqual([{ asked: 'send "\\eP\\r\\n"', said: '1 frame: "+   123.45 g  \\r\\n"' }]);
  });

  test("say that the checksum is right, and show a frame whose checksum is not", async () => {
    const answers = ["$A=1*4D\r\n", "$A=1*00\r\n"];
    const { connection } = await open({ answer: () => answers.shift() });
    const points = [point("a", { request: "A\\r\\n", prefix: "$A=", regex: "=(?<value>\\d)$" })];
    const checked = { ...nmea, unsolicited: false, timeout: "60ms", retries: 0 };
    expect([await read(connection, checked, points), await read(connection, checked, points)]).toEqual([
      [1],
      ["ANSWER_INVALID"],
    ]);
    expect(told(connection)).toEqual([
      { asked: 'send "A\\r\\n"', said: '1 frame, the checksum is right: "$A=1*4D\\r\\n"' },
      {
        asked: 'send "A\\r\\n"',
        said: '"$A=1*00\\r\\n"',
        error: 'the frame "$A=1*00" has no valid checksum',
      },
    ]);
  });

  test("show silence, what the device refuses, and bytes that are no frame", async () => {
    const answers = [undefined, "      High    \r\n", "\xff\xfe"];
    const { connection } = await open({ answer: () => answers.shift() });
    for (let visit = 0; visit < 3; visit++) await read(connection, scaleStation, [weight]);
    expect(
      connection.exchanges?.map(({ answer }) => answer && Buffer.from(answer as Buffer).toString("latin1")),
    ).toEqual([undefined, "      High    \r\n", "\xff\xfe"]);
    expect(told(connection).map(({ error }) => error)).toEqual([
      expect.stringMatching(/was silent for 60 ms/),
      expect.stringMatching(/the device says "High"/),
      expect.stringMatching(/no whole frame/),
    ]);
  });

  test("show an answer that came when nobody waited any more", async () => {
    const { connection, simulator } = await open(silent);
    await read(connection, scaleStation, [weight]);
    simulator.say("+ 1.00 g\r\n");
    await eventually(() => connection.exchanges?.length === 2);
    expect(told(connection).at(-1)).toMatchObject({ said: '"+ 1.00 g\\r\\n"', error: expect.stringMatching(/late/) });
  });

  test("show what was written, also when nobody confirms it", async () => {
    const { connection } = await open(scale({ grams: 5, isStable: true }));
    const tare = point("tare", { write: "\\e{value}\\r\\n", map: { T: true } });
    await connection.write(station(scaleStation), tare, true, forever);
    expect(told(connection)).toEqual([{ asked: 'send "\\eT\\r\\n"', said: "no answer is due" }]);
  });

  test("show the lines that come by themselves, however they are cut into chunks, and their checksum", async () => {
    const { connection, simulator } = await open(silent);
    const watching = watch(connection, [latitude], 2);
    const here = { latitude: 48.1, longitude: 11.5, metres: 500, knots: 0, satellites: 8 };
    const lines = sentences(here).split("\r\n", 1)[0] as string;
    for (const piece of [`${lines}\r\n${lines.slice(0, 20)}`, `${lines.slice(20)}\r`, "\n"]) {
      simulator.say(piece);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect((await watching).map(({ reading }) => reading.ok && reading.raw)).toEqual([48.1, 48.1]);
    expect(connection.exchanges?.map(({ request, answer }) => [request, String(answer)])).toEqual([
      [undefined, `${lines}\r\n`],
      [undefined, `${lines}\r\n`],
    ]);
    expect(told(connection)[0]).toMatchObject({
      asked: "by itself",
      said: expect.stringMatching("the checksum is right"),
    });
  });

  test("show noise that never becomes a frame", async () => {
    const { connection, simulator } = await open(silent);
    const stop = new AbortController();
    void (async () => {
      for await (const _ of connection.watch?.(station(nmea), [latitude], stop.signal) ?? []);
    })();
    simulator.say("\xff".repeat(3_000));
    await eventually(() => connection.exchanges?.length === 1);
    stop.abort();
    expect(told(connection)[0]?.error).toMatch("3000 bytes without a frame");
  });

  test("are of one station each, and at most 32", async () => {
    const { connection } = await open({ answer: (request) => `${request} 1\r\n` });
    const points = [point("p", { request: "{id}\\r\\n", prefix: "{id}", column: 0, separator: " " })];
    const stations = ["a", "b"].map((id) => station({ id }));
    for (let visit = 0; visit < 20; visit++) for (const it of stations) await connection.read(it, points, forever);
    const { exchanges = [] } = connection;
    expect(exchanges).toHaveLength(32);
    expect(exchanges.filter((it) => driver.isWith?.(stations[0], it))).toHaveLength(16);
  });
});

describe("a recording of a serial line", () => {
  test("gives the values that the device gave, in turn", async () => {
    using dir = folder();
    const pan: Pan = { grams: 0, isStable: true };
    const { connection } = await open(scale(pan));
    const values = [];
    for (const grams of [10, 20, 30]) {
      pan.grams = grams;
      values.push(await read(connection, scaleStation, [weight]));
    }
    const played = await play(dir.path, connection);
    const again = [];
    for (const _ of values) again.push(await read(played, scaleStation, [weight]));
    expect(again).toEqual(values);
    expect(await read(played, { ...scaleStation, request: "?\\r\\n" }, [weight])).toEqual(["DEVICE_TIMEOUT"]);
  });

  test("says by itself what the device said by itself, over and over", async () => {
    using dir = folder();
    const { connection, simulator } = await open(silent);
    const watching = watch(connection, [latitude], 2);
    for (const latitude of [48, 49]) {
      simulator.say(sentences({ latitude, longitude: 11, metres: 1, knots: 0, satellites: 9 }));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await watching;
    const seen = await watch(await play(dir.path, connection), [latitude], 4);
    expect(seen.map(({ reading }) => reading.ok && reading.raw)).toEqual([48, 49, 48, 49]);
  });

  test("that is not there, or is none, is told", async () => {
    using dir = folder();
    const file = join(dir.path, "none.ndjson");
    const link = driver.link.parse({ file });
    await expect(driver.connect(link, forever)).rejects.toMatchObject({ code: "LINK_LOST" });
    writeFileSync(file, "what?\n");
    await expect(driver.connect(link, forever)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});

/** What a connection went through, as a recording that is played back. */
async function play(dir: string, { exchanges = [] }: Connection): Promise<Connection> {
  const file = join(dir, "recording.ndjson");
  writeFileSync(file, exchanges.map(formatExchange).join("\n"));
  const connection = await driver.connect(driver.link.parse({ file }), forever);
  opened.push(connection);
  return connection;
}
