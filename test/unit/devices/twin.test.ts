import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  due,
  expire,
  desireByCloud as hearCloud,
  desireBySite as hearSite,
  type Judgement,
  looksLike,
  MOST_ATTEMPTS,
  type PropertyTwin,
  refuse,
  release,
  settle,
  written,
} from "#devices/twin";
import type { Value } from "#devices/value";

const same = (a: Value, b: Value) => a === b;
/** A cloud whose author saw all that the site wished. */
const knowing: Judgement = { rule: "cloud", seen: Number.MAX_SAFE_INTEGER };
const desireByCloud = (twin: PropertyTwin, value: Value, version: number, at: number) =>
  hearCloud(twin, { value, version, at }, knowing);
const desireBySite = (twin: PropertyTwin, value: Value, version: number, at: number) =>
  hearSite(twin, { value, version, at });
const reads = (twin: PropertyTwin, value: Value) => settle(twin, value, same);
const pending = desireByCloud({}, 70, 1, 0);
const applied = reads(written(pending, true), 70);
const refused = refuse(pending, "DEVICE_REFUSED: no");

describe("the wish", () => {
  const table: readonly [what: string, twin: PropertyTwin, expected: object | undefined][] = [
    ["of the cloud is pending and due", pending, { value: 70, by: "cloud", state: "pending", attempts: 0 }],
    ["that was written waits for a reading", written(pending, true), { state: "pending", attempts: 1, unread: true }],
    ["that can not be read back is applied when written", written(pending, false), { state: "applied" }],
    ["is applied when the device says it", applied, { state: "applied", attempts: 0, unread: false }],
    ["is applied without a write when it was so already", reads(pending, 70), { state: "applied" }],
    ["that did not show is written again", reads(written(pending, true), 20), { state: "pending", unread: false }],
    ["that the device left is pending again", reads(applied, 20), { state: "pending", attempts: 0, unread: false }],
    ["that was refused stays visible", refused, { value: 70, state: "refused", reason: "DEVICE_REFUSED: no" }],
    ["that was refused is not raised by a reading", reads(refused, 70), { state: "refused" }],
    ["that was refused is not repeated by the next generation", desireByCloud(refused, 70, 2, 0), { state: "refused" }],
    ["that is new ends the refusal", desireByCloud(refused, 71, 2, 0), { value: 71, state: "pending" }],
    ["of the site goes over the cloud's", desireBySite(applied, 50, 1, 9), { value: 50, by: "site", at: 9 }],
    [
      "of the site stays when the cloud repeats itself",
      desireByCloud(desireBySite(applied, 50, 1, 9), 70, 2, 9),
      { value: 50 },
    ],
    [
      "of the site ends when the cloud says something new",
      desireByCloud(desireBySite(applied, 50, 1, 9), 71, 2, 9),
      { value: 71, by: "cloud" },
    ],
    ["of an older generation is not heard", desireByCloud(applied, 20, 1, 9), { value: 70 }],
    ["that the cloud took back ends", release(applied), undefined],
    ["of the site stays when the cloud takes its own back", release(desireBySite(applied, 50, 1, 9)), { value: 50 }],
    ["that was taken back may come again", desireByCloud(release(applied), 70, 3, 9), { value: 70, state: "pending" }],
  ];

  test.each(table)("%s", (_, twin, expected) => {
    if (expected === undefined) expect(twin.desired).toBeUndefined();
    else expect(twin.desired).toMatchObject(expected);
  });

  test("is due while it is pending and not waiting for a reading", () => {
    const states = [pending, written(pending, true), applied, refused, {}];
    expect(states.map((twin) => due(twin) !== undefined)).toEqual([true, false, false, false, false]);
  });

  test("that never shows is refused after a few confirmed writes, and says what the device says", () => {
    let twin = pending;
    let writes = 0;
    for (let visit = 0; visit < 20; visit++) {
      if (due(twin)) {
        twin = written(twin, true);
        writes++;
      }
      twin = reads(twin, 20);
    }
    expect(writes).toBe(MOST_ATTEMPTS);
    expect(twin.desired).toMatchObject({ state: "refused", reason: expect.stringContaining("the device says 20") });
  });

  test("nothing new is the same object", () => {
    for (const twin of [applied, refused, {}]) expect(reads(twin, 70)).toBe(twin);
    expect(desireByCloud(applied, 70, 1, 9)).toBe(applied);
    expect(written(applied, true)).toBe(applied);
  });

  test("looks the same while version, side, state and reason are", () => {
    expect(looksLike(pending, written(pending, true))).toBe(true);
    expect(looksLike(pending, applied)).toBe(false);
    expect(looksLike({}, {})).toBe(true);
    expect(looksLike({}, pending)).toBe(false);
  });
});

