import { describe, expect, test } from "@jest/globals";
import type { Pushed, Raw } from "#devices/driver";
import { Silences } from "#edge/devices/silences";
import type { Visit } from "#edge/devices/visit";
import { Fault } from "#std/fault";
import { boiler, temperature } from "../../rigs/boiler.ts";
import { busRig } from "../../rigs/bus.ts";
import { eventually } from "../../rigs/eventually.ts";
import { propertyOf } from "../../rigs/twins.ts";

const weight = { ...temperature, name: "weight", address: { register: 0, pushed: true } };
const scale = (unit: number, maxSilence?: string, properties: readonly object[] = [weight], generation = 1) =>
  boiler(
    `scale-${unit}`,
    { station: { unit } },
    { generation, properties: properties.map((property) => ({ ...property, ...(maxSilence && { maxSilence }) })) },
  );
const say = (raw: Raw, rest: Partial<Pushed> = {}): Pushed => ({
  index: 0,
  reading: { ok: true, raw, at: Date.now() },
  ...rest,
});

describe("a device that speaks by itself", () => {
  test("is taken at its word, and not polled", async () => {
    await using rig = busRig(() => ({}));
    rig.declare(scale(1));
    await eventually(() => rig.count("watch 1") === 1);
    rig.push(1, say(12));
    await eventually(() => rig.taken.get("scale-1 weight") === 12);
    expect([rig.twins.named("scale-1").health.online, rig.count("read 1")]).toEqual([true, 0]);
  });

  test("is called silent after the longest silence that was declared, and is back with its next word", async () => {
    await using rig = busRig(() => ({}));
    rig.declare(scale(1, "30ms"));
    await eventually(() => rig.count("watch 1") === 1);
    rig.push(1, say(12));
    const twin = rig.twins.named("scale-1");
    await eventually(() => twin.health.online);
    await eventually(() => {
      rig.doubtStale();
      return !twin.health.online;
    });
    expect(twin.health).toMatchObject({
      reason: "DEVICE_TIMEOUT",
      message: "scale-1 said nothing for more than 30 ms",
    });
    expect(propertyOf(twin, "weight")?.reported).toMatchObject({ value: 12, quality: "uncertain" });
    rig.push(1, say(12));
    await eventually(() => twin.health.online && propertyOf(twin, "weight")?.reported?.quality === "good");
  });

  test("and says nothing from the beginning is called silent too", async () => {
    await using rig = busRig(() => ({}));
    rig.declare(scale(1, "10ms"));
    await eventually(() => {
      rig.doubtStale();
      return rig.twins.named("scale-1").health.reason === "DEVICE_TIMEOUT";
    });
  });

  test("may be silent for ever when nobody said otherwise", async () => {
    await using rig = busRig(() => ({}));
    rig.declare(scale(1), scale(2, "5ms"));
    await eventually(() => rig.count("watch 1") === 1);
    rig.push(1, say(12));
    await eventually(() => rig.twins.named("scale-1").health.online);
    await eventually(() => {
      rig.doubtStale();
      return rig.twins.named("scale-2").health.reason === "DEVICE_TIMEOUT";
    });
    expect(rig.twins.named("scale-1").health.online).toBe(true);
  });

  test("and answers as well is there, and only the value that does not come is uncertain", async () => {
    await using rig = busRig(() => ({}));
    rig.declare(scale(1, "10ms", [weight, { ...temperature, every: "1h" }]));
    await eventually(() => rig.count("watch 1") === 1);
    rig.push(1, say(12));
    const twin = rig.twins.named("scale-1");
    await eventually(() => propertyOf(twin, "weight")?.reported?.quality === "good");
    await eventually(() => {
      rig.doubtStale();
      return propertyOf(twin, "weight")?.reported?.quality === "uncertain";
    });
    expect(propertyOf(twin, "weight")?.reported?.reason).toBe("stale: nothing came for more than 10 ms");
    expect([twin.health.online, propertyOf(twin, "temperature")?.reported?.quality]).toEqual([true, "good"]);
  });

  test("is listened to without a break while its neighbours come and go", async () => {
    await using rig = busRig(() => ({}));
    const [first] = rig.declare(scale(1), scale(2));
    await eventually(() => rig.count("watch 2") === 1);
    if (first) rig.set([first]);
    await eventually(() => rig.count("unwatch 2") === 1);
    rig.declare(scale(2, undefined, [weight], 2));
    rig.set([rig.twins.named("scale-1"), rig.twins.named("scale-2")]);
    await eventually(() => rig.count("watch 2") === 2);
    rig.push(1, say(12));
    await eventually(() => rig.taken.get("scale-1 weight") === 12);
    expect([rig.count("watch 1"), rig.count("unwatch 1")]).toEqual([1, 0]);
  });

  test("is listened to anew when it is declared anew", async () => {
    await using rig = busRig(() => ({}));
    rig.declare(scale(1));
    await eventually(() => rig.count("watch 1") === 1);
    rig.declare(scale(1, undefined, [{ ...weight, name: "mass" }], 2));
    await eventually(() => rig.count("watch 1") === 2);
    rig.push(1, say(7));
    await eventually(() => rig.taken.get("scale-1 mass") === 7);
    expect(rig.asked.filter((what) => what.endsWith("watch 1"))).toEqual(["watch 1", "unwatch 1", "watch 1"]);
  });

  test("is not called silent for what its link lost", async () => {
    let isLost = false;
    const connect = () => {
      if (isLost) throw new Fault("LINK_LOST", "nobody is there");
    };
    const read = () => {
      if (isLost) throw new Fault("LINK_LOST", "connection reset");
      return 21;
    };
    await using rig = busRig(() => ({ connect, read }));
    rig.declare(scale(1, "5ms"), boiler("boiler-2", { station: { unit: 2 } }));
    await eventually(() => rig.count("read 2") > 0 && rig.count("watch 1") === 1);
    isLost = true;
    await eventually(() => rig.twins.named("scale-1").health.reason === "LINK_LOST" && rig.count("connect") >= 2);
    rig.doubtStale();
    expect(rig.twins.named("scale-1").health.reason).toBe("LINK_LOST");
  });

  test("says when something that it said did not get here, and since when", async () => {
    await using rig = busRig(() => ({}));
    rig.declare(scale(1));
    await eventually(() => rig.count("watch 1") === 1);
    rig.push(1, say(12));
    await eventually(() => rig.last);
    expect(rig.last?.lostSince).toBeUndefined();
    const seen = rig.twins.named("scale-1").lastSeen;
    rig.push(1, say(13, { lost: true }));
    await eventually(() => rig.taken.get("scale-1 weight") === 13);
    expect(rig.last?.lostSince).toBe(seen);
  });
});

