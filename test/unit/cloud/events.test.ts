import { expect, test } from "@jest/globals";
import { eventObject, serveEvents } from "#cloud/devices/events";
import { type OpenEvent, Reports } from "#cloud/devices/reports";
import type { ApiObject } from "#cloud/kube/objects";
import { openStore } from "#cloud/store";
import { systemClock } from "#std/clock";
import { Fault } from "#std/fault";
import { silent } from "#std/log";
import type { Row } from "#wire/messages";
import { eventually } from "../../rigs/eventually.ts";

const body = JSON.stringify({ type: "Warning", reason: "LINK_LOST", message: "nobody answers", uid: "u-1" });
const row = (seq: number, rest: Partial<Row> = {}): Row => ({
  seq,
  kind: "event",
  namespace: "default",
  device: "boiler-1",
  at: Date.parse("2026-11-21T10:00:00Z"),
  body,
  ...rest,
});
const clock = { ...systemClock, sleep: async () => {} };

test("an event names its device, its node and its time, and the same row is always the same object", () => {
  const event: OpenEvent = { ...row(7), id: 1, node: "site-a", epoch: "e" };
  const object = eventObject(event);
  expect(object).toMatchObject({
    metadata: { namespace: "default" },
    involvedObject: { kind: "Device", name: "boiler-1", namespace: "default", uid: "u-1" },
    type: "Warning",
    reason: "LINK_LOST",
    firstTimestamp: "2026-11-21T10:00:00Z",
    source: { component: "skerry", host: "site-a" },
  });
  expect(object?.metadata.name).toMatch(/^boiler-1\.[0-9a-f]{16}$/);
  expect(eventObject({ ...event, id: 99 })).toEqual(object);
  expect(eventObject({ ...event, seq: 8 })?.metadata.name).not.toBe(object?.metadata.name);
});

test("each event is created once: a repeat exists already, a cluster that is away is asked again", async () => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  const end = new AbortController();
  const made = new Map<string, ApiObject>();
  const answers: ("away" | "crash")[] = ["away", "crash"];
  const kube = {
    async create(_: unknown, object: ApiObject) {
      const answer = answers.shift();
      if (answer === "away") throw new Fault("CLUSTER_UNREACHABLE", "away");
      if (made.has(object.metadata.name))
        throw new Fault("CLUSTER_REFUSED", "there already", { reason: "AlreadyExists" });
      made.set(object.metadata.name, object);
      // Created, but the answer was lost.
      if (answer === "crash") throw new Fault("CLUSTER_UNREACHABLE", "away");
      return object;
    },
  };
  await reports.take("site-a", "e", [row(1), row(2), row(3)], 0);
  const serving = serveEvents({ kube, reports, log: silent, clock }, end.signal);
  await eventually(() => reports.openEvents === 0);
  await reports.take("site-a", "e", [row(3), row(4)], 0);
  await eventually(() => made.size === 4 && reports.openEvents === 0);
  end.abort();
  await serving;
  expect(reports.counts.eventsDropped).toBe(0);
});

test("an event is counted as long as it waits, and once", async () => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  await reports.take("site-a", "e", [row(1), row(2), row(3)], 0);
  const [first] = reports.readEvents(1);
  for (let i = 0; i < 3; i++) await reports.closeEvent(first?.id ?? 0, { dropped: true });
  expect([reports.openEvents, reports.counts.eventsDropped]).toEqual([2, 1]);
  expect(new Reports(db).openEvents).toBe(2);
});

test("a reader who breaks does not keep events from being told", async () => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  using _ = reports.follow({
    namespace: "default",
    device: "boiler-1",
    take() {
      throw new Error("it broke");
    },
  });
  const rows = [row(1), { ...row(2), kind: "telemetry" as const, body: "{}" }];
  await expect(reports.take("site-a", "e", rows, 0)).rejects.toThrow("it broke");
  expect([reports.openEvents, reports.events.take()]).toEqual([1, true]);
});

test("an event that the cluster does not want, or that is none, is dropped and counted", async () => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  const end = new AbortController();
  const kube = {
    create: () =>
      Promise.reject(new Fault("CLUSTER_REFUSED", "the namespace is being deleted", { reason: "Forbidden" })),
  };
  await reports.take("site-a", "e", [row(1), row(2, { body: "{}" })], 0);
  const serving = serveEvents({ kube, reports, log: silent, clock }, end.signal);
  await eventually(() => reports.openEvents === 0);
  end.abort();
  await serving;
  expect(reports.counts.eventsDropped).toBe(2);
});
