import { expect, test } from "@jest/globals";
import { Gaps, missedVisits } from "#edge/gaps";
import { Outbox } from "#edge/outbox";
import { openStore } from "#edge/store";
import type { Clock } from "#std/clock";
import { silent } from "#std/log";
import type { GapBody } from "#wire/messages";
import { eventually } from "../../rigs/eventually.ts";
import { twinsRig } from "../../rigs/twins.ts";
import { virtualBoiler } from "../../rigs/virtual-boiler.ts";

const BEGIN = 1_700_000_000_000;
const LIMITS = { limitBytes: 1e9, limitMs: 1e12 };

/** A node's memory of gaps on a disk that lasts; the two clocks move by themselves. */
function gapsRig() {
  const time = { wall: BEGIN, monotonic: 0 };
  const clock: Clock = { now: () => time.wall, monotonic: () => time.monotonic, sleep: async () => {} };
  const store = openStore(":memory:", silent);
  const outbox = new Outbox(store.db, LIMITS);
  const rig = twinsRig(store, clock);
  const failures: unknown[] = [];
  let broken = false;
  const append: Outbox["append"] = (row, also) =>
    broken ? Promise.reject(new Error("the disk is full")) : outbox.append(row, also);
  const clockWasSet = (nowMs: number) => outbox.clockWasSet(nowMs);
  const open = () =>
    new Gaps({ db: store.db, outbox: { append, clockWasSet }, clock, failed: (error) => failures.push(error) });
  return {
    ...rig,
    open,
    failures,
    pass(ms: number, wallMs = ms) {
      time.monotonic += ms;
      time.wall += wallMs;
    },
    breakDisk: (is: boolean) => {
      broken = is;
    },
    boiler: (keep = "every") => rig.declare(virtualBoiler("boiler-1", { telemetry: { keep } })),
    gaps: (count: number) =>
      eventually(() => {
        const rows = outbox.read(1, 1e9, 1e9).filter(({ kind }) => kind === "gap");
        return rows.length === count && rows.map(({ body }) => JSON.parse(body) as GapBody);
      }),
  };
}

const offline = (reason: string) => ({ online: false, reason, message: "gone" });

test.each([
  ["DEVICE_TIMEOUT", "device silent"],
  ["LINK_LOST", "link lost"],
])(
  "a device that came back after %s leaves a gap from when it was seen last, with the visits it missed",
  async (code, reason) => {
    const node = gapsRig();
    const [gaps, twin] = [node.open(), node.boiler()];
    gaps.answered(twin, BEGIN);
    twin.lastSeen = BEGIN;
    node.pass(1_000);
    twin.health = offline(code);
    gaps.silent(twin);
    node.pass(1_000);
    gaps.silent(twin);
    gaps.answered(twin, BEGIN + 2_000);
    gaps.answered(twin, BEGIN + 2_020);
    expect(await node.gaps(1)).toEqual([{ from: BEGIN, to: BEGIN + 2_000, count: 99, reason }]);
  },
);

test("a node that was off says so for every device, whether it was stopped or killed", async () => {
  const node = gapsRig();
  node.boiler();
  await node.open().beat(node.twins.all);
  node.pass(60_000);
  const gaps = node.open();
  gaps.resume(node.twins.all);
  const [twin] = node.twins.all;
  if (twin) gaps.answered(twin, BEGIN + 60_000);
  expect(await node.gaps(1)).toEqual([{ from: BEGIN, to: BEGIN + 60_000, count: 2999, reason: "node off" }]);
});

test("a silence goes on through restarts of the node", async () => {
  const node = gapsRig();
  const [before, twin] = [node.open(), node.boiler()];
  twin.lastSeen = BEGIN;
  twin.health = offline("DEVICE_TIMEOUT");
  before.silent(twin);
  await before.beat(node.twins.all);
  node.pass(60_000);
  const after = node.open();
  after.resume(node.twins.all);
  after.answered(twin, BEGIN + 60_000);
  expect(await node.gaps(1)).toMatchObject([{ from: BEGIN, to: BEGIN + 60_000, reason: "device silent" }]);
});

test("a device that is dead when the node starts has been missed for two reasons, one after the other", async () => {
  const node = gapsRig();
  const twin = node.boiler();
  await node.open().beat(node.twins.all);
  node.pass(60_000);
  const gaps = node.open();
  gaps.resume(node.twins.all);
  twin.health = offline("LINK_LOST");
  gaps.silent(twin);
  node.pass(1_000);
  gaps.answered(twin, BEGIN + 61_000);
  const at = BEGIN + 60_000;
  expect(await node.gaps(2)).toMatchObject([
    { from: BEGIN, to: at, reason: "node off" },
    { from: at, to: at + 1_000, reason: "link lost" },
  ]);
});

test.each([
  [3_600_000, 1_000, 3_600_000],
  [-3_600_000, -3_600_000, 1_000],
])("a clock that jumps by %d ms is told; one that drifts is not", async (wallMs, from, to) => {
  const node = gapsRig();
  const gaps = node.open();
  node.boiler();
  node.pass(1_000, 1_900);
  await gaps.beat(node.twins.all);
  node.pass(1_000, 1_000);
  await gaps.beat(node.twins.all);
  node.pass(1_000, wallMs);
  await gaps.beat(node.twins.all);
  const at = BEGIN + 2_900;
  expect(await node.gaps(1)).toEqual([{ from: at + from, to: at + to, reason: "clock jump" }]);
});

