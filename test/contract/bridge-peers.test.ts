/** The bridge and the external mode beside aedes and Debian's mosquitto, which were not written here, and what can go wrong there. */
import { writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { serveBridge } from "#edge/bridge/bridge";
import { openExternalBroker } from "#edge/bridge/external";
import type { RemoteState } from "#edge/bridge/remote";
import { Rounds } from "#edge/bridge/rounds";
import { type Broker, openBroker } from "#edge/broker/broker";
import { bridgeConfig, externalConfig, mqttLimits } from "#edge/broker/config";
import { systemClock } from "#std/clock";
import { openMetrics } from "#std/metrics";
import { Scope } from "#std/scope";
import { createAuthority, issue } from "#std/x509";
import { topics } from "#wire/topics";
import { type AedesBroker, openAedes } from "../rigs/aedes.ts";
import { eventually } from "../rigs/eventually.ts";
import { folder } from "../rigs/folder.ts";
import { keptLog } from "../rigs/log.ts";
import { mosquittoObstacle, openMosquitto } from "../rigs/mosquitto.ts";
import { join, publishPacket, type Raw } from "../unit/edge/broker/raw.ts";

const LIMIT_MS = 60_000;
let dir: ReturnType<typeof folder>;
let scope: Scope;
let site: Broker;
let log: ReturnType<typeof keptLog>;

beforeEach(async () => {
  dir = folder();
  scope = new Scope();
  log = keptLog();
  site = scope.use(await openBroker({ host: "127.0.0.1", port: 0, log }));
});
afterEach(async () => {
  await scope[Symbol.asyncDispose]();
  dir[Symbol.dispose]();
});

interface Bridged {
  readonly states: readonly RemoteState[];
  text(): Promise<string>;
}

function bridge(url: string, rest: object = {}, broker: Broker = site, dataDir = dir.path): Bridged {
  const config = bridgeConfig.parse({ url, topics: [{ filter: "chat/#", direction: "out" }], ...rest });
  const states: RemoteState[] = [];
  const metrics = openMetrics();
  const state = (now: RemoteState) => void states.push(now);
  const node = broker === site ? "site-a" : "site-b";
  const ports = { broker, dataDir, node, metrics, clock: systemClock, log, state };
  scope.run("bridge", (signal) => serveBridge(config, ports, signal));
  return { states, text: () => metrics.text() };
}

const isOnline = ({ states }: Bridged) => states.at(-1)?.online === true;
const numbers = (raw: Raw) => [...new Set(raw.messages.map(({ text }) => Number(text)))];
const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);
async function sayAll(raw: Raw, from: number, to: number): Promise<void> {
  for (let i = from; i <= to; i++) raw.send(publishPacket("chat/a", `${i}`, { qos: 1, id: i }));
  await eventually(() => raw.of(4).length === to);
}
const mosquitto = (rest: object = {}) => openMosquitto({ folder: dir.path, ...rest });

