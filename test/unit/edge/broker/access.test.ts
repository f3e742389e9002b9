import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import mqtt from "mqtt";
import { identityOf, ownerOf, rightsOf } from "#edge/broker/acl";
import { type Broker, openBroker } from "#edge/broker/broker";
import { aclRule, mqttConfig } from "#edge/broker/config";
import { covers, isFilter, matches } from "#edge/broker/filter";
import { isFromHere } from "#edge/broker/listeners";
import { TopicTrie } from "#edge/broker/trie";
import { createUsers, hashPassword } from "#edge/broker/users";
import { silent } from "#std/log";
import { parse } from "#std/schema";
import { WebSocket } from "#std/websocket";
import { createAuthority, issue } from "#std/x509";
import { eventually } from "../../../rigs/eventually.ts";
import { connectPacket, join, publishPacket, subscribePacket } from "./raw.ts";

const matching: readonly (readonly [filter: string, topic: string, yes: boolean])[] = [
  ["a", "a", true],
  ["a", "b", false],
  ["a/b", "a", false],
  ["#", "a/b", true],
  ["#", "$SYS/x", false],
  ["+/x", "$SYS/x", false],
  ["$SYS/#", "$SYS/x", true],
  ["a/#", "a", true],
  ["a/#", "a/b/c", true],
  ["a/+", "a", false],
  ["a/+", "a/", true],
  ["+", "/a", false],
  ["/+", "/a", true],
  ["+/+", "/a", true],
  ["a/+/c", "a/b/c", true],
  ["a/+/c", "a/b/d", false],
  ["a//c", "a//c", true],
];

test.each(matching)("filter %s on topic %s: %s", (filter, topic, yes) => {
  expect(matches(filter, topic)).toBe(yes);
  const trie = new TopicTrie<string, string>();
  trie.set(filter, "k", filter);
  const found: string[] = [];
  trie.match(topic, (value) => found.push(value));
  expect(found.length === 1).toBe(yes);
  trie.delete(filter, "k");
  expect(trie.size).toBe(0);
});

test.each([
  ["#", "a/#", true],
  ["#", "#", true],
  ["#", "$SYS/#", false],
  ["a/#", "#", false],
  ["a/#", "a", true],
  ["a/#", "a/+/b", true],
  ["a/+", "a/b", true],
  ["a/+", "a/+", true],
  ["a/+", "a/#", false],
  ["a/b", "a/+", false],
  ["a/b", "a/b", true],
  ["+/b", "a/b", true],
  ["+/b", "$x/b", false],
])("rule %s covers %s: %s", (rule, filter, yes) => expect(covers(rule, filter)).toBe(yes));

test.each([
  ["a#", false],
  ["#/a", false],
  ["+a", false],
  ["", false],
  ["a\0", false],
  ["+/+/#", true],
  ["/", true],
])("%j is a filter: %s", (text, yes) => expect(isFilter(text)).toBe(yes));

const rules = [
  { anonymous: true, publish: ["public/#"], subscribe: ["public/#"] },
  { user: "*", publish: ["users/{user}/#"], subscribe: ["users/{user}/#", "news"] },
  { user: "ann", publish: ["devices/+/desired/+/set"], subscribe: ["devices/#"] },
  { certificate: "line-1", publish: ["#"], subscribe: ["lines/{certificate}"] },
].map((rule) => aclRule.parse(rule));