describe("silences", () => {
  const properties = [{ name: "beat", maxSilence: 100 }, { name: "seldom", maxSilence: 1_000 }, { name: "never" }];
  const twin = {};
  const visit = { twin, device: { properties }, indexes: [0, 1, 2] } as unknown as Visit;

  function listening() {
    const silences = new Silences();
    silences.begin();
    silences.listen(visit, 0);
    return silences;
  }

  test("are of single properties while others are spoken of", () => {
    const silences = listening();
    silences.heard(visit, [say(1, { index: 2 })], 90);
    expect(silences.overdue([visit], 100)).toEqual([]);
    expect(silences.overdue([visit], 101)).toEqual([{ twin, indexes: [0], maxSilenceMs: 100, isWhole: false }]);
  });

  test("are of the whole device when the shortest passes without a word", () => {
    const silences = listening();
    expect(silences.overdue([visit], 101)).toMatchObject([{ indexes: [0], isWhole: true }]);
    expect(silences.overdue([visit], 1_001)).toMatchObject([{ indexes: [0, 1], maxSilenceMs: 100, isWhole: true }]);
  });

  test("end with a word", () => {
    const silences = listening();
    silences.heard(visit, [say(1)], 500);
    expect(silences.overdue([visit], 550)).toEqual([]);
  });

  test("go on when the device is declared anew, and end with the connection", () => {
    const silences = listening();
    silences.listen(visit, 90);
    expect(silences.overdue([visit], 120)).toMatchObject([{ indexes: [0] }]);
    silences.begin()[Symbol.dispose]();
    expect(silences.overdue([visit], 5_000)).toEqual([]);
    silences.listen(visit, 5_000);
    expect(silences.overdue([visit], 5_050)).toEqual([]);
  });
});
