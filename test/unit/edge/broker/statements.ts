import { expect } from "@jest/globals";
import type { Broker } from "#edge/broker/broker";
import { eventually } from "../../../rigs/eventually.ts";
import {
  type ConnectFields,
  connectPacket,
  disconnectPacket,
  pingPacket,
  publishPacket,
  pubrelPacket,
  type Raw,
  subscribePacket,
  unsubscribePacket,
} from "./raw.ts";

/** A broker on disk, and who connects to it. */
export interface Bench {
  readonly broker: Broker;
  /** A client that is connected, and closed at the end of the test. */
  client(name: string | ConnectFields, ...filters: readonly (readonly [string, number])[]): Promise<Raw>;
  /** A connection that has said nothing. */
  raw(): Promise<Raw>;
  restart(): Promise<void>;
}

/** A normative statement of MQTT 3.1.1, as a sentence, and how it is seen. */
export interface Statement {
  readonly clause: string;
  readonly says: string;
  seen(bench: Bench): Promise<void>;
}

const kept = (client: string): ConnectFields => ({ client, clean: false });
const texts = (raw: Raw) => raw.messages.map(({ text }) => text);
/** Sends at QoS 1 and waits for the acknowledgement. */
async function say(raw: Raw, topic: string, text: string, rest: { retain?: boolean } = {}): Promise<void> {
  const before = raw.of(4).length;
  raw.send(publishPacket(topic, text, { qos: 1, id: before + 1, ...rest }));
  await eventually(() => raw.of(4).length === before + 1);
}
const codes = ({ body }: { readonly body: Buffer }) => [...body.subarray(2)];
const idOf = ({ body }: { readonly body: Buffer }) => body.readUInt16BE(0);

const connecting: readonly Statement[] = [
  {
    clause: "MQTT-3.1.2-6",
    says: "a clean session lasts as long as its connection",
    async seen({ client }) {
      (await client("c", ["a", 1])).socket.destroy();
      const writer = await client("w");
      await say(writer, "a", "missed");
      const back = await client("c");
      expect(back.of(2)[0]?.body[0]).toBe(0);
      await say(writer, "a", "after");
      expect(texts(back)).toEqual([]);
    },
  },
  {
    clause: "MQTT-3.2.2-3",
    says: "session present is 0 the first time, 1 when a session was kept, and 0 after a clean one",
    async seen({ client }) {
      const present = async (clean: boolean) => {
        const raw = await client({ client: "c", clean });
        raw.socket.destroy();
        return raw.of(2)[0]?.body[0];
      };
      const found = [];
      for (const clean of [false, false, true, false, false]) found.push(await present(clean));
      expect(found).toEqual([0, 1, 0, 0, 1]);
    },
  },
  {
    clause: "MQTT-3.2.0-1",
    says: "CONNACK comes before anything that waited",
    async seen({ client }) {
      (await client(kept("c"), ["a", 1])).socket.destroy();
      await say(await client("w"), "a", "1");
      const back = await client(kept("c"));
      await eventually(() => back.messages.length === 1);
      expect(back.packets.map(({ type }) => type).slice(0, 2)).toEqual([2, 3]);
    },
  },
  {
    clause: "MQTT-3.1.3-6",
    says: "clients without an id are told apart",
    async seen({ client, broker }) {
      const one = await client("");
      const two = await client("");
      expect([one.isClosed, two.isClosed, broker.clients]).toEqual([false, false, 2]);
    },
  },
  {
    clause: "MQTT-3.1.2-24",
    says: "who is silent for one and a half times the keep alive is closed and its will published, but no earlier",
    async seen({ client }) {
      const watcher = await client("watcher", ["will", 0]);
      const began = performance.now();
      const quiet = await client({ client: "quiet", keepAlive: 1, will: { topic: "will", text: "gone" } });
      await quiet.closed();
      expect(performance.now() - began).toBeGreaterThanOrEqual(1400);
      await eventually(() => watcher.messages.length === 1);
    },
  },
  {
    clause: "MQTT-3.1.2-23",
    says: "who sends a PINGREQ in time stays",
    async seen({ client }) {
      const quiet = await client({ client: "quiet", keepAlive: 1 });
      const pinging = await client({ client: "pinging", keepAlive: 1 });
      const timer = setInterval(() => pinging.send(pingPacket), 200);
      await quiet.closed();
      clearInterval(timer);
      expect(pinging.isClosed).toBe(false);
    },
  },
];

