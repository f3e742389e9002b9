import { expect, test } from "@jest/globals";
import { readStatus, type StatusFacts, same, sameButTimes, statusOf } from "#cloud/devices/status";
import type { DeviceStatus } from "#devices/crd";
import { answering } from "../../rigs/fake-edge.ts";

const device = { uid: "u", name: "boiler-1" };
const NOW = Date.parse("2026-11-21T10:00:00Z");
const accepted = { ok: true, declaration: {} as never } as const;
const base: StatusFacts = {
  generation: 1,
  node: "site-a",
  nodeState: "connected",
  verdict: accepted,
  report: answering(device),
  previous: {},
  nowMs: NOW,
};

function told(facts: Partial<StatusFacts>, type: string) {
  const { conditions = [] } = statusOf({ ...base, ...facts });
  const { status, reason, message } = conditions.find((condition) => condition.type === type) ?? {};
  return { status, reason, message };
}

/** A report as a node sends it that lacks something. */
const without = <T extends object>(report: T, field: keyof T): T =>
  Object.fromEntries(Object.entries(report).filter(([name]) => name !== field)) as T;

const property = { name: "setpoint", desired: 70, by: "cloud" as const };

test.each([
  ["answers", {}, "Ready", "True", "Answering"],
  [
    "is silent",
    { report: answering(device, { online: false, reason: "DEVICE_TIMEOUT" }) },
    "Ready",
    "False",
    "DEVICE_TIMEOUT",
  ],
  [
    "was just begun",
    { report: answering(device, { online: false, reason: "Starting" }) },
    "Ready",
    "Unknown",
    "Starting",
  ],
  ["was not reported yet", { report: undefined }, "Ready", "Unknown", "Starting"],
  ["has a node that is away", { nodeState: "away" as const }, "Ready", "Unknown", "NodeUnreachable"],
  [
    "has a node that nobody knows",
    { nodeState: "unknown" as const, report: undefined },
    "Ready",
    "Unknown",
    "NodeUnknown",
  ],
  [
    "has a name that is taken",
    { verdict: { ok: false, reason: "NameTaken", message: "x" } as const },
    "Ready",
    "False",
    "NameTaken",
  ],
  [
    "runs although its new spec is wrong",
    { verdict: { ok: false, reason: "CONFIG_INVALID", message: "x" } as const },
    "Ready",
    "True",
    "Outdated",
  ],
  [
    "refuses one of its addresses",
    {
      report: answering(device, {
        properties: [
          { name: "level", quality: "good", reported: 1 },
          { name: "broken", quality: "bad", reason: "DEVICE_REFUSED: illegal data address" },
        ],
      }),
    },
    "Ready",
    "True",
    "PropertiesBad",
  ],
  [
    "can not be driven by its node",
    { report: without(answering(device, { online: false, reason: "DRIVER_UNKNOWN" }), "protocol") },
    "Accepted",
    "False",
    "DRIVER_UNKNOWN",
  ],
  [
    "could not be driven by its node before it was declared anew",
    { generation: 2, report: without(answering(device, { online: false, reason: "DRIVER_UNKNOWN" }), "protocol") },
    "Accepted",
    "True",
    "Valid",
  ],
  [
    "never ran because its spec is wrong",
    { verdict: { ok: false, reason: "CONFIG_INVALID", message: "x" } as const, report: undefined },
    "Ready",
    "False",
    "CONFIG_INVALID",
  ],
  ["is accepted", {}, "Accepted", "True", "Valid"],
  [
    "is not accepted",
    { verdict: { ok: false, reason: "MODEL_UNKNOWN", message: "x" } as const },
    "Accepted",
    "False",
    "MODEL_UNKNOWN",
  ],
  ["has nothing to be wished", {}, "Synced", "True", "Applied"],
  [
    "is as desired",
    { report: answering(device, { properties: [{ ...property, state: "applied" }] }) },
    "Synced",
    "True",
    "Applied",
  ],
  [
    "has wishes on the way",
    { report: answering(device, { properties: [{ ...property, state: "pending" }] }) },
    "Synced",
    "False",
    "Pending",
  ],
  [
    "refused a wish",
    { report: answering(device, { properties: [{ ...property, state: "refused", refusal: "VALUE_OUT_OF_RANGE" }] }) },
    "Synced",
    "False",
    "Refused",
  ],
  ["has a spec that is on the way", { generation: 2 }, "Synced", "False", "Pending"],
  ["is behind a lost connection", { nodeState: "away" as const }, "Synced", "Unknown", "NodeUnreachable"],
] as const)("a device that %s", (_, facts, type, status, reason) => {
  expect(told(facts, type)).toMatchObject({ status, reason });
});

