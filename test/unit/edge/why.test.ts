/** What a node tells about a device: the pure parts by tables, a bus by a scripted driver. */
import { describe, expect, test } from "@jest/globals";
import type { Exchange } from "#devices/driver";
import { Circuit } from "#edge/devices/circuit";
import { followExchanges, newsOf } from "#edge/devices/exchanges";
import { addressOf, exchangeView, roundTripMs } from "#edge/devices/inspect";
import { Occupancy } from "#edge/devices/occupancy";
import { Turns } from "#edge/devices/turns";
import { whyOf } from "#edge/devices/why";
import { Fault } from "#std/fault";
import { boiler } from "../../rigs/boiler.ts";
import { busRig, silence } from "../../rigs/bus.ts";
import { eventually } from "../../rigs/eventually.ts";

const forever = new AbortController().signal;
const exchange = (ms: number, answer: Uint8Array | undefined = Uint8Array.of(1)) => ({
  at: 0,
  ms,
  request: Uint8Array.of(1, 3),
  answer,
});

describe("the share of time that a link is busy", () => {
  test.each<[string, readonly (readonly [who: string, from: number, to: number])[], number, object]>([
    ["of a young link counts from its start", [["a", 0, 500]], 1_000, { a: 0.5 }],
    ["of an old link counts the last minute", [["a", 70_000, 73_000]], 120_000, { a: 3_000 / 55_000 }],
    [
      "is told by device",
      [
        ["a", 0, 100],
        ["b", 100, 400],
      ],
      1_000,
      { a: 0.1, b: 0.3 },
    ],
    ["counts work that spans slices where it was done", [["a", 4_000, 11_000]], 14_000, { a: 0.5 }],
    ["forgets what is older than a minute", [["a", 0, 5_000]], 66_000, {}],
    ["is never more than all", [["a", 0, 200_000]], 200_000, { a: 1 }],
  ])("%s", (_, work, now, expected) => {
    const occupancy = new Occupancy(0);
    for (const [who, from, to] of work) occupancy.add(who, from, to);
    const shares = [...occupancy.shares(now)].map(([who, share]) => [who, Number(share.toFixed(6))]);
    const wanted = Object.entries(expected).map(([who, share]) => [who, Number(share.toFixed(6))]);
    expect(shares).toEqual(wanted);
  });
});

test("a circuit says since when it is down, why, and when it is tried again", () => {
  let now = 1_000;
  const circuit = new Circuit({ now: () => now, monotonic: () => now, sleep: async () => undefined }, () => undefined);
  expect(circuit.view()).toEqual({ state: "connecting", since: 1_000, failures: 0, busy: [] });
  now = 2_000;
  const waitMs = circuit.down(new Fault("LINK_LOST", "nobody is there"));
  const lastError = { at: 2_000, code: "LINK_LOST", message: "nobody is there" };
  const nextAttempt = 2_000 + waitMs;
  expect(circuit.view()).toMatchObject({ state: "down", since: 2_000, nextAttempt, failures: 1, lastError });
  now = 3_000;
  circuit.up();
  expect(circuit.view()).toEqual({ state: "up", since: 3_000, failures: 1, lastError, busy: [] });
  expect([circuit.proven(), circuit.failures]).toEqual([1, 0]);
});

test("a circuit reports what lasts: it waits since the first loss, however often it is tried", () => {
  let now = 1_000;
  let changes = 0;
  const clock = { now: () => now, monotonic: () => now, sleep: async () => undefined };
  const circuit = new Circuit(clock, () => changes++);
  expect(circuit.report).toEqual({ state: "connecting", since: 1_000, failures: 0 });
  for (now = 2_000; now <= 3_000; now += 1_000) {
    circuit.connecting();
    circuit.down(new Fault("LINK_LOST", "nobody is there"));
  }
  circuit.connecting();
  const reason = "LINK_LOST: nobody is there";
  expect(circuit.report).toEqual({ state: "waiting", since: 2_000, failures: 2, reason });
  circuit.up();
  expect(circuit.report).toEqual({ state: "up", since: 4_000, failures: 2 });
  circuit.proven();
  circuit.proven();
  expect(circuit.report).toEqual({ state: "up", since: 4_000, failures: 0 });
  expect(changes).toBe(4);
});