const wills: readonly Statement[] = [
  {
    clause: "MQTT-3.1.4-2",
    says: "of many who connect at once with one id and keep their session, one stays",
    async seen({ raw, client, broker }) {
      const many = await Promise.all(Array.from({ length: 20 }, raw));
      for (const one of many) one.send(connectPacket(kept("c")), subscribePacket(1, ["a", 1]));
      await eventually(() => many.filter(({ isClosed }) => isClosed).length === 19 && broker.clients === 1);
      // Nobody was refused: those who had an answer were let in.
      expect(many.flatMap((one) => one.of(2).map(({ body }) => body[1]))).not.toContain(3);
      await say(await client("w"), "a", "x");
      const stays = many.find(({ isClosed }) => !isClosed);
      await eventually(() => stays?.messages.length === 1);
      expect(broker.figures.subscriptions).toBe(1);
    },
  },
  {
    clause: "MQTT-3.1.3-10",
    says: "who takes over has his own will; the one before is published with its connection",
    async seen({ client }) {
      const watcher = await client("watcher", ["will", 1]);
      const willing = (text: string) => ({ client: "c", clean: false, will: { topic: "will", text, qos: 1 } });
      await client(willing("first"));
      const second = await client(willing("second"));
      await eventually(() => texts(watcher).length === 1);
      second.socket.destroy();
      await eventually(() => texts(watcher).length === 2);
      expect(texts(watcher)).toEqual(["first", "second"]);
    },
  },
  ...([true, false] as const).map(
    (retain): Statement => ({
      clause: retain ? "MQTT-3.1.2-17" : "MQTT-3.1.2-16",
      says: `a will is ${retain ? "" : "not "}retained when its flag says ${retain ? "so" : "nothing"}`,
      async seen({ client }) {
        const watcher = await client("watcher", ["will", 2]);
        (await client({ client: "c", will: { topic: "will", text: "gone", qos: 1, retain } })).socket.destroy();
        await eventually(() => watcher.messages.length === 1);
        expect(watcher.messages[0]).toMatchObject({ qos: 1, retain: false });
        const late = await client("late", ["will", 1]);
        await say(late, "will", "end");
        await eventually(() => texts(late).includes("end"));
        expect(texts(late)).toEqual(retain ? ["gone", "end"] : ["end"]);
      },
    }),
  ),
  {
    clause: "MQTT-3.1.2-8",
    says: "a will is published when the broker closes its client for what it sent",
    async seen({ client }) {
      const watcher = await client("watcher", ["will", 0]);
      const bad = await client({ client: "bad", will: { topic: "will", text: "gone" } });
      bad.send(Buffer.from([0xf0, 0]));
      await eventually(() => watcher.messages.length === 1);
    },
  },
  {
    clause: "MQTT-3.1.2-10",
    says: "DISCONNECT takes the will away, also over a restart",
    async seen({ client, restart }) {
      const polite = await client({ client: "c", will: { topic: "will", text: "gone", qos: 1, retain: true } });
      polite.send(disconnectPacket);
      await polite.closed();
      await restart();
      const late = await client("late", ["will", 1]);
      await say(late, "will", "end");
      await eventually(() => late.messages.length > 0);
      expect(texts(late)).toEqual(["end"]);
    },
  },
  {
    clause: "MQTT-3.14.4-2",
    says: "what follows DISCONNECT in the same bytes is not heard",
    async seen({ client, raw }) {
      const watcher = await client("watcher", ["a", 1]);
      const polite = await raw();
      polite.send(connectPacket({ client: "polite" }));
      await eventually(() => polite.of(2).length === 1);
      polite.send(Buffer.concat([publishPacket("a", "1"), disconnectPacket, publishPacket("a", "2")]));
      await polite.closed();
      await say(watcher, "a", "end");
      await eventually(() => texts(watcher).includes("end"));
      expect(texts(watcher)).toEqual(["1", "end"]);
    },
  },
];

