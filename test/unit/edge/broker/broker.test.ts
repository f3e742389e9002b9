import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { type Broker, openBroker } from "#edge/broker/broker";
import { mqttLimits } from "#edge/broker/config";
import { silent } from "#std/log";
import { topics } from "#wire/topics";
import { eventually } from "../../../rigs/eventually.ts";
import {
  connectPacket,
  disconnectPacket,
  join,
  openRaw,
  pingPacket,
  publishPacket,
  pubrelPacket,
  subscribePacket,
  unsubscribePacket,
} from "./raw.ts";

let dataDir: string;
let broker: Broker;

const open = (options: Partial<Parameters<typeof openBroker>[0]> = {}) =>
  openBroker({ host: "127.0.0.1", port: 0, log: silent, dataDir, ...options });

beforeEach(async () => {
  dataDir = mkdtempSync(joinPath(tmpdir(), "broker-"));
  broker = await open();
});
afterEach(async () => {
  await broker[Symbol.asyncDispose]();
  rmSync(dataDir, { recursive: true });
});

const restart = async (options: Partial<Parameters<typeof openBroker>[0]> = {}) => {
  await broker[Symbol.asyncDispose]();
  broker = await open(options);
};

test.each([
  [0, 0],
  [1, 1],
  [2, 2],
])("a message at QoS %d reaches a subscriber at QoS %d", async (qos) => {
  using reader = await join(broker.port, { client: "reader" }, ["a/+", qos]);
  using writer = await join(broker.port, { client: "writer" });
  writer.send(publishPacket("a/b", "hello", { qos, id: 7 }));
  await eventually(() => reader.messages.length === 1);
  expect(reader.messages[0]).toMatchObject({ topic: "a/b", text: "hello", qos, retain: false });
  if (qos === 1) await eventually(() => writer.of(4).length === 1);
  if (qos === 2) {
    await eventually(() => writer.of(5).length === 1);
    writer.send(pubrelPacket(7));
    await eventually(() => writer.of(7).length === 1);
  }
});

test("a subscriber gets the lower of the two QoS, once, though two of its filters match", async () => {
  using reader = await join(broker.port, { client: "reader" }, ["a/#", 0], ["a/b", 1]);
  using writer = await join(broker.port, { client: "writer" });
  writer.send(publishPacket("a/b", "both", { qos: 2, id: 1 }), publishPacket("a/c", "one", { qos: 2, id: 2 }));
  await eventually(() => reader.messages.length === 2);
  writer.send(publishPacket("a/b", "end", { qos: 1, id: 3 }));
  await eventually(() => reader.messages.length === 3);
  expect(reader.messages.map(({ text, qos }) => [text, qos]).sort()).toEqual([
    ["both", 1],
    ["end", 1],
    ["one", 0],
  ]);
});

test("what the node retains is there for who comes later, and gone when it is cleared", async () => {
  broker.publishText("devices/a/reported/x", "1", true);
  broker.publishText("devices/a/reported/x", "2", true);
  broker.publishText("devices/b/reported/x", "3", true);
  broker.clear(topics.reported, { device: "b", property: "x" });
  using reader = await join(broker.port, { client: "reader" }, ["devices/+/reported/#", 1]);
  await eventually(() => reader.messages.length === 1);
  broker.publishText("devices/a/reported/x", "4", true);
  await eventually(() => reader.messages.length === 2);
  expect(reader.messages.map(({ text, retain }) => [text, retain])).toEqual([
    ["2", true],
    ["4", false],
  ]);
});

test("ten thousand retained messages all reach one who subscribes", async () => {
  for (let i = 0; i < 10_000; i++) broker.publishText(`devices/${i}/reported/x`, "x".repeat(300), true);
  using reader = await join(broker.port, { client: "reader" }, ["#", 0]);
  await eventually(() => reader.messages.length === 10_000);
});

test("a client's retained message outlives the broker, at each QoS, and an empty one takes it away", async () => {
  using writer = await join(broker.port, { client: "writer" });
  for (const qos of [0, 1, 2]) writer.send(publishPacket(`keep/${qos}`, `${qos}`, { qos, id: qos, retain: true }));
  writer.send(
    publishPacket("keep/gone", "x", { qos: 1, id: 8, retain: true }),
    publishPacket("keep/gone", "", { qos: 1, id: 9, retain: true }),
  );
  await eventually(() => writer.of(4).length === 3 && writer.of(5).length === 1);
  await restart();
  using reader = await join(broker.port, { client: "reader" }, ["keep/#", 2]);
  await eventually(() => reader.messages.length === 3);
  expect(reader.messages.map(({ topic, text, qos, retain }) => [topic, text, qos, retain]).sort()).toEqual([
    ["keep/0", "0", 0, true],
    ["keep/1", "1", 1, true],
    ["keep/2", "2", 2, true],
  ]);
});

