import { EventEmitter } from "node:events";
import { expect, test } from "@jest/globals";
import type { Pushed } from "#devices/driver";
import type { Line } from "#drivers/opcua/line";
import type { Item } from "#drivers/opcua/plan";
import { readItems } from "#drivers/opcua/read";
import { address, station } from "#drivers/opcua/schema";
import { watchItems } from "#drivers/opcua/watch";
import { Fault } from "#std/fault";

const forever = new AbortController().signal;
const good = { value: 0, name: "Good" };

test("a missing message makes everything be read again", async () => {
  using bench = open(2);
  expect(raws(await bench.next())).toEqual([0, 0]);
  bench.send(1, [[1, 5]]);
  expect(await bench.next()).toMatchObject([{ index: 0, reading: { raw: 5 } }]);
  bench.plant.values = [7, 8];
  bench.send(3, [[1, 6]]);
  expect(raws(await bench.next())).toEqual([7, 8]);
});

test("what is read anew for a missing message says that something was lost, and what is after it does not", async () => {
  using bench = open(1);
  expect(await bench.next()).toEqual([{ index: 0, reading: expect.anything() }]);
  bench.send(1, [[1, 5]]);
  await bench.next();
  bench.send(3, [[1, 6]]);
  expect(await bench.next()).toMatchObject([{ index: 0, lost: true }]);
  bench.heal();
  expect((await bench.next())[0]).not.toHaveProperty("lost");
});

test("a value before which the server's queue was full says so", async () => {
  using bench = open(2);
  await bench.next();
  const overflow = { value: 0x480, name: "Good#Overflow" };
  bench.send(1, [[1, 5]], undefined, overflow);
  bench.send(2, [[2, 6]]);
  const [first, second] = await bench.next();
  expect(first).toMatchObject({ index: 0, lost: true, reading: { ok: true, raw: 5 } });
  expect(second).not.toHaveProperty("lost");
});

test("a keep-alive that shows a missing message does so too", async () => {
  using bench = open(1);
  await bench.next();
  bench.send(1, [[1, 5]]);
  await bench.next();
  bench.plant.values = [9];
  bench.send(3, []);
  expect(raws(await bench.next())).toEqual([9]);
});

test("a message that the server repeats is told once", async () => {
  using bench = open(1);
  await bench.next();
  bench.send(1, [[1, 5]]);
  bench.send(1, [[1, 5]]);
  bench.send(2, [[1, 6]]);
  expect((await bench.next()).map(({ reading }) => reading.ok && reading.raw)).toEqual([5, 6]);
});

test("a healed connection makes everything be read again", async () => {
  using bench = open(1);
  await bench.next();
  bench.plant.values = [4];
  bench.heal();
  expect(raws(await bench.next())).toEqual([4]);
});

test("what was sampled before everything was read does not put the clock back", async () => {
  using bench = open(1);
  await bench.next();
  bench.send(1, [[1, 5]], new Date(-60_000 + Date.now()));
  bench.send(2, [[1, 6]], new Date(60_000 + Date.now()));
  expect((await bench.next()).map(({ reading }) => reading.ok && reading.raw)).toEqual([6]);
});

test("an item that the server does not watch is told with its status, and the others are watched", async () => {
  using bench = open(2, { 1: "BadFilterNotAllowed" });
  const first = await bench.next();
  expect(first[0]?.reading.ok).toBe(true);
  expect(first[1]?.reading).toMatchObject({
    ok: false,
    fault: { message: expect.stringContaining("BadFilterNotAllowed") },
  });
});

test("a subscription that the server ends loses the line", async () => {
  using bench = open(1);
  await bench.next();
  bench.subscription.emit("raw_notification", {
    sequenceNumber: 1,
    notificationData: [{ status: { name: "BadTimeout" } }],
  });
  await expect(bench.next()).rejects.toMatchObject({
    code: "LINK_LOST",
    message: expect.stringContaining("BadTimeout"),
  });
});

test("a server that takes less at once than it says is asked for less and less", async () => {
  using bench = open(0);
  bench.plant.most = 3;
  bench.plant.values = Array.from({ length: 20 }, (_, i) => i);
  const readings = await readItems(bench.line, itemsOf(20), Date.now, forever);
  expect(readings.map((reading) => reading.ok && reading.raw)).toEqual(bench.plant.values);
  expect(bench.line.limits.perRead).toBeLessThanOrEqual(3);
});

/** A watch over a line whose server is in the hands of the test. */
function open(count: number, refused: Readonly<Record<number, string>> = {}) {
  const plant = { values: Array.from({ length: count }, () => 0), most: 1_000 };
  const subscription = Object.assign(new EventEmitter(), {
    subscriptionId: 1,
    publishingInterval: 1_000,
    terminate: async () => {},
  });
  const healed = new Set<() => void>();
  const lost = new AbortController();
  const valued = (raw: number, sourceTimestamp = new Date(), statusCode = good) => ({
    value: { dataType: 11, arrayType: 0, value: raw },
    statusCode,
    sourceTimestamp,
  });
  const session = {
    createSubscription2: async () => subscription,
    createMonitoredItems: async ({ itemsToCreate }: { itemsToCreate: readonly unknown[] }) => ({
      results: itemsToCreate.map((_, i) => ({ statusCode: statusOf(refused[i]) })),
    }),
    read: async (nodes: readonly { nodeId: number }[]) => {
      if (nodes.length > plant.most) throw new Fault("OVERLOADED", "too many", { status: "BadTooManyOperations" });
      return nodes.map(({ nodeId }) => valued(plant.values[nodeId] ?? 0));
    },
  };
  const line = {
    stack: { MonitoringMode: {}, TimestampsToReturn: {} },
    session,
    namespaces: [],
    limits: { perRead: 1_000, perMonitor: 1_000, perBrowse: 1_000 },
    lost: lost.signal,
    lose(how: string) {
      lost.abort(new Fault("LINK_LOST", how));
      return lost.signal.reason as Fault;
    },
    ask: (call: () => Promise<unknown>) => call(),
    onHealed(callback: () => void) {
      healed.add(callback);
      return { [Symbol.dispose]: () => healed.delete(callback) };
    },
  } as unknown as Line;
  const stop = new AbortController();
  const batches = watchItems(line, station.parse({}), itemsOf(count), Date.now, stop.signal);
  return {
    plant,
    line,
    subscription,
    async next(): Promise<readonly Pushed[]> {
      const { value } = await batches.next();
      return value ?? [];
    },
    /** @param values - handle and value of each item. */
    send(
      sequenceNumber: number,
      values: readonly (readonly [number, number])[],
      at = new Date(Date.now() + 1_000),
      status = good,
    ) {
      const monitoredItems = values.map(([clientHandle, raw]) => ({ clientHandle, value: valued(raw, at, status) }));
      const notificationData = values.length > 0 ? [{ monitoredItems }] : [];
      subscription.emit("raw_notification", { sequenceNumber, notificationData });
    },
    heal() {
      for (const callback of healed) callback();
    },
    [Symbol.dispose]() {
      stop.abort();
      void batches.return();
    },
  };
}

function itemsOf(count: number): readonly Item[] {
  return Array.from({ length: count }, (_, i) => ({
    point: { property: `p${i}`, address: address.parse({ nodeId: `i=${i}` }) },
    node: i as never,
  }));
}

function statusOf(name: string | undefined) {
  return name === undefined ? good : { value: 0x80000000, name };
}

function raws(batch: readonly Pushed[]) {
  return batch.map(({ reading }) => reading.ok && reading.raw);
}
