import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { serveBridge } from "#edge/bridge/bridge";
import { openBridgeQueue } from "#edge/bridge/queue";
import { type Broker, openBroker } from "#edge/broker/broker";
import { bridgeConfig } from "#edge/broker/config";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { openMetrics } from "#std/metrics";
import { Scope } from "#std/scope";
import { eventually } from "../../../rigs/eventually.ts";
import { join, publishPacket } from "../broker/raw.ts";

let dataDir: string;
let site: Broker;
let other: Broker;
let scope: Scope;
const open = (port = 0, folder = ":memory:") => openBroker({ host: "127.0.0.1", port, log: silent, dataDir: folder });

beforeEach(async () => {
  dataDir = mkdtempSync(joinPath(tmpdir(), "bridge-"));
  site = await open();
  other = await open(0, dataDir);
  scope = new Scope();
});
afterEach(async () => {
  await scope[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  rmSync(dataDir, { recursive: true });
});

function bridge(): void {
  const config = bridgeConfig.parse({
    url: `mqtt://127.0.0.1:${other.port}`,
    topics: [
      { filter: "devices/+/telemetry", direction: "out", prefix: "site-a/" },
      { filter: "chat/#", direction: "out" },
      { filter: "orders/#", direction: "in", prefix: "from/" },
      { filter: "devices/#", direction: "in" },
    ],
  });
  const ports = { broker: site, dataDir, node: "site-a", metrics: openMetrics(), clock: systemClock, log: silent };
  scope.run("bridge", (signal) => serveBridge(config, { ...ports, state: () => {} }, signal));
}

test("topics go out under their prefix, and come in; nobody else speaks for the node", async () => {
  bridge();
  using far = await join(other.port, { client: "far" }, ["#", 1]);
  using near = await join(site.port, { client: "near" }, ["#", 1]);
  await eventually(() => other.clients === 2 && other.figures.subscriptions === 3);
  site.publishText("devices/boiler/telemetry", "{}", false);
  await eventually(() => far.messages.length === 1);
  expect(far.messages[0]?.topic).toBe("site-a/devices/boiler/telemetry");
  far.send(publishPacket("orders/1", "go", { qos: 1, id: 1 }));
  await eventually(() => near.messages.some(({ topic }) => topic === "from/orders/1"));
  other.publishText("devices/boiler/reported/x", "lie", false);
  far.send(publishPacket("orders/2", "end", { qos: 1, id: 2 }));
  await eventually(() => near.messages.some(({ text }) => text === "end"));
  expect(near.messages.map(({ text }) => text)).not.toContain("lie");
});

test("what goes out while the other broker is away waits on disk, and arrives in order", async () => {
  const { port } = other;
  (await join(port, { client: "far", clean: false }, ["chat/#", 1])).socket.destroy();
  await other[Symbol.asyncDispose]();
  bridge();
  using near = await join(site.port, { client: "near" });
  for (let i = 1; i <= 500; i++) near.send(publishPacket("chat/a", `${i}`, { qos: 1, id: i }));
  await eventually(() => near.of(4).length === 500);
  other = await open(port, dataDir);
  using far = await join(port, { client: "far", clean: false });
  await eventually(() => new Set(far.messages.map(({ text }) => text)).size === 500);
  expect([...new Set(far.messages.map(({ text }) => Number(text)))]).toEqual(
    Array.from({ length: 500 }, (_, i) => i + 1),
  );
});

test("a queue that is full drops its oldest and counts it; what is on disk is there again", async () => {
  {
    using queue = openBridgeQueue(dataDir, { messages: 3, bytes: 1000 }, silent);
    for (let i = 1; i <= 5; i++) await queue.append("a", Buffer.from(`${i}`), false);
    expect([queue.messages, queue.dropped]).toEqual([3, 2]);
    const [first] = queue.after(0, 1);
    if (first) await queue.delete(first);
  }
  using queue = openBridgeQueue(dataDir, { messages: 3, bytes: 1000 }, silent);
  expect(queue.after(0, 10).map(({ payload }) => Buffer.from(payload).toString())).toEqual(["4", "5"]);
});
