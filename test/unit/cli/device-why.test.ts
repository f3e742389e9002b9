/** What people read about a device: pure lines from plain data. */
import { describe, expect, test } from "@jest/globals";
import { planLines } from "#cli/devices/plan-lines";
import { lessonOf, ms, percent, span, whyLines } from "#cli/devices/why-lines";
import { sparkline, spread } from "#cli/sparkline";
import type { Inspection } from "#edge/devices/inspect";
import type { Why } from "#edge/devices/why";

const now = 1_700_000_100_000;

test.each<[readonly (number | undefined)[], string]>([
  [[], ""],
  [[1, 1, 1], "▁▁▁"],
  [[0, 7, 3.5], "▁█▅"],
  [[1, undefined, 2], "▁×█"],
  [[undefined], "×"],
])("the chart of %j is %s", (numbers, chart) => {
  expect(sparkline(numbers)).toBe(chart);
});

test("the spread of no numbers is none", () => {
  expect(spread([])).toBeUndefined();
  expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
});

test("lengths of time, shares and lessons are told as people say them", () => {
  expect([span(20), span(1_500), span(90_000), ms(0.0666), ms(1_234)]).toEqual([
    "20 ms",
    "1.5 s",
    "90s",
    "0.0666 ms",
    "1230 ms",
  ]);
  expect([percent(0), percent(0.0025), percent(0.031), percent(0.5)]).toEqual(["0 %", "0.25 %", "3.1 %", "50 %"]);
  const lesson = { table: "holding", start: 4, count: 1, until: now + 300_000 };
  expect(lessonOf({ kind: "hole", ...lesson }, now)).toBe("holding 4 does not exist (believed for 5m)");
  expect(lessonOf({ kind: "hole", ...lesson, count: 3 }, now)).toMatch("holding 4 to 6 do not exist");
  expect(lessonOf({ kind: "limit", ...lesson, count: 16 }, now)).toMatch("holding: at most 16 at once");
});

const link = {
  protocol: "modbus",
  address: "plc:502",
  settings: {},
  state: "up",
  since: now - 60_000,
  failures: 0,
  busy: [{ who: "boiler-1", share: 0.25 }],
  devices: ["boiler-1"],
} as const;
const why: Why = {
  device: "boiler-1",
  model: "boiler",
  online: true,
  reason: "Answering",
  message: "the last visit was answered",
  lastSeen: now,
  readable: 3,
  good: 2,
  complaints: [{ property: "flow", quality: "bad", reason: "DEVICE_REFUSED: no such register", at: now - 3_000 }],
  identity: { vendor: "Acme" },
  bus: {
    link,
    visits: [{ everyMs: 1_000, properties: ["a", "b", "flow"], misses: 0, next: now + 400 }],
    pushed: [],
    exchanges: [
      {
        at: now - 2_000,
        ms: 4,
        outcome: "answered",
        request: "0103",
        answer: "018302",
        error: "illegal data address",
        asked: "read",
        said: "no",
      },
      {
        at: now - 1_000,
        ms: 2,
        outcome: "answered",
        request: "0103",
        answer: "01",
        asked: "read",
        said: "1 register: 0001",
      },
    ],
    learned: [],
  },
};

