import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Admission } from "#edge/broker/admission";
import { type Broker, openBroker } from "#edge/broker/broker";
import { mqttLimits } from "#edge/broker/config";
import { Tide } from "#edge/broker/tide";
import { silent } from "#std/log";
import { eventually } from "../../../rigs/eventually.ts";
import { join, publishPacket, type Raw } from "./raw.ts";

let broker: Broker;
const said: { phrase: string; facts: Readonly<Record<string, unknown>> | undefined }[] = [];
const log = {
  ...silent,
  warn: (phrase: string, facts?: Readonly<Record<string, unknown>>) => void said.push({ phrase, facts }),
};

beforeEach(async () => {
  said.length = 0;
  broker = await openBroker({ host: "127.0.0.1", port: 0, log });
});
afterEach(async () => await broker[Symbol.asyncDispose]());

const MESSAGES = 20_000;
const body = Buffer.alloc(1024, "x");

/** Publishes as fast as acknowledgements or the socket allow, and tells the longest time that it had to wait. */
async function publishAll(writer: Raw, qos: number): Promise<number> {
  let longest = 0;
  for (let sent = 0; sent < MESSAGES; ) {
    for (let i = 0; i < 200; i++) writer.socket.write(publishPacket("load", body, { qos, id: (sent++ % 65_535) + 1 }));
    const began = performance.now();
    if (qos > 0) await eventually(() => writer.of(qos === 1 ? 4 : 5).length === sent || undefined);
    else if (writer.socket.writableNeedDrain) await new Promise((resolve) => writer.socket.once("drain", resolve));
    longest = Math.max(longest, performance.now() - began);
  }
  return longest;
}

test.each([0, 1])("one stalled subscriber costs only itself at QoS %d", async (qos) => {
  using good = await join(broker.port, { client: "good" }, ["load", qos]);
  const stalled = await join(broker.port, { client: "stalled" }, ["load", qos]);
  stalled.socket.pause();
  using writer = await join(broker.port, { client: "writer" });
  const before = process.memoryUsage.rss();
  const longest = await publishAll(writer, qos);
  await eventually(() => good.messages.length === MESSAGES);
  // Beside the two clients and what they keep; the bench measures the broker alone.
  expect(process.memoryUsage.rss() - before).toBeLessThan(400 * 1024 * 1024);
  await eventually(() => broker.clients === 2);
  expect(said.map(({ phrase }) => phrase)).toContain("client closed");
  expect([...broker.figures.droppedByClient()].every(({ client }) => client === "stalled")).toBe(true);
  // The tide waits 50 ms; the rest is what a busy machine adds.
  expect(longest).toBeLessThan(1000);
  stalled.socket.destroy();
});

test("a durable subscriber that stalls finds everything when it comes back", async () => {
  const stalled = await join(broker.port, { client: "stalled", clean: false }, ["load", 1]);
  stalled.socket.pause();
  using writer = await join(broker.port, { client: "writer" });
  for (let i = 1; i <= 3000; i++)
    writer.send(publishPacket("load", Buffer.concat([body, Buffer.from(`${i}`)]), { qos: 1, id: i }));
  await eventually(() => writer.of(4).length === 3000);
  stalled.socket.destroy();
  using back = await join(broker.port, { client: "stalled", clean: false });
  await eventually(() => new Set(back.messages.map(({ text }) => text)).size === 3000);
  expect(broker.figures.dropped.size).toBe(0);
});

test("who is behind is waited for, a moment, until it has caught up", async () => {
  const tide = new Tide({ bufferBytes: 800 });
  const looks: string[] = [];
  const swimmer = (load: number, name: string) => ({ load, isSlow: false, readAgain: () => void looks.push(name) });
  const [good, bad, writer] = [swimmer(500, "good"), swimmer(500, "bad"), swimmer(0, "writer")];
  tide.rises(good);
  expect(tide.isHigh).toBe(true);
  tide.wait(writer);
  good.load = 300;
  tide.falls(good);
  expect(tide.isHigh).toBe(true);
  good.load = 100;
  tide.falls(good);
  expect([tide.isHigh, looks]).toEqual([false, ["writer"]]);
  tide.rises(bad);
  await eventually(() => bad.isSlow && !tide.isHigh);
  tide.rises(bad);
  expect(tide.isHigh).toBe(false);
});

test("addresses beyond loopback have a rate and a number of connections; all have a total", () => {
  const admission = new Admission({ connections: 5, connectionsPerAddress: 3, connectsPerSecond: 2 });
  const enter = (address: string, at: number) => admission.enter(address, at) ?? "in";
  expect([enter("10.0.0.1", 0), enter("10.0.0.1", 0), enter("10.0.0.1", 0)]).toEqual(["in", "in", "rate"]);
  expect([enter("10.0.0.1", 600), enter("10.0.0.1", 1600)]).toEqual(["in", "per address"]);
  expect([enter("127.0.0.1", 0), enter("::1", 0), enter("::1", 0)]).toEqual(["in", "in", "total"]);
  admission.leave("10.0.0.1");
  expect(enter("10.0.0.1", 2600)).toBe("in");
});

test("more connections than allowed are closed at once, and room comes back", async () => {
  await broker[Symbol.asyncDispose]();
  broker = await openBroker({ host: "127.0.0.1", port: 0, log, limits: { ...mqttLimits.parse({}), connections: 2 } });
  const [one, two] = [await join(broker.port, { client: "1" }), await join(broker.port, { client: "2" })];
  using three = await join(broker.port, { client: "3" });
  await three.closed();
  one.socket.destroy();
  await eventually(() => broker.clients === 1);
  using four = await join(broker.port, { client: "4" });
  expect(four.of(2)).toHaveLength(1);
  two.socket.destroy();
});