describe("a table of rights", () => {
  test.each([
    ["anonymous", "publish", "public/a", true],
    ["anonymous", "publish", "users/ann/x", false],
    ["anonymous", "subscribe", "#", false],
    ["anonymous", "subscribe", "public/+", true],
    ["user:ann", "publish", "users/ann/x", true],
    ["user:ann", "publish", "users/bob/x", false],
    ["user:ann", "publish", "public/a", false],
    ["user:ann", "subscribe", "users/+/x", false],
    ["user:ann", "subscribe", "devices/boiler/#", true],
    ["user:bob", "subscribe", "devices/boiler/#", false],
    ["user:ann", "publish", "devices/a/desired/b/set", true],
    ["user:ann", "publish", "devices/a/reported/b", false],
    ["user:+", "publish", "users/x/y", false],
    ["user:", "publish", "users//y", false],
    ["certificate:line-1", "publish", "anything", true],
    ["certificate:line-1", "publish", "devices/a/reported/b", false],
    ["certificate:line-1", "publish", "node/status", false],
    ["certificate:line-1", "subscribe", "lines/line-1", true],
    ["certificate:line-2", "subscribe", "lines/line-2", false],
  ])("%s may %s %s: %s", (owner, verb, topic, yes) => {
    const rights = rightsOf(identityOf(owner), rules);
    expect(verb === "publish" ? rights.mayPublish(topic) : rights.maySubscribe(topic)).toBe(yes);
    expect(ownerOf(identityOf(owner))).toBe(owner);
  });

  test("an empty table allows nothing", () => {
    const rights = rightsOf({ is: "anonymous" }, []);
    expect([rights.mayPublish("a"), rights.maySubscribe("a"), rights.mayReceive("a")]).toEqual([false, false, false]);
  });

  test.each([
    [{ publish: ["a"] }, "exactly one"],
    [{ user: "a", anonymous: true }, "exactly one"],
    [{ anonymous: true, publish: ["u/{user}"] }, "only known in rules for a user"],
    [{ user: "a", publish: ["c/{client}"] }, "as a whole level"],
    [{ user: "a", publish: ["c/x{user}"] }, "as a whole level"],
    [{ user: "a", publish: ["%u/#"] }, "as a whole level"],
    [{ user: "a", publish: ["a#"] }, "no topic filter"],
    [{ user: "a", publsh: ["a"] }, "unknown field"],
  ])("%j is refused: %s", (rule, message) => expect(() => parse(aclRule, rule, "acl")).toThrow(message));

  test.each([
    [{ host: "0.0.0.0" }, "only loopback"],
    [{ listeners: [{ host: "0.0.0.0" }] }, "tls is needed"],
    [{ users: [{ name: "a#", password: "scrypt$1$1$1$AA==$AA==" }] }, "may not contain"],
    [{ users: [{ name: "a", password: "secret" }] }, "must be a hash"],
  ])("%j is no configuration: %s", (config, message) =>
    expect(() => parse(mqttConfig, config, "mqtt")).toThrow(message),
  );
});

test.each([
  [undefined, "127.0.0.1:9001", true],
  ["http://127.0.0.1:7080", "127.0.0.1:9001", true],
  ["http://localhost:7080", "127.0.0.1:9001", true],
  ["http://[::1]:7080", "[::1]:9001", true],
  ["https://evil.example", "127.0.0.1:9001", false],
  ["https://127.0.0.1.evil.example", "127.0.0.1:9001", false],
  ["https://edge.example", "edge.example:9001", true],
  ["null", "127.0.0.1:9001", false],
])("a page of %s may talk to %s: %s", (origin, host, yes) => expect(isFromHere(origin, host)).toBe(yes));

test("a page talks MQTT over WebSocket; one of elsewhere is refused", async () => {
  const websocket = { host: "127.0.0.1", port: 0 };
  await using broker = await openBroker({ host: "127.0.0.1", port: 0, log: silent, websocket });
  const url = `ws://127.0.0.1:${broker.endpoints[0]?.port}`;
  const page = new WebSocket(url, "mqtt");
  const came: Buffer[] = [];
  page.on("message", (bytes: Buffer) => came.push(bytes));
  await once(page, "open");
  page.send(connectPacket({ client: "page" }));
  page.send(subscribePacket(1, ["a/#", 1]));
  const long = publishPacket("a/b", "x".repeat(100_000), { qos: 1, id: 1 });
  page.send(long.subarray(0, 70_000));
  page.send(long.subarray(70_000));
  await eventually(() => Buffer.concat(came).length > 100_000);
  page.terminate();
  for (const [protocol, options] of [
    ["mqtt", { origin: "https://evil.example" }],
    ["chat", {}],
  ] as const) {
    const stranger = new WebSocket(url, protocol, options);
    stranger.on("error", () => {});
    await new Promise((resolve) => stranger.on("close", resolve));
  }
  const texter = new WebSocket(url, "mqtt");
  await once(texter, "open");
  texter.send("text");
  await once(texter, "close");
});

test("a password of somebody who went away is not looked at", async () => {
  const users = createUsers([{ name: "ann", password: await hashPassword("secret") }]);
  expect(await users.verify("ann", Buffer.from("secret"), () => false)).toBe(false);
});

test("a password is right or not; a name nobody has is not", async () => {
  const users = createUsers([{ name: "ann", password: await hashPassword("secret") }]);
  expect(
    await Promise.all([
      users.verify("ann", Buffer.from("secret")),
      users.verify("ann", Buffer.from("Secret")),
      users.verify("bob", Buffer.from("")),
    ]),
  ).toEqual([true, false, false]);
});