const retained: readonly Statement[] = [
  {
    clause: "MQTT-3.3.1-9",
    says: "who is subscribed already gets a retained message without the flag",
    async seen({ client }) {
      const reader = await client("reader", ["a", 1]);
      await say(reader, "a", "x", { retain: true });
      await eventually(() => reader.messages.length === 1);
      expect(reader.messages[0]?.retain).toBe(false);
    },
  },
  {
    clause: "MQTT-3.3.1-10",
    says: "an empty message is passed on, takes the retained one away, and is not kept itself",
    async seen({ client, restart }) {
      const writer = await client("writer", ["a", 1]);
      await say(writer, "a", "x", { retain: true });
      await say(writer, "a", "", { retain: true });
      await eventually(() => writer.messages.length === 2);
      expect(writer.messages[1]).toMatchObject({ text: "", retain: false });
      for (const name of ["before", "after"]) {
        const late = await client(name, ["a", 1]);
        await say(late, "a", "end");
        await eventually(() => late.messages.length > 0);
        expect(texts(late)).toEqual(["end"]);
        await restart();
      }
    },
  },
  {
    clause: "MQTT-3.3.1-7",
    says: "a retained message of QoS 0 replaces the one before",
    async seen({ client, restart }) {
      const writer = await client("writer");
      await say(writer, "a", "old", { retain: true });
      writer.send(publishPacket("a", "new", { retain: true }));
      await say(writer, "b", "done");
      await restart();
      const late = await client("late", ["a", 1]);
      await eventually(() => late.messages.length === 1);
      expect(late.messages[0]).toMatchObject({ text: "new", qos: 0, retain: true });
    },
  },
  {
    clause: "MQTT-3.3.1-12",
    says: "a message without the flag leaves what is retained as it is",
    async seen({ client }) {
      const writer = await client("writer");
      await say(writer, "a", "kept", { retain: true });
      await say(writer, "a", "passing");
      const late = await client("late", ["a", 0]);
      await eventually(() => late.messages.length === 1);
      expect(texts(late)).toEqual(["kept"]);
    },
  },
  {
    clause: "MQTT-3.8.4-3",
    says: "subscribing again replaces the QoS and sends what is retained again",
    async seen({ client, broker }) {
      const reader = await client("reader", ["a", 0]);
      await say(reader, "a", "x", { retain: true });
      reader.send(subscribePacket(2, ["a", 1]));
      await eventually(() => reader.messages.length === 2);
      expect(reader.messages.map(({ qos, retain }) => [qos, retain])).toEqual([
        [0, false],
        [1, true],
      ]);
      expect(broker.figures.subscriptions).toBe(1);
      await say(reader, "a", "y");
      await eventually(() => reader.messages.length === 3);
      expect(reader.messages[2]?.qos).toBe(1);
    },
  },
];

