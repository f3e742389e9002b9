import { afterAll, beforeAll, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type Broker, openBroker } from "#edge/broker/broker";
import { mqttLimits } from "#edge/broker/config";
import { Framer } from "#edge/broker/framer";
import { silent } from "#std/log";
import { eventually } from "../../../rigs/eventually.ts";
import { rows } from "./conformance.ts";
import {
  connectPacket,
  join,
  openRaw,
  pingPacket,
  publishPacket,
  pubrelPacket,
  subscribePacket,
  unsubscribePacket,
} from "./raw.ts";

let broker: Broker;
beforeAll(async () => {
  broker = await openBroker({
    host: "127.0.0.1",
    port: 0,
    log: silent,
    limits: { ...mqttLimits.parse({}), connectTimeout: 300 },
  });
});
afterAll(async () => await broker[Symbol.asyncDispose]());

const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

test.each(rows.map((row, i) => [row.clause, row.what, i] as const))("[%s] %s", async (_clause, _what, i) => {
  const row = rows[i];
  if (!row) throw new Error("no row");
  using raw = row.connected ? await join(broker.port, { client: `c${i}` }) : await openRaw(broker.port);
  const answers: Buffer[] = [];
  raw.socket.on("data", (chunk: Buffer) => answers.push(chunk));
  raw.send(bytes(row.hex));
  const wanted = row.expect === "close" ? "" : row.expect.answer;
  await eventually(() => Buffer.concat(answers).toString("hex").length >= wanted.length);
  if (row.expect === "close" || row.expect.afterwards === "close") await raw.closed();
  expect(Buffer.concat(answers).toString("hex")).toBe(wanted);
  if (row.expect !== "close" && row.expect.afterwards === "open") {
    raw.send(pingPacket);
    await eventually(() => Buffer.concat(answers).toString("hex") === `${wanted}d000`);
  }
});

test("the table has at least 80 rows", () => expect(rows.length).toBeGreaterThanOrEqual(80));

test("who says nothing, or half of a CONNECT, is closed in time", async () => {
  using quiet = await openRaw(broker.port);
  using half = await openRaw(broker.port);
  half.send(connectPacket({ client: "half" }).subarray(0, 9));
  await Promise.all([quiet.closed(), half.closed()]);
});

test("bytes one by one are the same as bytes at once", async () => {
  using raw = await openRaw(broker.port);
  const all = Buffer.concat([
    connectPacket({ client: "slow" }),
    subscribePacket(1, ["s", 1]),
    publishPacket("s", "x", { qos: 1, id: 1 }),
  ]);
  for (const byte of all) raw.send(Buffer.from([byte]));
  await eventually(() => raw.messages.length === 1 && raw.of(4).length === 1);
});

const good: readonly Buffer[] = [
  connectPacket({ client: "fuzz" }),
  connectPacket({
    client: "fuzz",
    clean: false,
    will: { topic: "w", text: "x", qos: 2, retain: true },
    user: "u",
    password: "p",
  }),
  publishPacket("a/b", "hello"),
  publishPacket("a/b", "hello", { qos: 1, id: 1, retain: true }),
  publishPacket("a/b", "hello", { qos: 2, id: 2 }),
  pubrelPacket(2),
  subscribePacket(3, ["a/#", 2], ["+/b", 0]),
  unsubscribePacket(4, "a/#"),
  pingPacket,
  Buffer.from([0x40, 2, 0, 1]),
  Buffer.from([0x50, 2, 0, 1]),
];

/** Good packets in any order, with some bytes changed, cut out or put in. */
const mutated = fc
  .tuple(
    fc.array(fc.constantFrom(...good), { minLength: 1, maxLength: 8 }),
    fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "cut", "put")), { maxLength: 6 }),
  )
  .map(([packets, changes]) => {
    const all = [...Buffer.concat(packets)];
    for (const [at, byte, how] of changes)
      all.splice(at % (all.length + 1), how === "put" ? 0 : 1, ...(how === "cut" ? [] : [byte]));
    return Buffer.from(all);
  });

test("no bytes make the framer throw, and it lets nothing pass that is not whole", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 40 }).map((one) => Buffer.from(one)),
          mutated,
        ),
        { maxLength: 5 },
      ),
      (chunks) => {
        const framer = new Framer({ packetBytes: 1000, connectBytes: 200 });
        let passed = 0;
        for (const chunk of chunks) {
          const { packets, violation } = framer.take(chunk);
          for (const { from, to } of packets) passed += 2 + to - from;
          if (violation) break;
          framer.open();
        }
        expect(passed).toBeLessThanOrEqual(chunks.reduce((sum, { length }) => sum + length, 0));
      },
    ),
    { numRuns: 2000 },
  );
});

test("no bytes stop the broker or one of its good clients", async () => {
  using reader = await join(broker.port, { client: "good-reader" }, ["good", 1]);
  using writer = await join(broker.port, { client: "good-writer" });
  let sent = 0;
  const bytes = fc.oneof({ weight: 4, arbitrary: mutated }, fc.uint8Array({ maxLength: 200 }));
  const clients = fc.array(fc.tuple(fc.boolean(), bytes), { minLength: 10, maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(clients, async (all) => {
      const raws = await Promise.all(all.map(() => openRaw(broker.port)));
      for (const [i, raw] of raws.entries()) {
        const [connected, bytes] = all[i] ?? [false, Buffer.alloc(0)];
        raw.acknowledges = false;
        // Few ids for many clients: they take each other's place and sessions as well.
        if (connected) raw.send(connectPacket({ client: `fuzz${i % 7}`, clean: (sent + i) % 2 === 0 }));
        raw.send(bytes);
        if (i % 2 === 0) raw.socket.end();
      }
      writer.send(publishPacket("good", `${++sent}`, { qos: 1, id: (sent % 65_535) + 1 }));
      await eventually(() => reader.messages.length === sent);
      for (const raw of raws) raw.socket.destroy();
    }),
    { numRuns: 400, seed: 20_261_121 },
  );
  expect(reader.messages.map(({ text }) => Number(text))).toEqual(Array.from({ length: sent }, (_, i) => i + 1));
  await eventually(() => broker.clients === 2);
});
