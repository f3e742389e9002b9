import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { StatusWriter } from "#cloud/devices/status-writer";
import type { DeviceStatus } from "#devices/crd";
import { Fault } from "#std/fault";
import { silent } from "#std/log";
import { type ManualClock, manualClock } from "./manual-clock.ts";

interface Write {
  readonly name: string;
  readonly at: number;
  readonly patch: DeviceStatus;
}

let clock: ManualClock;
let end: AbortController;
let writes: Write[];
let wanted: Map<string, DeviceStatus>;
/** What the cluster shows. */
let shown: Map<string, DeviceStatus>;
let failure: Fault | undefined;
let writer: StatusWriter;
let serving: Promise<unknown>;

beforeEach(() => {
  clock = manualClock();
  end = new AbortController();
  writes = [];
  wanted = new Map();
  shown = new Map();
  failure = undefined;
  writer = new StatusWriter({
    kube: {
      async patchStatus(_, { name }, patch) {
        writes.push({ name, at: clock.monotonic(), patch: patch as DeviceStatus });
        if (failure) throw failure;
        return { metadata: { name, resourceVersion: `v${writes.length}` } };
      },
    },
    wanted(key) {
      const status = wanted.get(key);
      return status && { name: { name: key }, uid: `uid-${key}`, previous: shown.get(key) ?? {}, next: () => status };
    },
    perSecond: 10,
    log: silent,
    clock,
  });
  serving = writer.serve(end.signal).catch(() => {});
});
afterEach(async () => {
  end.abort();
  await serving;
});

const says = (value: number, lastSeen = "2026-11-21T10:00:00Z"): DeviceStatus => ({
  lastSeen,
  properties: [{ name: "p", reported: value }],
});

/** Touches a key and lets time go on, in steps that the bell's own timers do not need. */
async function touch(key: string, status: DeviceStatus): Promise<void> {
  wanted.set(key, status);
  writer.touch(key);
  await clock.pass(0);
}

test("a device is written at most once a second, and then as it is", async () => {
  await touch("a", says(1));
  await touch("a", says(2));
  await touch("a", says(3));
  expect(writes.map(({ patch }) => patch.properties?.[0]?.reported)).toEqual([1]);
  await clock.pass(500);
  writer.touch("b");
  await clock.pass(200);
  expect(writes).toHaveLength(1);
  await clock.pass(300);
  writer.touch("b");
  await clock.pass(200);
  expect(writes.map(({ patch }) => patch.properties?.[0]?.reported)).toEqual([1, 3]);
});

test("what is there already is not written", async () => {
  await touch("a", says(1));
  await clock.pass(5_000);
  await touch("a", says(1));
  await clock.pass(15_000);
  writer.touch("b");
  await clock.pass(200);
  expect(writes).toHaveLength(1);
});

/** The cluster shows a status of a version. */
async function show(key: string, version: string, status: DeviceStatus): Promise<void> {
  shown.set(key, status);
  writer.observe(key, version);
  await clock.pass(0);
}

test("what comes back of our own is no news", async () => {
  await touch("a", says(1));
  await show("a", "v1", says(1));
  expect(writer.waiting).toBe(0);
  await clock.pass(10_000);
  expect(writes).toHaveLength(1);
});

test("what somebody else writes at once after us is mended all the same", async () => {
  await touch("a", says(1));
  await show("a", "v1", says(1));
  await clock.pass(300);
  await show("a", "foreign", { ...says(7), protocol: "other" });
  await clock.pass(2_500);
  writer.touch("b");
  await clock.pass(200);
  expect(writes.map(({ patch }) => patch)).toEqual([says(1), { ...says(1), protocol: null }]);
});

test("what is older than our write and comes late changes nothing", async () => {
  await touch("a", says(1));
  await clock.pass(1_200);
  await touch("a", says(2));
  await show("a", "v1", says(1));
  await show("a", "v2", says(2));
  for (let i = 0; i < 5; i++) {
    await clock.pass(1_000);
    writer.touch("b");
  }
  expect(writes).toHaveLength(2);
});

test("that a device was seen again is written every ten seconds at most", async () => {
  await touch("a", says(1, "2026-11-21T10:00:00Z"));
  await clock.pass(2_000);
  await touch("a", says(1, "2026-11-21T10:00:02Z"));
  await clock.pass(2_000);
  expect(writes).toHaveLength(1);
  await clock.pass(7_000);
  writer.touch("other");
  await clock.pass(200);
  expect(writes.map(({ patch }) => patch.lastSeen)).toEqual(["2026-11-21T10:00:00Z", "2026-11-21T10:00:02Z"]);
});

test("all devices together are written at a steady rate, each in its turn", async () => {
  for (let i = 0; i < 30; i++) {
    wanted.set(`d${i}`, says(i));
    writer.touch(`d${i}`);
  }
  await clock.pass(950);
  expect(writes.length).toBeGreaterThanOrEqual(9);
  expect(writes.length).toBeLessThanOrEqual(11);
  await clock.pass(2_500);
  expect(writes.map(({ name }) => name)).toEqual(Array.from({ length: 30 }, (_, i) => `d${i}`));
});

test("what a status no longer has is taken away", async () => {
  await touch("a", { ...says(1), protocol: "virtual" });
  await clock.pass(1_000);
  await touch("a", says(1));
  await clock.pass(200);
  expect(writes[1]?.patch).toMatchObject({ protocol: null });
});

test("a cluster that is away is asked with growing pauses, and gets everything when it is back", async () => {
  failure = new Fault("CLUSTER_UNREACHABLE", "away");
  await touch("a", says(1));
  await clock.pass(60_000);
  for (let i = 0; i < 60; i++) {
    writer.touch(`nothing-${i}`);
    await clock.pass(1_000);
  }
  expect(writes.length).toBeGreaterThan(2);
  expect(writes.length).toBeLessThan(10);
  failure = undefined;
  await clock.pass(31_000);
  writer.touch("nothing");
  await clock.pass(200);
  expect(writer.writes).toBe(1);
});

test("a device that is gone is forgotten", async () => {
  failure = new Fault("CLUSTER_REFUSED", "gone", { status: 404, reason: "NotFound" });
  await touch("a", says(1));
  await clock.pass(5_000);
  expect(writes).toHaveLength(1);
  expect(writer.waiting).toBe(0);
});