const subscribing: readonly Statement[] = [
  ...([true, false] as const).flatMap((clean): Statement[] => [
    {
      clause: "MQTT-3.8.4-4",
      says: `the same filter twice in one SUBSCRIBE has two codes, and the last counts (clean=${clean})`,
      async seen({ client, broker }) {
        const reader = await client({ client: "r", clean }, ["a", 2], ["b", 1], ["a", 0], ["a", 1]);
        expect(reader.of(9).map(codes)).toEqual([[2, 1, 0, 1]]);
        expect(broker.figures.subscriptions).toBe(2);
        reader.send(publishPacket("a", "x", { qos: 2, id: 1 }));
        await eventually(() => reader.messages.length === 1);
        expect(reader.messages[0]?.qos).toBe(1);
      },
    },
    {
      clause: "MQTT-3.10.4-2",
      says: `UNSUBSCRIBE and SUBSCRIBE in the same bytes count in their order (clean=${clean})`,
      async seen({ client }) {
        const reader = await client({ client: "r", clean }, ["a", 1], ["b", 1]);
        reader.send(
          Buffer.concat([
            unsubscribePacket(2, "a"),
            subscribePacket(3, ["a", 1], ["c", 1]),
            unsubscribePacket(4, "c", "b"),
          ]),
        );
        await eventually(() => reader.of(11).length === 2);
        const writer = await client("w");
        for (const topic of ["b", "c", "a"]) await say(writer, topic, topic);
        await eventually(() => texts(reader).includes("a"));
        expect(texts(reader)).toEqual(["a"]);
      },
    },
  ]),
  {
    clause: "MQTT-3.10.4-1",
    says: "UNSUBSCRIBE takes away the filter that is the same letter by letter, and no other",
    async seen({ client }) {
      const reader = await client("r", ["a/+", 1], ["A/b", 1], ["a/#", 1]);
      reader.send(unsubscribePacket(2, "a/b", "a/+"));
      await eventually(() => reader.of(11).length === 1);
      await say(reader, "A/b", "upper");
      await say(reader, "a/b", "lower");
      await eventually(() => reader.messages.length === 2);
    },
  },
  {
    clause: "MQTT-3.10.4-3",
    says: "what was sent before UNSUBSCRIBE is brought to its end",
    async seen({ client }) {
      const reader = await client(kept("r"), ["a", 2]);
      reader.acknowledges = false;
      await say(await client("w"), "a", "1");
      await eventually(() => reader.messages.length === 1);
      reader.send(unsubscribePacket(2, "a"));
      await eventually(() => reader.of(11).length === 1);
      reader.socket.destroy();
      const back = await client(kept("r"));
      await eventually(() => back.messages.length === 1);
      expect(back.messages[0]).toMatchObject({ text: "1", dup: true });
    },
  },
  {
    clause: "MQTT-4.7.2-1",
    says: "a filter that begins with a wildcard gets nothing of a topic that begins with $",
    async seen({ client, broker }) {
      const reader = await client("r", ["#", 0], ["+/x", 0], ["$SYS/#", 0]);
      broker.publishText("$SYS/x", "system", true);
      broker.publishText("plain/x", "plain", false);
      await eventually(() => texts(reader).includes("plain"));
      expect(texts(reader)).toEqual(["system", "plain"]);
      const all = await client("all", ["#", 0], ["+/x", 0]);
      await say(all, "end", "end");
      await eventually(() => texts(all).includes("end"));
      expect(texts(all)).toEqual(["end"]);
    },
  },
  {
    clause: "MQTT-4.7.3-4",
    says: "topics are told apart by case, by a leading / and by U+FEFF, and are never mended",
    async seen({ client }) {
      const names = ["a", "A", "/a", "a/", "\uFEFFa", "a\u0301", "\u00e1", " a"];
      const reader = await client("r", ...names.map((name) => [name, 1] as const));
      for (const name of names) await say(reader, name, name);
      await eventually(() => reader.messages.length === names.length);
      expect(reader.messages.map(({ topic }) => topic)).toEqual(names);
      expect(texts(reader)).toEqual(names);
    },
  },
];

