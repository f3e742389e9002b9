/** Servers with room for little: few subscriptions in a session, few items in a subscription. */
import { afterAll, describe, expect, test } from "@jest/globals";
import type { Connection, Pushed } from "#devices/driver";
import { opcua } from "#drivers/opcua/index";
import type { OpcuaAddress, OpcuaStation } from "#drivers/opcua/schema";
import { eventually } from "../rigs/eventually.ts";
import { openSample, PLANT_A, type Sample, type SampleOptions } from "../rigs/opcua-server.ts";

const forever = new AbortController().signal;
const driver = opcua();
const opened: AsyncDisposable[] = [];

afterAll(async () => {
  for (const one of opened.reverse()) await one[Symbol.asyncDispose]();
});

type OpcuaConnection = Connection<OpcuaStation, OpcuaAddress>;

async function open(options: SampleOptions): Promise<{ sample: Sample; connection: OpcuaConnection }> {
  const sample = await openSample(options);
  opened.push(sample);
  const endpoint = `opc.tcp://127.0.0.1:${sample.port}/plant`;
  const link = driver.link.parse({ endpoint, security: { mode: "None", insecure: true } });
  const connection = await driver.connect(link, forever);
  opened.push(connection);
  return { sample, connection };
}

/** Watches nodes, and remembers what each said last. */
function watch(connection: OpcuaConnection, names: readonly string[], publishingInterval = "50ms") {
  const stop = new AbortController();
  const station = driver.station.parse({ namespaceUri: PLANT_A, publishingInterval });
  const points = names.map((name) => ({
    property: name,
    address: driver.address.parse({ nodeId: `s=${name}`, sampling: "10ms" }),
    everyMs: 50,
  }));
  const last: Pushed["reading"][] = [];
  const ended = (async () => {
    for await (const batch of connection.watch?.(station, points, stop.signal) ?? [])
      for (const { index, reading } of batch) last[index] = reading;
  })();
  return {
    saw: (index: number, raw: unknown) => {
      const reading = last[index];
      return reading?.ok === true && reading.raw === raw;
    },
    code: (index: number) => {
      const reading = last[index];
      return reading?.ok === false ? reading.fault.code : undefined;
    },
    async end() {
      stop.abort();
      await ended;
    },
  };
}

const itemsOf = ({ server }: Sample) =>
  server.engine.getSessions().reduce((sum, session) => sum + session.currentMonitoredItemCount, 0);
const subscriptionsOf = ({ server }: Sample) => server.engine.currentSubscriptionCount;
describe("watchers at the same rates", () => {
  test("share a subscription, each with its own values, and leave it as it is for the others", async () => {
    const { sample, connection } = await open({ capabilities: { maxSubscriptionsPerSession: 1 } });
    const watchers = Array.from({ length: 12 }, (_, i) =>
      watch(connection, i % 2 === 0 ? ["Moving", "Missing"] : ["Name", "Moving"]),
    );
    sample.setMoving(1);
    for (const [i, watcher] of watchers.entries()) await eventually(() => watcher.saw(i % 2, 1));
    expect(watchers[0]?.code(1)).toBe("DEVICE_REFUSED");
    expect(watchers[1]?.saw(0, "boiler")).toBe(true);
    expect(subscriptionsOf(sample)).toBe(1);
    expect(itemsOf(sample)).toBe(18);
    for (const watcher of watchers.slice(0, 11)) await watcher.end();
    await eventually(() => itemsOf(sample) === 2);
    sample.setMoving(2);
    await eventually(() => watchers[11]?.saw(1, 2));
    expect(watchers[10]?.saw(0, 2)).toBe(false);
    expect(subscriptionsOf(sample)).toBe(1);
    await watchers[11]?.end();
    await eventually(() => subscriptionsOf(sample) === 0);
    const again = watch(connection, ["Moving"]);
    await eventually(() => again.saw(0, 2));
    sample.setMoving(3);
    await eventually(() => again.saw(0, 3));
    await again.end();
  });
});

describe("a server without room", () => {
  test("for another subscription is read instead, and the first one goes on", async () => {
    const { sample, connection } = await open({ capabilities: { maxSubscriptionsPerSession: 1 } });
    const first = watch(connection, ["Moving"]);
    await eventually(() => first.saw(0, 0));
    const second = watch(connection, ["Moving", "Missing"], "70ms");
    await eventually(() => second.saw(0, 0));
    for (const value of [5, 6]) {
      sample.setMoving(value);
      for (const watcher of [first, second]) await eventually(() => watcher.saw(0, value));
    }
    expect(second.code(1)).toBe("DEVICE_REFUSED");
    expect(subscriptionsOf(sample)).toBe(1);
    for (const watcher of [second, first]) await watcher.end();
  });

  test("for so many items is read for the others", async () => {
    const { sample, connection } = await open({ capabilities: { maxMonitoredItemsPerSubscription: 2 } });
    const watcher = watch(connection, ["Name", "On", "Moving", "First"]);
    await eventually(() => watcher.saw(2, 0) && watcher.saw(0, "boiler"));
    sample.setMoving(9);
    await eventually(() => watcher.saw(2, 9));
    expect(watcher.saw(3, 0)).toBe(true);
    const told = connection.exchanges?.map((it) => driver.tell?.(it).asked);
    expect(told).toContain("Read of 2 items: s=Moving, s=First, which the server has no room to watch");
    await watcher.end();
  });
});