test.each([
  [{ host: "plc", port: 502 }, "plc:502"],
  [{ path: "/dev/ttyUSB0", baudRate: 9600 }, "/dev/ttyUSB0"],
  [{ usb: { vendor: "0403" } }, 'usb {"vendor":"0403"}'],
  [{ endpoint: "opc.tcp://line:4840" }, "opc.tcp://line:4840"],
  [{ name: "virtual" }, "virtual"],
  [{ odd: 1 }, '{"odd":1}'],
])("the link %j leads to %s", (link, address) => {
  expect(addressOf(link)).toBe(address);
});

describe("exchanges", () => {
  test("are told in hex, and in the driver's words", () => {
    const tell = () => ({ asked: "unit 1: read", said: "done" });
    expect(exchangeView({ tell }, exchange(1.23456))).toEqual({
      at: 0,
      ms: 1.235,
      outcome: "answered",
      request: "0103",
      answer: "01",
      asked: "unit 1: read",
      said: "done",
    });
    expect(exchangeView({}, { ...exchange(1), answer: undefined, error: "silent" })).toEqual({
      at: 0,
      ms: 1,
      outcome: "unanswered",
      request: "0103",
      error: "silent",
    });
  });

  test("without bytes are told in words alone", () => {
    const tell = () => ({ asked: "read 1 item", said: "1 value" });
    const view = exchangeView({ tell }, { ...exchange(1), request: { read: ["s=A"] }, answer: { values: [1] } });
    expect(view).toEqual({ at: 0, ms: 1, outcome: "answered", asked: "read 1 item", said: "1 value" });
    expect(exchangeView({}, { ...exchange(0), request: undefined }).outcome).toBe("told");
  });

  test("have a middle that the silent ones do not move", () => {
    expect(roundTripMs([exchange(5), exchange(1), exchange(9), { ...exchange(1_000), answer: undefined }])).toBe(5);
    expect(roundTripMs([])).toBeUndefined();
    expect(roundTripMs([{ ...exchange(0), request: undefined }])).toBeUndefined();
  });

  test("that are new are found by the last that was told", () => {
    const [a, b, c] = [exchange(1), exchange(2), exchange(3)];
    expect(newsOf([a, b, c], b)).toEqual({ fresh: [c], missed: false });
    expect(newsOf([a, b, c], c)).toEqual({ fresh: [], missed: false });
    expect(newsOf([a, b], undefined)).toEqual({ fresh: [a, b], missed: false });
    expect(newsOf([b, c], a)).toEqual({ fresh: [b, c], missed: true });
  });

  test("are followed from now on, and a gap is told", async () => {
    const all = Array.from({ length: 6 }, (_, i) => exchange(i));
    const rings = [all.slice(0, 2), all.slice(1, 4), all.slice(4, 6)];
    let now = 0;
    const sleep = async () => {
      now += 50;
    };
    const clock = { now: () => now, monotonic: () => now, sleep };
    const followed = followExchanges(
      { ring: () => rings[Math.min(2, now / 50)], isWanted: ({ ms }) => ms !== 3, forMs: 200, clock },
      forever,
    );
    const seen = [];
    for await (const one of followed) seen.push(one?.ms);
    expect(seen).toEqual([2, undefined, 4, 5]);
  });
});