const flowing: readonly Statement[] = [
  {
    clause: "MQTT-3.3.1-3",
    says: "the DUP flag of a publisher is not passed on",
    async seen({ client }) {
      const reader = await client("r", ["a", 1]);
      reader.send(publishPacket("a", "x", { qos: 1, id: 65_535, dup: true }));
      await eventually(() => reader.messages.length === 1 && reader.of(4).length === 1);
      expect(reader.messages[0]?.dup).toBe(false);
      expect(reader.of(4).map(idOf)).toEqual([65_535]);
    },
  },
  {
    clause: "MQTT-4.3.3-2",
    says: "PUBREL of an id that nobody knows is answered, and so is PUBREC",
    async seen({ client }) {
      const raw = await client("c");
      raw.send(pubrelPacket(9), Buffer.from([0x50, 2, 0, 8]));
      await eventually(() => raw.of(7).length === 1 && raw.of(6).length === 1);
      expect([raw.of(7).map(idOf), raw.of(6).map(idOf)]).toEqual([[9], [8]]);
    },
  },
  {
    clause: "MQTT-4.4.0-1",
    says: "after a reconnect all that is open comes again in its order: PUBLISH with DUP, or PUBREL where PUBREC came",
    async seen({ client, raw, restart }) {
      const reader = await client(kept("r"), ["a", 2]);
      reader.acknowledges = false;
      const writer = await client("w");
      for (let i = 1; i <= 6; i++) writer.send(publishPacket("a", `${i}`, { qos: i % 2 === 0 ? 2 : 1, id: i }));
      await eventually(() => reader.messages.length === 6);
      const released = reader.messages.filter(({ text }) => text === "2" || text === "4").map(({ id }) => id);
      for (const id of released) reader.send(Buffer.from([0x50, 2, id >> 8, id & 255]));
      await eventually(() => reader.of(6).length === 2);
      reader.socket.destroy();
      const open = ["1", released[0], "3", released[1], "5", "6"];
      for (const again of [false, true]) {
        if (again) await restart();
        const back = await raw();
        back.acknowledges = false;
        back.send(connectPacket(kept("r")));
        await eventually(() => back.messages.length === 4 && back.of(6).length === 2);
        let next = 0;
        const order = back.packets
          .filter(({ type }) => type === 3 || type === 6)
          .map((packet) => (packet.type === 6 ? idOf(packet) : back.messages[next++]?.text));
        expect(order).toEqual(open);
        expect(back.messages.every(({ dup }) => dup)).toBe(true);
        back.socket.destroy();
      }
    },
  },
  {
    clause: "MQTT-4.6.0-6",
    says: "messages of one topic, QoS and publisher keep their order, whichever of them have to go to the disk",
    async seen({ client }) {
      const reader = await client("r", ["a", 2]);
      const writer = await client(kept("w"));
      const all: Buffer[] = [];
      for (const qos of [1, 2])
        for (let i = 1; i <= 40; i++)
          all.push(publishPacket("a", `${qos}-${i}`, { qos, id: qos * 100 + i, retain: i % 3 === 0 }));
      writer.send(Buffer.concat(all));
      await eventually(() => reader.messages.length === 80);
      for (const qos of ["1", "2"])
        expect(texts(reader).filter((text) => text.startsWith(qos))).toEqual(
          Array.from({ length: 40 }, (_, i) => `${qos}-${i + 1}`),
        );
      expect(writer.of(4).map(idOf)).toEqual(Array.from({ length: 40 }, (_, i) => 101 + i));
      expect(writer.of(5).map(idOf)).toEqual(Array.from({ length: 40 }, (_, i) => 201 + i));
    },
  },
  ...([true, false] as const).map(
    (clean): Statement => ({
      clause: "MQTT-2.3.1-4",
      says: `packet ids go round after 65,535, and one that is in use is not taken again (clean=${clean})`,
      async seen({ client, broker }) {
        const reader = await client({ client: "r", clean }, ["a", 1]);
        reader.acknowledges = false;
        const writer = await client("w");
        await say(writer, "a", "0");
        await eventually(() => reader.messages.length === 1);
        reader.acknowledges = true;
        const MOST = 66_000;
        for (let sent = 1; sent < MOST; ) {
          const some: Buffer[] = [];
          for (; some.length < 500 && sent < MOST; sent++)
            some.push(publishPacket("a", `${sent}`, { qos: 1, id: (sent % 65_535) + 1 }));
          writer.send(Buffer.concat(some));
          await eventually(() => writer.of(4).length === sent);
          const [first] = reader.messages;
          // The first is still open when its id would come round; then nothing more may be sent before it ends.
          await eventually(() => reader.messages.length === Math.min(sent, 65_535), 20_000);
          if (sent >= MOST && first) reader.send(Buffer.from([0x40, 2, first.id >> 8, first.id & 255]));
        }
        await eventually(() => reader.messages.length === MOST, 20_000);
        expect(texts(reader).map(Number)).toEqual(Array.from({ length: MOST }, (_, i) => i));
        expect(reader.messages.slice(0, 65_535).every(({ id }, i) => id === i + 1)).toBe(true);
        expect(reader.messages[65_535]?.id).toBe(1);
        await eventually(() => broker.figures.queued().messages === 0);
      },
    }),
  ),
];

/** What a broker must do, beyond single packets (`conformance.ts`) and beyond `broker.test.ts`. */
export const statements: readonly Statement[] = [...connecting, ...wills, ...retained, ...subscribing, ...flowing];