describe("why a device is as it is", () => {
  test("fits on one screen of 100 columns", () => {
    const lines = whyLines(why, now);
    expect(lines.length).toBeLessThan(30);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(lines).toEqual([
      "Device      boiler-1 (boiler), seen 0s ago",
      "Ready       yes: Answering, the last visit was answered",
      "",
      "Values      2 of 3 properties are good; these are not as they should be:",
      "  PROPERTY   QUALITY   CHANGED   WHY",
      "  flow       bad       3s ago    DEVICE_REFUSED: no such register",
      "",
      "Link        modbus plc:502: up since 60s",
      "Busy        25 % of the last minute (boiler-1 25 %)",
      "Visits      every 1 s: 3 properties, next in 400 ms",
      "Round trip  █▁  min 2 ms, median 4 ms, max 4 ms",
      "Last good   1s ago, read",
      "            > 01 03",
      "            < 01   after 2 ms",
      "              1 register: 0001",
      "Last bad    2s ago, read",
      "            > 01 03",
      "            < 01 83 02   after 4 ms",
      "              illegal data address",
      "Identity    vendor Acme",
    ]);
  });

  test("says when a link that is down is tried again", () => {
    const lastError = { at: now - 5_000, code: "LINK_LOST", message: "nobody answers at plc:502" };
    const down = { ...link, state: "down", failures: 4, nextAttempt: now + 2_500, lastError } as const;
    const lines = whyLines({ ...why, ...(why.bus ? { bus: { ...why.bus, link: down } } : {}) }, now);
    expect(lines).toContain("Link        modbus plc:502: down since 60s, 4 failures in a row, next attempt in 2.5 s");
    expect(lines).toContain("Lost        5s ago: LINK_LOST, nobody answers at plc:502");
  });

  test("counts what was not answered, and lists no more bad properties than fit", () => {
    const complaints = Array.from({ length: 40 }, (_, i) => ({ property: `p${i}`, reason: "not read yet" }));
    const silent = {
      at: now,
      ms: 1_000,
      outcome: "unanswered",
      request: "0203",
      error: "unit 2 did not answer",
    } as const;
    const bus = why.bus && { ...why.bus, exchanges: [silent] };
    const text = whyLines({ ...why, complaints, ...(bus ? { bus } : {}) }, now).join("\n");
    expect(text).toContain("and 28 more");
    expect(text).toContain("×  1 of 1 unanswered");
    expect(text).toContain("< no answer   after 1000 ms");
  });

  test("has words where there are no bytes, and no round trip where nobody asked", () => {
    const pushed = { at: now, ms: 0, outcome: "told", said: "2 values: s=A = 1, s=B = 2" } as const;
    const asked = { at: now, ms: 3, outcome: "answered", asked: "read 1 item: s=A", said: "1 value: s=A = 1" } as const;
    const linesOf = (exchanges: Inspection["exchanges"]) =>
      whyLines({ ...why, ...(why.bus ? { bus: { ...why.bus, exchanges } } : {}) }, now);
    const both = linesOf([asked, pushed]);
    expect(both).toContain("Round trip  ▁  min 3 ms, median 3 ms, max 3 ms");
    expect(both.slice(-3)).toEqual([
      "Last        0s ago",
      "            < 2 values: s=A = 1, s=B = 2",
      "Identity    vendor Acme",
    ]);
    expect(linesOf([pushed]).some((line) => line.startsWith("Round trip"))).toBe(false);
    expect(linesOf([asked])).toContain("            < 1 value: s=A = 1   after 3 ms");
  });

  test("says what to do when the declaration can not be driven", () => {
    const { bus: _, ...rest } = why;
    const lines = whyLines({ ...rest, online: false, reason: "MODEL_UNKNOWN", hint: "Apply the DeviceModel." }, now);
    expect(lines).toContain("Link        none: the declaration can not be driven");
    expect(lines.at(-1)).toBe("Hint        Apply the DeviceModel.");
  });
});

test("a plan shows each request, what is wasted, and what the device taught", () => {
  const requests = [
    { request: "unit 1: read holding 0 to 4", properties: ["a", "b"], asked: 5, wasted: 3, bytes: 23, ms: 2 },
  ];
  const visit = {
    everyMs: 1_000,
    properties: ["a", "b"],
    asked: 5,
    wasted: 3,
    cycleMs: 2,
    basis: "measured",
    load: 0.002,
  };
  const learned = [{ kind: "limit", table: "holding", start: 0, count: 16, until: now + 60_000 }] as const;
  const plan = { device: "m", protocol: "modbus", address: "plc:502", visits: [{ ...visit, requests }] };
  expect(planLines({ ...plan, pushed: [], load: 0.002, learned }, now)).toEqual([
    "m: modbus plc:502, 0.2 % of the link's time",
    "",
    "every 1 s: 2 properties in 1 request for 2 ms",
    "  #   REQUEST                       ASKED   WASTED   BYTES   TIME   PROPERTIES",
    "  1   unit 1: read holding 0 to 4   5       3        23      2 ms   a b",
    "  asked 5, wasted 3 (60 %); time measured",
    "",
    "learned from the device:",
    "  holding: at most 16 at once (believed for 60s)",
  ]);
});