test("the last exchange with a silent device is shown, also when its busy neighbours have taken its place", async () => {
  const exchanges: Exchange[] = [];
  const read = (unit: number) => {
    exchanges.push({ at: 1, ms: 1, request: Uint8Array.of(unit, 3), answer: undefined });
    if (exchanges.length > 2) exchanges.shift();
    return unit === 1 ? (silence as never) : 21;
  };
  await using rig = busRig(() => ({ read, exchanges }), 10);
  const [dead] = rig.declare(boiler("boiler-1"), boiler("boiler-2", { station: { unit: 2 } }));
  await eventually(() => dead?.health.reason === "DEVICE_TIMEOUT");
  await eventually(() => exchanges.every(({ request }) => request instanceof Uint8Array && request[0] === 2));
  expect(dead && rig.inspect(dead).exchanges).toMatchObject([{ request: "0103" }]);
});

test("who was not visited for three periods is overdue, at the earliest after the least time", () => {
  const turns = new Turns([{ periodMs: 100 }, { periodMs: 1_000 }], 0, true);
  const late = (now: number) => turns.overdue(now, 3, 1_000).map(([{ periodMs }, ageMs]) => [periodMs, ageMs]);
  expect(late(900)).toEqual([]);
  expect(late(1_001)).toEqual([[100, 1_001]]);
  expect(late(3_001)).toEqual([
    [100, 3_001],
    [1_000, 3_001],
  ]);
});

describe("a bus", () => {
  test("shows its link, and when a silent device is asked again", async () => {
    await using rig = busRig(() => ({ read: (unit) => (unit === 2 ? (silence as never) : 21) }));
    const [, silent] = rig.declare(boiler("well"), boiler("silent", { station: { unit: 2 } }));
    if (!silent) throw new Error("it was declared");
    const { visits, link } = await eventually(() => {
      const seen = rig.inspect(silent);
      return (seen.visits[0]?.misses ?? 0) > 1 && seen;
    });
    expect(visits[0]).toMatchObject({ everyMs: expect.any(Number), properties: expect.arrayContaining(["setpoint"]) });
    expect(link).toMatchObject({ protocol: "scripted", state: "up", failures: 0, devices: ["well", "silent"] });
    expect(link.busy.map(({ who }) => who)).toContain("silent");
    const why = whyOf(silent, undefined);
    expect(why).toMatchObject({ device: "silent", online: false, reason: "DEVICE_TIMEOUT", good: 0 });
    expect(why.hint).toMatch("silent");
    expect(why.complaints).toContainEqual({ property: "setpoint", reason: "not read yet" });
  });

  test("that is lost says how often it was tried and when it is tried again", async () => {
    await using rig = busRig(() => ({
      connect: () => {
        throw new Fault("LINK_LOST", "nobody answers");
      },
    }));
    const [twin] = rig.declare(boiler());
    if (!twin) throw new Error("it was declared");
    const link = await eventually(() => {
      const { link } = rig.inspect(twin);
      return link.state === "down" && link.failures > 1 && link;
    });
    expect(link.lastError).toMatchObject({ code: "LINK_LOST", message: "nobody answers" });
    expect(link.nextAttempt).toBeGreaterThan(link.since);
  });

  test("calls a value stale when its link is too busy to read it, and good again when it was read", async () => {
    let isStuck = false;
    let free = () => {};
    await using rig = busRig(
      () => ({
        read: (unit) => {
          if (unit !== 2 || !isStuck) return 21;
          return new Promise((resolve) => {
            free = () => resolve(21);
          });
        },
      }),
      60_000,
    );
    const [starved] = rig.declare(boiler("starved"), boiler("greedy", { station: { unit: 2 } }));
    const quality = () => starved?.properties[0]?.reported?.quality;
    await eventually(() => quality() === "good");
    isStuck = true;
    const late = await eventually(() => {
      rig.doubtStale();
      return quality() === "uncertain" && starved?.properties[0]?.reported?.reason;
    });
    expect(late).toMatch(/^stale: not read for \d+ ms, wanted every 10 ms$/);
    isStuck = false;
    free();
    await eventually(() => quality() === "good");
  });
});