test("a session that was kept gets in order what came while it was away, over a restart, once", async () => {
  {
    using reader = await join(broker.port, { client: "reader", clean: false }, ["a/#", 2]);
    reader.send(disconnectPacket);
    await reader.closed();
  }
  using writer = await join(broker.port, { client: "writer" });
  for (let i = 1; i <= 3000; i++) writer.send(publishPacket("a/b", `${i}`, { qos: i % 4 === 0 ? 2 : 1, id: i }));
  await eventually(() => writer.of(4).length + writer.of(5).length === 3000);
  expect(broker.figures.queued().messages).toBe(3000);
  await restart();
  expect(broker.figures.queued().messages).toBe(3000);
  {
    using reader = await join(broker.port, { client: "reader", clean: false });
    expect(reader.of(2)[0]?.body[0]).toBe(1);
    await eventually(() => reader.messages.length === 3000);
    expect(reader.messages.map(({ text }) => Number(text))).toEqual(Array.from({ length: 3000 }, (_, i) => i + 1));
    await eventually(() => broker.figures.queued().messages === 0);
  }
  await restart();
  using reader = await join(broker.port, { client: "reader", clean: false });
  using other = await join(broker.port, { client: "other" });
  other.send(publishPacket("a/b", "end", { qos: 1, id: 1 }));
  await eventually(() => reader.messages.length > 0);
  expect(reader.messages.map(({ text }) => text)).toEqual(["end"]);
});

test("what was sent and not acknowledged comes again with DUP and the same id", async () => {
  using reader = await join(broker.port, { client: "reader", clean: false }, ["a", 1]);
  reader.acknowledges = false;
  using writer = await join(broker.port, { client: "writer" });
  writer.send(publishPacket("a", "x", { qos: 1, id: 1 }));
  await eventually(() => reader.messages.length === 1);
  reader.socket.destroy();
  using again = await join(broker.port, { client: "reader", clean: false });
  await eventually(() => again.messages.length === 1);
  expect(again.messages[0]).toEqual({ ...reader.messages[0], dup: true });
});

test("a repeated QoS 2 message is acknowledged again and delivered once, also after a restart", async () => {
  using reader = await join(broker.port, { client: "reader", clean: false }, ["a", 2]);
  const writer = await join(broker.port, { client: "writer", clean: false });
  writer.send(publishPacket("a", "x", { qos: 2, id: 5 }));
  await eventually(() => writer.of(5).length === 1 && reader.messages.length === 1);
  await eventually(() => reader.of(6).length === 1);
  await restart();
  using again = await join(broker.port, { client: "writer", clean: false });
  again.send(publishPacket("a", "x", { qos: 2, id: 5, dup: true }));
  await eventually(() => again.of(5).length === 1);
  again.send(pubrelPacket(5));
  await eventually(() => again.of(7).length === 1);
  again.send(publishPacket("a", "y", { qos: 2, id: 5 }));
  await eventually(() => again.of(5).length === 2);
  using back = await join(broker.port, { client: "reader", clean: false });
  await eventually(() => back.messages.some(({ text }) => text === "y"));
  expect(back.messages.map(({ text }) => text)).toEqual(["y"]);
});

test("a clean session forgets the one before it", async () => {
  (await join(broker.port, { client: "reader", clean: false }, ["a", 1])).socket.destroy();
  using writer = await join(broker.port, { client: "writer" });
  writer.send(publishPacket("a", "x", { qos: 1, id: 1 }));
  await eventually(() => writer.of(4).length === 1);
  const clean = await join(broker.port, { client: "reader", clean: true });
  expect(clean.of(2)[0]?.body[0]).toBe(0);
  clean.socket.destroy();
  using reader = await join(broker.port, { client: "reader", clean: false });
  expect(reader.of(2)[0]?.body[0]).toBe(0);
  expect(broker.figures.queued().messages).toBe(0);
});

test("unsubscribing ends it, for good", async () => {
  using reader = await join(broker.port, { client: "reader", clean: false }, ["a", 1], ["b", 1]);
  reader.send(unsubscribePacket(2, "a"));
  await eventually(() => reader.of(11).length === 1);
  await restart();
  using back = await join(broker.port, { client: "reader", clean: false });
  using writer = await join(broker.port, { client: "writer" });
  writer.send(publishPacket("a", "no", { qos: 1, id: 1 }), publishPacket("b", "yes", { qos: 1, id: 2 }));
  await eventually(() => back.messages.length === 1);
  expect(back.messages[0]?.text).toBe("yes");
});

