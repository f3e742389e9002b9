/** What is said with a server is kept, put into words, and played back from a recording. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import type { Connection, Exchange, Point, Pushed, Raw, Told } from "#devices/driver";
import { formatExchange, parseExchanges } from "#devices/recording";
import { opcua } from "#drivers/opcua/index";
import type { OpcuaAddress, OpcuaStation } from "#drivers/opcua/schema";
import { folder } from "../rigs/folder.ts";
import { openSample, PLANT_A, PLANT_B, type Sample } from "../rigs/opcua-server.ts";

const forever = new AbortController().signal;
const driver = opcua();
const station = stationOf(PLANT_A);
const opened: AsyncDisposable[] = [];
let sample: Sample;

beforeAll(async () => {
  sample = await openSample();
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
});
afterAll(async () => {
  await sample[Symbol.asyncDispose]();
});

async function open(): Promise<Connection<OpcuaStation, OpcuaAddress>> {
  const endpoint = `opc.tcp://127.0.0.1:${sample.port}/plant`;
  const link = driver.link.parse({ endpoint, security: { mode: "None", insecure: true } });
  const connection = await driver.connect(link, forever);
  opened.push(connection);
  return connection;
}

/** What a connection went through, as a recording that is played back. */
async function play({
  exchanges = [],
}: Pick<Connection, "exchanges">): Promise<Connection<OpcuaStation, OpcuaAddress>> {
  using dir = folder();
  const file = join(dir.path, "recording.ndjson");
  writeFileSync(file, exchanges.map(formatExchange).join("\n"));
  const connection = await driver.connect(driver.link.parse({ file }), forever);
  opened.push(connection);
  return connection;
}

function stationOf(namespaceUri: string): OpcuaStation {
  return driver.station.parse({ namespaceUri, publishingInterval: "50ms" });
}

function point(name: string, rest: object = {}): Point<OpcuaAddress> {
  return { property: name, address: driver.address.parse({ nodeId: `s=${name}`, ...rest }) };
}

function told({ exchanges = [] }: Pick<Connection, "exchanges">): readonly (Told & Pick<Exchange, "error">)[] {
  return exchanges.map((it) => ({ ...(driver.tell?.(it) as Told), ...(it.error ? { error: it.error } : {}) }));
}

async function read(connection: Connection<OpcuaStation, OpcuaAddress>, points: readonly Point<OpcuaAddress>[]) {
  const readings = await connection.read(station, points, forever);
  return readings.map((reading) => (reading.ok ? reading.raw : reading.fault.code));
}

/** What is pushed until it is enough. */
async function watch(
  connection: Connection<OpcuaStation, OpcuaAddress>,
  points: readonly Point<OpcuaAddress>[],
  isEnough: (seen: readonly Pushed[]) => boolean,
): Promise<readonly (Raw | undefined)[]> {
  const stop = new AbortController();
  const seen: Pushed[] = [];
  for await (const batch of connection.watch?.(station, points, stop.signal) ?? []) {
    seen.push(...batch);
    if (isEnough(seen)) stop.abort();
  }
  return seen.map(({ reading }) => (reading.ok ? reading.raw : undefined));
}