describe("a bridge to mosquitto", () => {
  tryOut("loses nothing while that one is killed, stopped, frozen and started again", async () => {
    const peer = scope.use(await mosquitto());
    const bridged = bridge(`mqtt://127.0.0.1:${peer.port}`);
    const before = await join(peer.port, { client: "far", clean: false }, ["chat/#", 1]);
    await eventually(() => isOnline(bridged));
    using near = await join(site.port, { client: "near" });
    await sayAll(near, 1, 200);
    await eventually(() => before.messages.length === 200);
    await peer.kill();
    await sayAll(near, 201, 1000);
    await eventually(() => !isOnline(bridged));
    await peer.start();
    await eventually(() => isOnline(bridged));
    await peer.stop();
    await sayAll(near, 1001, 1500);
    await peer.start();
    await eventually(() => isOnline(bridged));
    peer.freeze(true);
    await sayAll(near, 1501, 2000);
    peer.freeze(false);
    using far = await join(peer.port, { client: "far", clean: false });
    const all = () => [...new Set([...numbers(before), ...numbers(far)])];
    await eventually(() => all().length === 2000, 30_000);
    expect(all()).toEqual(upTo(2000));
    await eventually(async () => (await bridged.text()).includes("edge_bridge_messages 0"));
    expect(await bridged.text()).toContain('edge_bridge_dropped_total{reason="queue-full"} 0');
  });

  tryOut("tells once that a password is refused, and comes up when it is corrected", async () => {
    const peer = scope.use(await mosquitto({ users: { bridge: "right" } }));
    const secret = joinPath(dir.path, "secret");
    writeFileSync(secret, "wrong\n");
    const bridged = bridge(`mqtt://127.0.0.1:${peer.port}`, { user: "bridge", passwordFrom: { file: secret } });
    await eventually(() => /not authorized/i.test(bridged.states.at(-1)?.reason ?? ""));
    writeFileSync(secret, "right\n");
    await eventually(() => isOnline(bridged));
    expect(log.of("remote broker down")).toHaveLength(1);
    expect(log.of("remote broker up")).toHaveLength(1);
  });

  tryOut("refuses a certificate for another name, and says so", async () => {
    const authority = await createAuthority("site", 1);
    const issued = await issue(authority, { commonName: "other", hosts: ["other.example"], usage: "server", days: 1 });
    const file = (name: string, text: string) => {
      writeFileSync(joinPath(dir.path, name), text);
      return joinPath(dir.path, name);
    };
    const tls = { certificate: file("c.pem", issued.certificate), key: file("k.pem", issued.key) };
    const peer = scope.use(await mosquitto({ tls }));
    const ours = { tls: { authority: file("a.pem", authority.certificate) } };
    const bridged = bridge(`mqtts://127.0.0.1:${peer.port}`, ours);
    await eventually(() => bridged.states.at(-1)?.reason?.includes("does not match certificate"));
    expect(isOnline(bridged)).toBe(false);
  });

  tryOut("carries a topic both ways at MQTT 5 and gets no echo", async () => {
    const peer = scope.use(await mosquitto());
    const both = (["out", "in"] as const).map((direction) => ({ filter: "chat/#", direction }));
    const bridged = bridge(`mqtt://127.0.0.1:${peer.port}`, { version: 5, topics: both });
    await eventually(() => isOnline(bridged));
    using near = await join(site.port, { client: "near" }, ["chat/#", 1]);
    using far = await join(peer.port, { client: "far" }, ["chat/#", 1]);
    near.send(publishPacket("chat/a", "from here", { qos: 1, id: 1 }));
    await eventually(() => far.messages.length === 1);
    far.send(publishPacket("chat/a", "from there", { qos: 1, id: 1 }));
    await eventually(() => near.messages.length === 2 && far.messages.length === 2);
    near.send(publishPacket("chat/a", "end", { qos: 1, id: 2 }));
    await eventually(() => far.messages.length === 3);
    expect(near.messages.map(({ text }) => text)).toEqual(["from here", "from there", "end"]);
    expect(far.messages.map(({ text }) => text)).toEqual(["from here", "from there", "end"]);
  });
});

describe("mosquitto in the place of the node's broker", () => {
  tryOut("what it acknowledged to applications reaches the node, and the node's state is there again", async () => {
    const peer = scope.use(await mosquitto());
    const config = externalConfig.parse({ url: `mqtt://127.0.0.1:${peer.port}` });
    const states: RemoteState[] = [];
    const ports = { node: "site-a", clock: systemClock, log, state: (now: RemoteState) => void states.push(now) };
    const broker = scope.use(await openExternalBroker(config, ports));
    const heard = new Set<number>();
    scope.run("wishes", async (signal) => {
      for await (const message of broker.subscribe(topics.set, signal)) {
        if (message.ok) heard.add(Number((message.body as { value: number }).value));
        message.accept();
      }
    });
    await eventually(() => broker.clients === 1);
    const wish = (value: number) =>
      publishPacket("devices/d/desired/p/set", JSON.stringify({ value }), { qos: 1, id: value });
    let acknowledged = 0;
    const say = async (to: number) => {
      using application = await join(peer.port, { client: "application" });
      const first = acknowledged;
      for (let i = first + 1; i <= to; i++) application.send(wish(i));
      await eventually(() => application.of(4).length === to - first);
      acknowledged = to;
    };
    await say(100);
    await eventually(() => heard.size === 100);
    broker.publishText("devices/d/reported/p", "1", true);
    await peer.kill();
    await eventually(() => broker.clients === 0);
    broker.publishText("devices/d/reported/p", "2", true);
    await peer.start();
    // Whether the node is back already or not: the session waits there.
    await say(300);
    await eventually(() => heard.size === 300, 20_000);
    using late = await join(peer.port, { client: "late" }, ["devices/d/reported/p", 0]);
    await eventually(() => late.messages.at(-1)?.text === "2");
    expect(states.map(({ online }) => online)).toEqual([true, false, true]);
  });
});