test("a client id that connects again takes over in one step, its will is published, and the count is right", async () => {
  using watcher = await join(broker.port, { client: "watcher" }, ["will", 1]);
  using first = await join(broker.port, { client: "twin", will: { topic: "will", text: "gone", qos: 1 } }, ["a", 0]);
  using second = await join(broker.port, { client: "twin" }, ["a", 0]);
  await first.closed();
  await eventually(() => watcher.messages.length === 1);
  const many = await Promise.all(Array.from({ length: 20 }, () => openRaw(broker.port)));
  for (const raw of many) raw.send(connectPacket({ client: "twin" }));
  await eventually(() => many.filter(({ isClosed }) => isClosed).length === 19 && second.isClosed);
  expect(broker.clients).toBe(2);
  for (const raw of many) raw.socket.destroy();
  await eventually(() => broker.clients === 1);
});

test("a will is published when the connection breaks, not after DISCONNECT", async () => {
  const gone = (client: string) => ({ client, will: { topic: `will/${client}`, text: "gone", qos: 1, retain: true } });
  using polite = await join(broker.port, gone("polite"));
  polite.send(disconnectPacket);
  await polite.closed();
  (await join(broker.port, gone("broken"))).socket.destroy();
  using watcher = await join(broker.port, { client: "watcher" }, ["will/#", 1]);
  await eventually(() => watcher.messages.length === 1);
  expect(watcher.messages[0]?.topic).toBe("will/broken");
});

test("only the node speaks for the node; wishes and commands are the clients'", async () => {
  const topicsOf = ["devices/a/reported/x", "node/status", "devices", "$SYS/x", "devices/a/desired/x"];
  for (const topic of topicsOf) {
    using writer = await join(broker.port, { client: "writer" });
    writer.send(publishPacket(topic, "{}", { qos: 1, id: 1 }));
    await writer.closed();
    expect(writer.of(4)).toEqual([]);
  }
  using writer = await join(broker.port, { client: "writer" });
  writer.send(
    publishPacket("devices/a/desired/x/set", "{}", { qos: 1, id: 1 }),
    publishPacket("devices/a/commands/go", "{}", { qos: 1, id: 2 }),
  );
  await eventually(() => writer.of(4).length === 2);
});

test("the node hears what clients say, and what it can not read", async () => {
  const end = new AbortController();
  const heard: unknown[] = [];
  const reading = (async () => {
    for await (const message of broker.subscribe(topics.set, end.signal)) {
      heard.push(message.ok ? message.body : message.fault.code);
      message.accept();
    }
  })();
  using writer = await join(broker.port, { client: "writer" });
  writer.send(
    publishPacket("devices/a/desired/x/set", '{"value":1}'),
    publishPacket("devices/a/desired/x/set", "?", { qos: 1, id: 1 }),
  );
  await eventually(() => heard.length === 2 && writer.of(4).length === 1);
  expect(heard).toEqual([{ value: 1 }, "MESSAGE_INVALID"]);
  end.abort();
  await reading;
});

test("what the node has to keep is acknowledged when it has, and refused when too much waits for it", async () => {
  const end = new AbortController();
  const waiting: (() => void)[] = [];
  const messages = broker.subscribe(topics.set, end.signal)[Symbol.asyncIterator]();
  const wish = (id: number, qos = 1) => publishPacket("devices/a/desired/x/set", `{"value":${id}}`, { qos, id });
  using writer = await join(broker.port, { client: "writer", clean: false });
  writer.send(wish(1), wish(2, 2));
  for (let i = 0; i < 2; i++) {
    const { value } = await messages.next();
    if (value) waiting.push(() => value.accept());
  }
  // It is on its way to the node; a ping that comes later is answered before.
  writer.send(pingPacket);
  await eventually(() => writer.of(13).length === 1);
  expect([writer.of(4), writer.of(5)]).toEqual([[], []]);
  for (const accept of waiting) accept();
  await eventually(() => writer.of(4).length === 1 && writer.of(5).length === 1);

  using flood = await join(broker.port, { client: "flood" });
  for (let id = 1; id <= 1001; id++) flood.send(wish(id));
  await flood.closed();
  expect(flood.of(4)).toEqual([]);
  end.abort();
});

test("a full queue drops its oldest and says so", async () => {
  await restart({ limits: { ...mqttLimits.parse({}), queueMessages: 10 } });
  (await join(broker.port, { client: "reader", clean: false }, ["a", 1])).socket.destroy();
  using writer = await join(broker.port, { client: "writer" });
  for (let i = 1; i <= 25; i++) writer.send(publishPacket("a", `${i}`, { qos: 1, id: i }));
  await eventually(() => writer.of(4).length === 25);
  expect([...broker.figures.droppedByClient()]).toEqual([{ client: "reader", policy: "drop-oldest", messages: 15 }]);
  using reader = await join(broker.port, { client: "reader", clean: false });
  await eventually(() => reader.messages.length === 10);
  expect(reader.messages.map(({ text }) => text)).toEqual(["16", "17", "18", "19", "20", "21", "22", "23", "24", "25"]);
});