describe("the exchanges of an OPC UA link", () => {
  test("show a read with its items, and status codes by name", async () => {
    const connection = await open();
    await read(connection, [point("First"), point("List", { index: "0:1" })]);
    await read(connection, [point("First"), point("Missing"), point("Nowhere")]);
    expect(told(connection)).toEqual([
      { asked: "Read of 2 items: s=First, s=List[0:1]", said: '2 values, all good: 0, "[1,2.5]"' },
      {
        asked: "Read of 3 items: s=First, s=Missing, s=Nowhere",
        said: "3 values, 1 good: 0, BadNodeIdUnknown, BadNodeIdUnknown",
        error: "2 of 3 not good; BadNodeIdUnknown: s=Missing, s=Nowhere",
      },
    ]);
    expect(connection.exchanges?.every(({ ms }) => ms > 0)).toBe(true);
  });

  test("show writes and calls, and what the server says to them", async () => {
    const connection = await open();
    await connection.write(station, point("First"), 5, forever);
    await expect(connection.write(station, point("Fixed"), 5, forever)).rejects.toThrow("BadNotWritable");
    await connection.call?.(station, { object: "s=Boiler", method: "s=Scale" }, [2.5, 4], forever);
    expect(told(connection)).toEqual([
      { asked: "Write of 5 to s=First", said: "Good" },
      { asked: "Write of 5 to s=Fixed", said: "BadNotWritable", error: expect.stringContaining("BadNotWritable") },
      { asked: "Call of s=Scale with 2.5,4", said: "Good: 10" },
    ]);
  });

  test("show a subscription, and what is published by itself", async () => {
    const connection = await open();
    let next = 0;
    const changing = setInterval(() => sample.setMoving(++next), 20);
    await watch(connection, [point("Moving"), point("Missing")], (seen) => seen.length > 2);
    clearInterval(changing);
    const [first, second] = told(connection);
    expect(first).toMatchObject({
      asked: "CreateMonitoredItems of 2 items: s=Moving, s=Missing",
      error: "1 of 2 not good; BadNodeIdUnknown: s=Missing",
    });
    expect(second).toEqual({
      asked: "Publish, by itself",
      said: expect.stringMatching(/^1 notification, all good: s=Moving = \d+$/),
    });
    expect(connection.exchanges?.[1]).toMatchObject({ request: undefined, ms: 0 });
  });

  test("say that nobody answered", async () => {
    const connection = await open();
    const stop = new AbortController();
    stop.abort(new Error("took longer than 5 s"));
    await expect(connection.read(station, [point("First")], stop.signal)).rejects.toThrow();
    expect(told(connection)).toEqual([
      { asked: "Read of 1 item: s=First", said: "took longer than 5 s", error: "took longer than 5 s" },
    ]);
    expect(connection.exchanges?.[0]?.answer).toBeUndefined();
  });

  test("are of one station each, and bounded by number and by size", async () => {
    const connection = await open();
    const other = stationOf(PLANT_B);
    for (let i = 0; i < 20; i++)
      for (const it of [station, other]) await connection.read(it, [point("First")], forever);
    expect(connection.exchanges).toHaveLength(32);
    expect(connection.exchanges?.filter((it) => driver.isWith?.(station, it))).toHaveLength(16);
    const many = Array.from({ length: 4_000 }, () => point("First"));
    for (let i = 0; i < 4; i++) await connection.read(station, many, forever);
    expect(connection.exchanges).toHaveLength(2);
  });
});

describe("a recording of an OPC UA link", () => {
  test("comes back from its lines as it went, with integers beyond 2^53", async () => {
    const connection = await open();
    const points = [point("Natural"), point("Doubtful"), point("Missing"), point("Name"), point("On")];
    sample.setStatus("UncertainLastUsableValue");
    await read(connection, points);
    const { exchanges = [] } = connection;
    const [line] = parseExchanges(exchanges.map(formatExchange).join("\n"));
    expect(line).toMatchObject({ request: exchanges[0]?.request, answer: exchanges[0]?.answer });
    const played = await play(connection);
    const [real, again] = await Promise.all([connection, played].map((one) => one.read(station, points, forever)));
    expect(again?.map(({ at: _, ...rest }) => rest)).toEqual(real?.map(({ at: _, ...rest }) => rest));
  });

  test("gives the values in turn, refuses what it does not have, and repeats writes and calls", async () => {
    const connection = await open();
    const values = [];
    for (const value of [1, 2, 3]) {
      sample.setMoving(value);
      values.push(await read(connection, [point("Moving")]));
    }
    await connection.write(station, point("First"), 6, forever);
    await expect(connection.write(station, point("Fixed"), 5, forever)).rejects.toThrow("BadNotWritable");
    const scale = { object: "s=Boiler", method: "s=Scale" };
    await connection.call?.(station, scale, [2, 4], forever);
    const played = await play(connection);
    const again = [];
    for (const _ of values) again.push(await read(played, [point("Moving")]));
    expect(again).toEqual(values);
    expect(await read(played, [point("Small")])).toEqual(["DEVICE_REFUSED"]);
    await played.write(station, point("First"), 6, forever);
    await expect(played.write(station, point("Fixed"), 5, forever)).rejects.toThrow("BadNotWritable");
    await expect(played.write(station, point("First"), 7, forever)).rejects.toThrow("not in the recording");
    expect(await played.call?.(station, scale, [2, 4], forever)).toBe(8);
  });

  test("publishes what was published, over and over, and ends with its link", async () => {
    const connection = await open();
    sample.setMoving(0);
    let next = 0;
    const changing = setInterval(() => sample.setMoving(++next), 60);
    const isThere = (seen: readonly Pushed[]) => seen.some(({ reading }) => reading.ok && reading.raw === 3);
    const real = await watch(connection, [point("Moving")], isThere);
    clearInterval(changing);
    const played = await play(connection);
    const seen = await watch(played, [point("Moving")], (seen) => seen.length >= 2 * real.length - 1);
    expect(seen).toEqual([...real, ...real.slice(1)]);
    const watching = watch(played, [point("Moving")], () => false);
    await played[Symbol.asyncDispose]();
    await expect(watching).rejects.toMatchObject({ code: "LINK_LOST" });
  });
});