describe("aedes", () => {
  let peer: AedesBroker;
  beforeEach(async () => {
    peer = await openAedes();
  });
  afterEach(async () => await peer[Symbol.asyncDispose]());

  async function restart(meanwhile: () => Promise<void>): Promise<void> {
    await peer[Symbol.asyncDispose]();
    await meanwhile();
    peer = await openAedes(peer.port);
  }

  test(
    "gets by a bridge what was said while it was away, in order",
    async () => {
      const bridged = bridge(`mqtt://127.0.0.1:${peer.port}`);
      await eventually(() => isOnline(bridged));
      using near = await join(site.port, { client: "near" });
      await restart(async () => {
        await eventually(() => !isOnline(bridged));
        await sayAll(near, 1, 500);
      });
      using far = await join(peer.port, { client: "far" }, ["chat/#", 1]);
      await eventually(() => numbers(far).length === 500, 20_000);
      expect(numbers(far)).toEqual(upTo(500));
    },
    LIMIT_MS,
  );

  test(
    "in the place of the node's broker has the node's state again after it was away",
    async () => {
      const config = externalConfig.parse({ url: `mqtt://127.0.0.1:${peer.port}` });
      const ports = { node: "site-a", clock: systemClock, log, state: () => {} };
      const broker = scope.use(await openExternalBroker(config, ports));
      await eventually(() => broker.clients === 1);
      broker.publishText("devices/d/reported/p", "1", true);
      await restart(async () => {
        await eventually(() => broker.clients === 0);
        broker.publishText("devices/d/reported/p", "2", true);
      });
      await eventually(() => broker.clients === 1, 20_000);
      using late = await join(peer.port, { client: "late" }, ["devices/d/reported/p", 0]);
      await eventually(() => late.messages.at(-1)?.text === "2");
    },
    LIMIT_MS,
  );
});

test("a bridge that leads to its own broker carries nothing and says so", async () => {
  const bridged = bridge(`mqtt://127.0.0.1:${site.port}`, {
    topics: [{ filter: "#", direction: "out", prefix: "again/" }],
  });
  await eventually(() => bridged.states.at(-1)?.reason?.includes("this very broker"));
  using near = await join(site.port, { client: "near" }, ["#", 1]);
  near.send(publishPacket("a", "1", { qos: 1, id: 1 }), publishPacket("b", "2", { qos: 1, id: 2 }));
  await eventually(() => near.of(4).length === 2 && near.messages.length === 2);
  expect(near.messages.map(({ topic }) => topic)).toEqual(["a", "b"]);
  expect(log.of("bridge leads to this very broker, nothing is carried")).toHaveLength(1);
});

test("two bridges that face each other carry everything, and break the round", async () => {
  const other = scope.use(await openBroker({ host: "127.0.0.1", port: 0, log }));
  const there = bridge(`mqtt://127.0.0.1:${other.port}`, {}, site, ":memory:");
  const back = bridge(`mqtt://127.0.0.1:${site.port}`, {}, other, ":memory:");
  await eventually(() => isOnline(there) && isOnline(back));
  using near = await join(site.port, { client: "near" });
  using far = await join(other.port, { client: "far" }, ["chat/#", 1]);
  near.send(publishPacket("chat/a", "round and round", { qos: 1, id: 1 }));
  await eventually(() => log.of("message goes round between bridges, dropped").length > 0);
  await eventually(async () => (await there.text()).includes("edge_bridge_messages 0"));
  near.send(publishPacket("chat/b", "another", { qos: 1, id: 2 }));
  await eventually(() => far.messages.some(({ text }) => text === "another"));
});

