import { expect, test } from "@jest/globals";
import { Presence } from "#cloud/devices/presence";
import { manualClock } from "./manual-clock.ts";

const speaker = { room: async () => {}, send: () => true };

test("a node that is lost is away after 40 s, and was never away when it is back before", async () => {
  const clock = manualClock();
  const presence = new Presence(() => true, clock);
  presence.connect("site-a", speaker);
  expect(presence.stateOf("site-a")).toBe("connected");
  presence.leave("site-a");
  await clock.pass(39_999);
  expect(presence.stateOf("site-a")).toBe("brief");
  presence.connect("site-a", speaker);
  presence.leave("site-a");
  await clock.pass(39_999);
  expect(presence.stateOf("site-a")).toBe("brief");
  await clock.pass(1);
  expect(presence.stateOf("site-a")).toBe("away");
});

test("after a restart of the cloud every node has its time to come back, and one that never joined is unknown", async () => {
  const clock = manualClock();
  const presence = new Presence((node) => node === "site-a", clock);
  expect(["site-a", "site-b"].map((node) => presence.stateOf(node))).toEqual(["brief", "unknown"]);
  await clock.pass(40_000);
  expect(presence.stateOf("site-a")).toBe("away");
});

test("a turn is noticed once", () => {
  const presence = new Presence(() => true, manualClock());
  expect(presence.hasTurned("site-a")).toBe(true);
  expect(presence.hasTurned("site-a")).toBe(false);
  presence.connect("site-a", speaker);
  expect(presence.hasTurned("site-a")).toBe(true);
});
