import { expect, test } from "@jest/globals";
import { isChange } from "#devices/change";
import type { Report } from "#devices/twin";
import { equal } from "#devices/value";

const report = (value: Report["value"], rest: Partial<Report> = {}): Report => ({
  value,
  at: 0,
  quality: "good",
  ...rest,
});

test("the first reading is a change", () => {
  expect(isChange(undefined, report(1), { deadband: 100 })).toBe(true);
});

test("without a rule each change counts, and nothing else", () => {
  expect(isChange(report(1), report(1, { at: 1e9 }), undefined)).toBe(false);
  expect(isChange(report(1), report(1.0001), undefined)).toBe(true);
  expect(isChange(report("a"), report("b"), undefined)).toBe(true);
  expect(isChange(report({ a: 1, b: 2 }), report({ b: 2, a: 1 }), undefined)).toBe(false);
});

test("the dead band compares with what was reported last, so slow drift is reported too", () => {
  const rule = { deadband: 0.5 };
  const reported: number[] = [];
  let last: Report | undefined;
  for (let value = 20; value <= 22; value += 0.125) {
    const next = report(value);
    if (!isChange(last, next, rule)) continue;
    reported.push(value);
    last = next;
  }
  expect(reported).toEqual([20, 20.625, 21.25, 21.875]);
  expect(isChange(report(20), report(20.5), rule)).toBe(false);
});

test("a change of quality or its reason is told at once", () => {
  const rule = { deadband: 100 };
  expect(isChange(report(1), report(1, { quality: "uncertain", reason: "below" }), rule)).toBe(true);
  const bad = report(undefined, { quality: "bad", reason: "DEVICE_REFUSED: a" });
  expect(isChange(bad, bad, rule)).toBe(false);
  expect(isChange(bad, { ...bad, reason: "DEVICE_REFUSED: b" }, rule)).toBe(true);
});

test("the heartbeat reports what did not change", () => {
  const rule = { deadband: 0.5, heartbeat: 60_000 };
  expect(isChange(report(1), report(1, { at: 59_999 }), rule)).toBe(false);
  expect(isChange(report(1), report(1, { at: 60_000 }), rule)).toBe(true);
});

test("JSON values are equal by what they hold", () => {
  expect(equal([1, { a: null }], [1, { a: null }])).toBe(true);
  expect(equal([1], { 0: 1 })).toBe(false);
  expect(equal({ a: undefined as never }, { b: undefined as never })).toBe(false);
  expect(equal(null, {})).toBe(false);
});