describe("a wish that is asked for again", () => {
  const again = (twin: PropertyTwin, askedAt: number, version = 2) =>
    hearCloud(twin, { value: 70, version, at: 0, askedAt }, knowing);

  test("is new, though the value is the same: after a refusal, or when the site overruled it", () => {
    for (const twin of [refused, applied, desireBySite(applied, 50, 1, 9)])
      expect(again(twin, 1).desired).toMatchObject({ value: 70, by: "cloud", state: "pending", attempts: 0 });
  });

  test("is heard once, whatever else the cloud declares afterwards", () => {
    const overruled = desireBySite(again(applied, 1), 50, 1, 9);
    expect(again(overruled, 1, 3).desired).toMatchObject({ value: 50, by: "site" });
    expect(desireByCloud(overruled, 70, 4, 0).desired).toMatchObject({ value: 50, by: "site" });
  });

  test("settles a conflict that waits for a person", () => {
    const site = desireBySite(desireByCloud({}, 60, 1, 0), 50, 1, 9);
    const open = hearCloud(site, { value: 70, version: 2, at: 10 }, { rule: "manual", seen: 0 });
    expect(open).toMatchObject({ desired: { value: 50 }, conflict: { rule: "manual" } });
    const taken = hearCloud(open, { value: 70, version: 3, at: 20, askedAt: 20 }, { rule: "manual", seen: 1 });
    expect(taken.desired).toMatchObject({ value: 70, by: "cloud" });
    expect(taken.conflict).toBeUndefined();
  });
});

describe("a conflict", () => {
  const site = desireBySite(desireByCloud({}, 70, 1, 0), 50, 4, 100);
  const hear = (rule: Judgement["rule"], at = 200, seen = 3) =>
    hearCloud(site, { value: 80, version: 2, at }, { rule, seen });

  test.each<[Judgement["rule"], number, number, "cloud" | "site"]>([
    ["cloud", 0, 80, "cloud"],
    ["site", 900, 50, "site"],
    ["manual", 900, 50, "site"],
    ["newest", 200, 80, "cloud"],
    ["newest", 50, 50, "site"],
  ])("is decided by the rule %s at %d: %d stands", (rule, at, value, by) => {
    const { desired, conflict, heard } = hear(rule, at);
    expect(desired).toMatchObject({ value, by });
    expect(conflict).toMatchObject({ rule, kept: { by, value } });
    expect(heard).toMatchObject({ value: 80, version: 2 });
  });

  test("is none when the cloud's author saw the site's wish, or wished the same", () => {
    expect(hear("site", 200, 4)).toMatchObject({ desired: { value: 80 } });
    expect(hear("site", 200, 4).conflict).toBeUndefined();
    expect(hearCloud(site, { value: 50, version: 2, at: 0 }, { rule: "site", seen: 0 }).conflict).toBeUndefined();
  });

  test("ends when either side wishes something new", () => {
    expect(desireBySite(hear("site"), 60, 5, 300).conflict).toBeUndefined();
    expect(desireByCloud(hear("site"), 81, 3, 300).conflict).toBeUndefined();
    expect(release(hear("site")).conflict).toBeUndefined();
  });
});

describe("a wish with an end", () => {
  const brief = hearSite(applied, { value: 50, version: 1, at: 0, until: 100 });

  test("lasts until then", () => {
    expect(expire(brief, 99)).toBe(brief);
    expect(expire(applied, 1e15)).toBe(applied);
  });

  test("of the site gives way to what the cloud wished last", () => {
    expect(expire(brief, 100).desired).toMatchObject({ value: 70, by: "cloud", state: "pending" });
  });

  test("of the cloud gives way to nothing, and is not heard again", () => {
    const wish = { value: 60, version: 2, at: 0, until: 100 };
    const ended = expire(hearCloud({}, wish, knowing), 100);
    expect(ended.desired).toBeUndefined();
    expect(hearCloud(ended, { ...wish, version: 3 }, knowing).desired).toBeUndefined();
  });
});

type Step = { readonly do: "cloud" | "site" | "reading"; readonly value: number } | { readonly do: "repeat" | "write" };

const value = fc.integer({ min: 0, max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom("cloud" as const, "site" as const, "reading" as const), value }),
  fc.record({ do: fc.constantFrom("repeat" as const, "write" as const) }),
);

/** Plays the two sides and the device against a twin, and keeps in plain words what they last said. */
function play(steps: readonly Step[]) {
  let twin: PropertyTwin = {};
  let generation = 0;
  let counter = 0;
  let cloud: number | undefined;
  let last: number | undefined;
  for (const next of steps) {
    const before = twin;
    if (next.do === "cloud") {
      if (next.value !== cloud) last = next.value;
      cloud = next.value;
      twin = desireByCloud(twin, next.value, ++generation, 0);
    } else if (next.do === "site") {
      last = next.value;
      twin = desireBySite(twin, next.value, ++counter, 0);
    } else if (next.do === "repeat" && cloud !== undefined) {
      twin = desireByCloud(twin, cloud, generation, 0);
      expect(twin).toBe(before);
    } else if (next.do === "write" && due(twin)) twin = written(twin, true);
    else if (next.do === "reading") twin = reads(twin, next.value);
    expect(twin.desired?.attempts ?? 0).toBeLessThanOrEqual(MOST_ATTEMPTS);
  }
  return { twin, last };
}

test("whoever said something new last is what is desired, whatever is read and written meanwhile", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { twin, last } = play(steps);
      expect(twin.desired?.value).toBe(last);
    }),
    { numRuns: 500 },
  );
});

test("after any history, a device that obeys ends with every wish applied or refused", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let { twin } = play(steps);
      let says = 9;
      for (let visit = 0; visit < 2; visit++) {
        const wish = due(twin);
        if (wish) {
          says = wish.value as number;
          twin = written(twin, true);
        } else if (twin.desired?.unread) says = twin.desired.value as number;
        twin = reads(twin, says);
      }
      expect(twin.desired?.state).not.toBe("pending");
    }),
    { numRuns: 500 },
  );
});