test("a full queue that rejects closes the publisher without an acknowledgement", async () => {
  await restart({ limits: { ...mqttLimits.parse({}), queueMessages: 2, whenFull: "reject" } });
  (await join(broker.port, { client: "reader", clean: false }, ["a", 1])).socket.destroy();
  using writer = await join(broker.port, { client: "writer" });
  for (let i = 1; i <= 2; i++) {
    writer.send(publishPacket("a", `${i}`, { qos: 1, id: i }));
    await eventually(() => writer.of(4).length === i);
  }
  writer.send(publishPacket("a", "3", { qos: 1, id: 3 }));
  await writer.closed();
  expect(writer.of(4)).toHaveLength(2);
  expect(broker.figures.dropped.get("reject")).toBe(1);
});

test("a session nobody comes back to, and messages nobody fetches, are forgotten", async () => {
  let now = 1_000_000;
  let tick: (() => void) | undefined;
  const clock = {
    now: () => now,
    monotonic: () => performance.now(),
    sleep: (_: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        tick = resolve;
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      }),
  };
  await restart({ clock, limits: { ...mqttLimits.parse({}), queueAge: 1000, sessionExpiry: 5000 } });
  (await join(broker.port, { client: "reader", clean: false }, ["a", 1])).socket.destroy();
  await eventually(() => broker.clients === 0);
  using writer = await join(broker.port, { client: "writer" });
  writer.send(publishPacket("a", "old", { qos: 1, id: 1 }));
  await eventually(() => writer.of(4).length === 1);
  now += 2000;
  tick?.();
  await eventually(() => broker.figures.queued().messages === 0);
  expect(broker.figures.dropped.get("age")).toBe(1);
  now += 4000;
  tick?.();
  await eventually(() => broker.figures.subscriptions === 0);
});

test("limits: too many subscriptions are refused, too deep topics close, a ping is answered", async () => {
  await restart({ limits: { ...mqttLimits.parse({}), subscriptions: 2, topicLevels: 5 } });
  using reader = await join(broker.port, { client: "reader" }, ["a", 0], ["b", 1], ["c", 0]);
  expect([...(reader.of(9)[0]?.body ?? [])].slice(2)).toEqual([0, 1, 128]);
  using other = await join(broker.port, { client: "other" });
  other.send(subscribePacket(2, ["1/2/3/4/5/6", 0]), pingPacket);
  await eventually(() => other.isClosed || other.of(13).length === 1);
});

test("what can not be stored is not acknowledged, and costs its publisher alone", async () => {
  let isBroken = false;
  const now = () => {
    if (isBroken) throw new Error("disk broke");
    return Date.now();
  };
  const sleep = (_: number, signal: AbortSignal) =>
    new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  await restart({ clock: { now, monotonic: () => performance.now(), sleep } });
  using reader = await join(broker.port, { client: "reader", clean: false }, ["a", 2]);
  using other = await join(broker.port, { client: "other" });
  for (const qos of [1, 2]) {
    using writer = await join(broker.port, { client: "writer", clean: false });
    isBroken = true;
    writer.send(publishPacket("a", "lost", { qos, id: 1 }));
    await writer.closed();
    isBroken = false;
    expect([...writer.of(4), ...writer.of(5)]).toEqual([]);
    using again = await join(broker.port, { client: "writer", clean: false });
    again.send(publishPacket("a", `kept ${qos}`, { qos, id: 1, dup: true }), pubrelPacket(1));
    await eventually(() => reader.messages.length === qos);
  }
  expect(reader.messages.map(({ text }) => text)).toEqual(["kept 1", "kept 2"]);
  await eventually(() => broker.figures.queued().messages === 0);
  other.send(pingPacket);
  await eventually(() => other.of(13).length === 1);
});

test("a session that was kept is said to be present, though nothing is subscribed", async () => {
  const first = await join(broker.port, { client: "a", clean: false });
  expect(first.of(2)[0]?.body[0]).toBe(0);
  first.socket.destroy();
  await restart();
  using again = await join(broker.port, { client: "a", clean: false });
  expect(again.of(2)[0]?.body[0]).toBe(1);
});

test("messages at QoS 2 that are never released are bounded", async () => {
  await restart({ limits: { ...mqttLimits.parse({}), inflight: 10 } });
  for (const round of [0, 1]) {
    using writer = await join(broker.port, { client: "w", clean: false });
    writer.acknowledges = false;
    for (let i = 1; i <= 8; i++) writer.send(publishPacket("a", "x", { qos: 2, id: round * 100 + i }));
    await eventually(() => writer.isClosed || writer.of(5).length === 8);
    expect(writer.isClosed).toBe(round === 1);
  }
});