test("a round is a message that comes a hundred times within a second; others pass, and it may come again later", () => {
  const rounds = new Rounds();
  let told = 0;
  const hear = (text: string, nowMs: number) => rounds.isRound("a", Buffer.from(text), nowMs, () => told++);
  const dropped = (text: string, times: number, nowMs: number) =>
    Array.from({ length: times }, () => hear(text, nowMs)).filter(Boolean).length;
  expect([dropped("1", 100, 0), dropped("2", 50, 0)]).toEqual([0, 0]);
  expect([dropped("1", 30, 500), dropped("2", 50, 500), told]).toEqual([30, 0, 1]);
  // It goes on in the next second: dropped again, and not told again.
  expect([dropped("1", 130, 1000), told]).toEqual([30, 1]);
  expect([dropped("1", 50, 2000), dropped("1", 50, 3000), told]).toEqual([0, 0, 1]);
  expect([dropped("1", 101, 4000), told]).toEqual([1, 2]);
});

test("a message that the other broker always closes for is dropped and told; the others wait and arrive", async () => {
  const limits = { ...mqttLimits.parse({}), packetBytes: 1000 };
  const other = scope.use(await openBroker({ host: "127.0.0.1", port: 0, log, limits }));
  const bridged = bridge(`mqtt://127.0.0.1:${other.port}`);
  await eventually(() => isOnline(bridged));
  using far = await join(other.port, { client: "far" }, ["chat/#", 1]);
  using near = await join(site.port, { client: "near" });
  await sayAll(near, 1, 10);
  near.send(publishPacket("chat/large", "x".repeat(5000), { qos: 1, id: 11 }));
  await eventually(() => near.of(4).length === 11);
  await sayAll(near, 12, 20);
  await eventually(() => numbers(far).length === 19, 30_000);
  expect(numbers(far)).toEqual(upTo(20).filter((i) => i !== 11));
  expect(log.of("message refused by the remote broker, dropped")).toHaveLength(1);
  expect(await bridged.text()).toContain('edge_bridge_dropped_total{reason="refused"} 1');
}, 60_000);

test("a queue that overflows tells it once, and counts", async () => {
  const limits = { messages: 10 };
  const bridged = bridge("mqtt://127.0.0.1:9", { limits });
  using near = await join(site.port, { client: "near" });
  await sayAll(near, 1, 50);
  await eventually(async () => (await bridged.text()).includes('reason="queue-full"} 40'));
  expect(await bridged.text()).toContain("# TYPE edge_bridge_dropped_total counter");
  expect(log.of("bridge queue full, oldest messages dropped")).toHaveLength(1);
});

test.each([
  [["chat/#", ""], "chat/#", true],
  [["a/b", "x/"], "+/a/#", true],
  [["#", "site-a/"], "orders/#", false],
  [["#", "site-a-"], "orders/#", false],
  [["+/x", "pre-"], "pre-a/+", true],
  [["a", ""], "a/b", false],
  [["a", ""], "a/#", true],
] as const)("out %j and in %s go both ways: %s", ([filter, prefix], back, isRound) => {
  const config = (version: 4 | 5) =>
    bridgeConfig.safeParse({
      url: "mqtt://broker.example",
      version,
      topics: [
        { filter, prefix, direction: "out" },
        { filter: back, direction: "in" },
      ],
    }).success;
  expect([config(4), config(5)]).toEqual([!isRound, true]);
});

/** A test that says why it is skipped, where it can not run. */
function tryOut(what: string, run: () => Promise<void>): void {
  if (mosquittoObstacle === undefined) test(what, run, LIMIT_MS);
  else test.skip(`${what}: skipped, because ${mosquittoObstacle}`, () => {});
}