describe("a broker with a table", () => {
  let broker: Broker;
  let folder: string;
  const users = [
    { name: "ann", password: "" },
    { name: "bob", password: "" },
  ];
  beforeEach(async () => {
    folder = mkdtempSync(joinPath(tmpdir(), "access-"));
    for (const user of users) user.password ||= await hashPassword(`${user.name}-secret`);
    broker = await openBroker({ host: "127.0.0.1", port: 0, log: silent, dataDir: folder, users, acl: rules });
  });
  afterEach(async () => {
    await broker[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });
  const ann = { user: "ann", password: "ann-secret" };
  const codes = (body: Buffer | undefined) => [...(body ?? [])].slice(2);

  test("a wrong password is refused, a right one has its rights and no more", async () => {
    using wrong = await join(broker.port, { client: "a", user: "ann", password: "bob-secret" });
    expect(wrong.of(2)[0]?.body[1]).toBe(4);
    await wrong.closed();
    using right = await join(
      broker.port,
      { client: "a", ...ann },
      ["news", 1],
      ["#", 1],
      ["users/ann/#", 0],
      ["public/a", 0],
    );
    expect(codes(right.of(9)[0]?.body)).toEqual([1, 128, 0, 128]);
    right.send(publishPacket("users/bob/x", "x", { qos: 1, id: 1 }));
    await right.closed();
    expect(right.of(4)).toEqual([]);
  });

  test("a filter that was refused is not there after the session is resumed either", async () => {
    using first = await join(broker.port, { client: "a", clean: false, ...ann }, ["public/a", 1], ["news", 1]);
    first.socket.destroy();
    await eventually(() => broker.clients === 0);
    expect(broker.figures.subscriptions).toBe(1);
  });

  test("a will without the right to publish it is refused with the connection", async () => {
    using bad = await join(broker.port, { client: "a", will: { topic: "users/ann/x", text: "x" } });
    expect(bad.of(2)[0]?.body[1]).toBe(5);
  });

  test("a session is its owner's: another user can not take over its client id", async () => {
    using mine = await join(broker.port, { client: "a", clean: false, ...ann }, ["news", 1]);
    using thief = await join(broker.port, { client: "a", clean: false, user: "bob", password: "bob-secret" });
    expect(thief.of(2)[0]?.body[1]).toBe(2);
    expect(mine.isClosed).toBe(false);
  });

  test("a right that is taken away ends subscriptions, retained and queued messages, and wills, at once", async () => {
    const all = [{ anonymous: true, publish: ["#"], subscribe: ["#"] }].map((rule) => aclRule.parse(rule));
    await broker.reload({ users, acl: all });
    using live = await join(broker.port, { client: "live" }, ["secret/#", 0]);
    (await join(broker.port, { client: "away", clean: false }, ["secret/#", 1], ["public/#", 1])).socket.destroy();
    using willing = await join(broker.port, { client: "willing", will: { topic: "secret/will", text: "x", qos: 1 } });
    await eventually(() => broker.clients === 2);
    using writer = await join(broker.port, { client: "writer" });
    writer.send(
      publishPacket("secret/a", "1", { qos: 1, id: 1, retain: true }),
      publishPacket("public/a", "2", { qos: 1, id: 2 }),
    );
    await eventually(() => writer.of(4).length === 2 && live.messages.length === 1);
    await broker.reload({ users, acl: rules });
    willing.socket.destroy();
    await eventually(() => broker.clients === 2);
    using away = await join(broker.port, { client: "away", clean: false }, ["secret/a", 1]);
    expect(codes(away.of(9)[0]?.body)).toEqual([128]);
    await eventually(() => away.messages.length === 1);
    expect(away.messages[0]?.topic).toBe("public/a");
    using root = await join(broker.port, { client: "r", ...ann });
    root.send(publishPacket("users/ann/x", "x", { qos: 1, id: 1 }), subscribePacket(2, ["news", 0]));
    await eventually(() => root.of(4).length === 1);
    expect(live.messages).toHaveLength(1);
  });

  test("beyond plain loopback: TLS with a client certificate, whose name is the identity", async () => {
    const authority = await createAuthority("site", 1);
    const server = await issue(authority, { commonName: "broker", hosts: ["127.0.0.1"], usage: "server", days: 1 });
    const client = await issue(authority, { commonName: "line-1", usage: "client", days: 1 });
    const file = (name: string, text: string) => {
      writeFileSync(joinPath(folder, name), text);
      return joinPath(folder, name);
    };
    const tls = {
      certificate: file("c.pem", server.certificate),
      key: file("k.pem", server.key),
      authority: file("a.pem", authority.certificate),
    };
    await broker[Symbol.asyncDispose]();
    const listeners = [{ host: "127.0.0.1", port: 0, tls, websocket: false }];
    broker = await openBroker({ host: "127.0.0.1", port: 0, log: silent, users, acl: rules, listeners });
    const port = broker.endpoints[0]?.port ?? 0;
    const ca = authority.certificate;
    const known = await mqtt.connectAsync(`mqtts://127.0.0.1:${port}`, {
      ca,
      cert: client.certificate,
      key: client.key,
      reconnectPeriod: 0,
    });
    const granted = await known.subscribeAsync(["lines/line-1", "lines/line-2"]).catch((error: Error) => error.message);
    expect(granted).toMatch(/Unspecified error/);
    await known.endAsync();
    const socket = connectTls({ host: "127.0.0.1", port, ca });
    let isClosed = false;
    socket
      .on("error", () => {})
      .on("close", () => {
        isClosed = true;
      });
    await eventually(() => isClosed);
  });
});
