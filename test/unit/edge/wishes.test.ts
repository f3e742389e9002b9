import { expect, test } from "@jest/globals";
import { refuse, settle } from "#devices/twin";
import type { Broker } from "#edge/broker/broker";
import { openStore } from "#edge/store";
import { ANSWER_MS, serveWishes, wish } from "#edge/wishes";
import { silent } from "#std/log";
import { Scope } from "#std/scope";
import { boiler } from "../../rigs/boiler.ts";
import { eventually } from "../../rigs/eventually.ts";
import { fakeBroker } from "../../rigs/fake-broker.ts";
import { manualClock } from "../../rigs/manual-clock.ts";
import { twinsRig } from "../../rigs/twins.ts";

const SET = "devices/boiler-1/desired/setpoint/set";

/** Wishes served for one boiler; the device says what a test lets it say. */
function rig() {
  const clock = manualClock();
  const { twins, declare } = twinsRig(openStore(":memory:", silent), clock);
  const twin = declare(boiler());
  const { broker, published, say } = fakeBroker();
  const scope = new Scope();
  scope.run("wishes", (signal) => serveWishes({ twins, clock, broker: broker as Broker }, signal));
  const property = () => twin.properties[1] ?? {};
  return {
    ...{ clock, twins, say, scope },
    ask: (body: object) => say(SET, JSON.stringify(body)),
    answers: () => published.filter(({ topic }) => topic === `${SET}/result`).map(({ body }) => body),
    isPending: () => property().desired?.state === "pending",
    confirm: (value: number) =>
      twins.settle(
        twin,
        1,
        settle(property(), value, (a, b) => a === b),
      ),
    refuse: (reason: string) => twins.settle(twin, 1, refuse(property(), reason)),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** Lets time pass until there are so many answers. */
async function answered({ clock, answers }: ReturnType<typeof rig>, count = 1): Promise<unknown> {
  await eventually(async () => {
    await clock.pass(20);
    return answers().length >= count;
  });
  return count === 1 ? answers()[0] : answers();
}

test("a wish is answered when the device confirms it, with the id of the wish", async () => {
  await using it = rig();
  it.ask({ value: 70, id: "7" });
  await eventually(it.isPending);
  await it.confirm(70);
  expect(await answered(it)).toEqual({ id: "7", ok: true, state: "applied", value: 70 });
});

test("a wish that the device refuses is answered with code and reason", async () => {
  await using it = rig();
  it.ask({ value: 70 });
  await eventually(it.isPending);
  await it.refuse("DEVICE_REFUSED: illegal data value");
  const fault = { code: "DEVICE_REFUSED", message: "illegal data value" };
  expect(await answered(it)).toEqual({ ok: false, state: "refused", value: 70, fault });
});

test.each([
  ["boiler-9", "setpoint", 70, "DEVICE_UNKNOWN"],
  ["boiler-1", "nothing", 70, "PROPERTY_UNKNOWN"],
  ["boiler-1", "temperature", 70, "PROPERTY_READ_ONLY"],
  ["boiler-1", "setpoint", 1000, "VALUE_OUT_OF_RANGE"],
])("a wish for %s %s = %d is refused with %s", async (device, property, value, code) => {
  const clock = manualClock();
  const { twins, declare } = twinsRig(openStore(":memory:", silent), clock);
  declare(boiler());
  const { broker, published, say } = fakeBroker();
  await using scope = new Scope();
  scope.run("wishes", (signal) => serveWishes({ twins, clock, broker: broker as Broker }, signal));
  say(`devices/${device}/desired/${property}/set`, JSON.stringify({ value, id: "1" }));
  const { topic, body } = await eventually(() => published[0]);
  expect(topic).toBe(`devices/${device}/desired/${property}/set/result`);
  expect(body).toMatchObject({ id: "1", ok: false, state: "refused", fault: { code } });
});

test("what is no wish is answered too", async () => {
  await using it = rig();
  it.say(SET, "{");
  it.say(SET, '{"vlaue":1}');
  const faults = await answered(it, 2);
  expect(faults).toMatchObject([{ ok: false, fault: { code: "MESSAGE_INVALID" } }, { ok: false }]);
});

test("a wish that is not confirmed in time is answered as pending, and stays", async () => {
  await using it = rig();
  it.ask({ value: 70 });
  await eventually(() => it.clock.sleepers > 0);
  await it.clock.pass(ANSWER_MS - 1);
  expect(it.answers()).toEqual([]);
  await it.clock.pass(20);
  expect(it.answers()).toEqual([{ ok: true, state: "pending", value: 70 }]);
  expect(it.isPending()).toBe(true);
});

test("of two wishes at once the later one counts, and the other is told so", async () => {
  await using it = rig();
  it.ask({ value: 60, id: "first" });
  it.ask({ value: 70, id: "second" });
  await eventually(it.isPending);
  await it.confirm(70);
  const answers = await answered(it, 2);
  expect(answers).toEqual(
    expect.arrayContaining([
      { id: "first", ok: false, state: "refused", value: 60, fault: expect.anything() },
      { id: "second", ok: true, state: "applied", value: 70 },
    ]),
  );
});

test("a wish with an end is kept no longer", async () => {
  await using it = rig();
  it.ask({ value: 70, forMs: 1000 });
  await eventually(it.isPending);
  await it.clock.pass(1000);
  await it.twins.expire();
  expect(it.isPending()).toBe(false);
});

test("a bug in taking wishes is not swallowed", async () => {
  await using it = rig();
  it.twins.desire = () => Promise.reject(new TypeError("x is undefined"));
  it.ask({ value: 70 });
  await expect(it.scope.done()).rejects.toThrow("x is undefined");
});

test("whoever asks in the program gets the outcome itself", async () => {
  const clock = manualClock();
  const { twins, declare } = twinsRig(openStore(":memory:", silent), clock);
  const twin = declare(boiler());
  const asked = { device: "boiler-1", property: "setpoint", value: 70 };
  const outcome = wish({ twins, clock }, asked, new AbortController().signal);
  await eventually(() => twin.properties[1]?.desired);
  await twins.settle(
    twin,
    1,
    settle(twin.properties[1] ?? {}, 70, (a, b) => a === b),
  );
  await clock.pass(20);
  expect(await outcome).toEqual({ state: "applied", value: 70 });
});