test("a device that answers says which of its properties are bad, and which of its generations runs", () => {
  const bad = answering(device, {
    message: "the last visit was answered",
    properties: [{ name: "broken", quality: "bad", reason: "DEVICE_REFUSED: illegal data address" }],
  });
  expect(told({ report: bad }, "Ready").message).toBe(
    "the last visit was answered; these are bad: broken: DEVICE_REFUSED: illegal data address",
  );
  const verdict = { ok: false, reason: "CONFIG_INVALID", message: "spec.link.port: is too large" } as const;
  const facts = { ...base, generation: 2, verdict };
  const { conditions = [] } = statusOf({ ...facts, report: answering(device, { message: "it answers" }) });
  expect(conditions.find(({ type }) => type === "Ready")).toMatchObject({
    observedGeneration: 1,
    message:
      "it answers; it runs as it was declared before, because this is not accepted: spec.link.port: is too large",
  });
  expect(conditions.find(({ type }) => type === "Accepted")).toMatchObject({ observedGeneration: 2 });
});

test("a refused wish says which and why", () => {
  const report = answering(device, {
    properties: [{ ...property, state: "refused", refusal: "VALUE_OUT_OF_RANGE: 20 to 90" }],
  });
  expect(told({ report }, "Synced").message).toBe("setpoint: VALUE_OUT_OF_RANGE: 20 to 90");
});

test("the time of a condition moves when its status does, and not with its reason", () => {
  const first = statusOf(base);
  const time = (status: DeviceStatus) => status.conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
  const later = { ...base, previous: first, nowMs: NOW + 60_000 };
  expect(time(statusOf({ ...later, report: answering(device, { reason: "Answering again" }) }))).toBe(time(first));
  expect(time(statusOf({ ...later, report: answering(device, { online: false }) }))).toBe("2026-11-21T10:01:00Z");
});

test("equal facts give the same status, so nothing is written twice", () => {
  const first = statusOf(base);
  const again = statusOf({ ...base, previous: first, nowMs: NOW + 60_000 });
  expect(same(first, again)).toBe(true);
  expect(same(readStatus(JSON.parse(JSON.stringify(first))), again)).toBe(true);
});

test("the status has the link and what the device says of itself, when the node tells them", () => {
  const link = { state: "waiting", since: NOW, failures: 3, reason: "LINK_LOST: nobody is there" } as const;
  const report = answering(device, { link, identity: { vendor: "Acme" } });
  const status = statusOf({ ...base, report });
  expect(status).toMatchObject({ link: { ...link, since: "2026-11-21T10:00:00.000Z" }, identity: { vendor: "Acme" } });
  expect(readStatus(JSON.parse(JSON.stringify(status)))).toEqual(status);
  expect(statusOf(base)).not.toHaveProperty("link");
  // Attempts are counted at every link that is away; that alone may wait.
  const again = statusOf({ ...base, report: answering(device, { ...report, link: { ...link, failures: 4 } }) });
  const back = statusOf({ ...base, report: answering(device, { ...report, link: { ...link, state: "up" } }) });
  expect([sameButTimes(status, again), sameButTimes(status, back)]).toEqual([true, false]);
});

test("a device that was only seen again differs in its times alone", () => {
  const report = (lastSeen: number, reported = 21) =>
    answering(device, { lastSeen, properties: [{ name: "temperature", reported, at: lastSeen, quality: "good" }] });
  const first = statusOf({ ...base, report: report(NOW) });
  const seen = statusOf({ ...base, report: report(NOW + 5_000), previous: first });
  const changed = statusOf({ ...base, report: report(NOW + 5_000, 22), previous: first });
  expect({ same: same(first, seen), times: sameButTimes(first, seen) }).toEqual({ same: false, times: true });
  expect(sameButTimes(first, changed)).toBe(false);
});

test("what a node told last stays when the connection is lost, and lastSeen never goes back", () => {
  const first = statusOf({ ...base, report: answering(device, { lastSeen: NOW }) });
  const away = statusOf({ ...base, report: undefined, nodeState: "away", previous: first });
  expect(away).toMatchObject({ properties: first.properties, protocol: "virtual", lastSeen: first.lastSeen });
  const older = statusOf({ ...base, report: answering(device, { lastSeen: NOW - 10_000 }), previous: first });
  expect(older.lastSeen).toBe(first.lastSeen);
});

test("a connection that is lost for a moment changes no condition, even when the cloud was restarted", () => {
  const first = statusOf(base);
  expect(same(statusOf({ ...base, report: undefined, nodeState: "brief", previous: first }), first)).toBe(true);
});

test("a status that somebody else spoiled is read as none", () => {
  expect(readStatus({ conditions: "nonsense" })).toEqual({});
  expect(readStatus(undefined)).toEqual({});
});

test("a gap within a day makes the history incomplete, and says why; without a ledger nothing is said", () => {
  const gap = { from: Date.UTC(2026, 0, 1), to: Date.UTC(2026, 0, 1, 1), count: 7, reason: "size limit" };
  expect(told({ gap }, "Complete")).toEqual({
    status: "False",
    reason: "SizeLimit",
    message: "size limit: 2026-01-01T00:00:00.000Z to 2026-01-01T01:00:00.000Z, 7 missing",
  });
  expect(told({ gap: null }, "Complete")).toMatchObject({ status: "True", reason: "NoGap" });
  expect(told({}, "Complete")).toEqual({});
});