test("rows that the disk did not take are told when it does again", async () => {
  const node = gapsRig();
  const [gaps, twin] = [node.open(), node.boiler()];
  node.breakDisk(true);
  gaps.lost(twin, BEGIN, "disk full");
  gaps.lost(twin, BEGIN + 20, "disk full");
  await gaps.beat(node.twins.all);
  gaps.lost(twin, BEGIN + 40, "disk failed");
  node.breakDisk(false);
  await eventually(() => node.failures.length === 1);
  await gaps.beat(node.twins.all);
  expect(await node.gaps(2)).toEqual([
    { from: BEGIN, to: BEGIN + 20, count: 2, reason: "disk full" },
    { from: BEGIN + 40, to: BEGIN + 40, count: 1, reason: "disk failed" },
  ]);
});

test("readings that were dropped on the way are told once a beat, and nobody claims to know how many", async () => {
  const node = gapsRig();
  const [gaps, twin] = [node.open(), node.boiler()];
  gaps.dropped(twin, BEGIN, BEGIN + 100);
  gaps.dropped(twin, BEGIN + 200, BEGIN + 300);
  gaps.lost(twin, BEGIN + 250, "disk full");
  node.pass(1_000);
  await gaps.beat([]);
  expect(await node.gaps(2)).toEqual([
    { from: BEGIN, to: BEGIN + 300, reason: "queue overflow" },
    { from: BEGIN + 250, to: BEGIN + 250, count: 1, reason: "disk full" },
  ]);
  await gaps.beat([]);
  expect(await node.gaps(2)).toHaveLength(2);
});

test("a gap that the disk did not take waits for it, and is told once", async () => {
  const node = gapsRig();
  const [gaps, twin] = [node.open(), node.boiler()];
  twin.lastSeen = BEGIN;
  twin.health = offline("LINK_LOST");
  gaps.silent(twin);
  node.breakDisk(true);
  node.pass(1_000);
  gaps.answered(twin, BEGIN + 1_000);
  await eventually(() => node.failures.length === 1);
  await gaps.beat(node.twins.all);
  await eventually(() => node.failures.length === 2);
  node.breakDisk(false);
  await gaps.beat(node.twins.all);
  await gaps.beat(node.twins.all);
  expect(await node.gaps(1)).toMatchObject([{ from: BEGIN, to: BEGIN + 1_000, reason: "link lost" }]);
});

test.each([3_600_000, -3_600_000])(
  "a clock that is set by %d ms in a silence leaves it as long as it was",
  async (ms) => {
    const node = gapsRig();
    const [gaps, twin] = [node.open(), node.boiler()];
    twin.lastSeen = BEGIN;
    twin.health = offline("LINK_LOST");
    gaps.silent(twin);
    node.pass(2_000, 2_000 + ms);
    const now = BEGIN + 2_000 + ms;
    gaps.answered(twin, now);
    expect(await node.gaps(1)).toMatchObject([{ from: now - 2_000, to: now, count: 99, reason: "link lost" }]);
  },
);

test("a node that starts with a clock that was set back has no gap in the future", async () => {
  const node = gapsRig();
  const twin = node.boiler();
  const before = node.open();
  twin.lastSeen = BEGIN + 500;
  twin.health = offline("DEVICE_TIMEOUT");
  before.silent(twin);
  await before.beat(node.twins.all);
  node.pass(1_000, -3_600_000);
  const gaps = node.open();
  gaps.resume(node.twins.all);
  const now = BEGIN - 3_600_000;
  gaps.answered(twin, now);
  expect(await node.gaps(1)).toMatchObject([{ from: now, to: now, reason: "device silent" }]);
});

test("nothing was seen in the future once the clock was set back", async () => {
  const node = gapsRig();
  const [gaps, twin] = [node.open(), node.boiler()];
  twin.lastSeen = BEGIN;
  node.pass(1_000, -3_600_000);
  await gaps.beat(node.twins.all);
  expect(twin.lastSeen).toBe(BEGIN - 3_600_000);
});

test("devices that do not keep everything have no gaps", async () => {
  const node = gapsRig();
  const twin = node.boiler("latest");
  await node.open().beat(node.twins.all);
  const gaps = node.open();
  gaps.resume(node.twins.all);
  twin.health = offline("LINK_LOST");
  gaps.silent(twin);
  gaps.answered(twin, BEGIN + 1);
  node.pass(1_000, 99_000);
  await gaps.beat(node.twins.all);
  expect(await node.gaps(0)).toEqual([]);
  expect(node.failures).toEqual([]);
});

test.each([
  [[1_000], 0, 10_000, 9],
  [[1_000, 1_000], 0, 10_000, 9],
  [[1_000, 5_000], 0, 10_000, 10],
  [[1_000], 0, 900, 0],
  [[0], 0, 900, 0],
])("with periods %j from %d to %d there were %# visits missed", (periods, from, to, missed) => {
  expect(missedVisits(periods, from, to)).toBe(missed);
});
