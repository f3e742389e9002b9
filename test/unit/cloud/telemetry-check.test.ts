import { expect, test } from "@jest/globals";
import { check, type Excuse, type Numbered } from "#cloud/telemetry/check";

const of = { node: "site-a", epoch: "one" };
const message = (row: number, seq: number, rest: Partial<Numbered> = {}): Numbered => ({
  ...of,
  row,
  seq,
  at: row * 1_000,
  ...rest,
});
const excuse = (reason: string, count: number, rest: Partial<Excuse> = {}): Excuse => ({
  ...of,
  namespace: "default",
  device: "boiler-1",
  from: 0,
  to: 1,
  first: 0,
  last: 0,
  reason,
  count,
  ...rest,
});

test.each([
  ["numbers without a hole", [message(1, 1), message(5, 2), message(6, 3)], [], 0, []],
  ["a hole that nobody told of", [message(1, 1), message(5, 4)], [], 0, [[2, 3, undefined]]],
  [
    "rows that a limit dropped between the two",
    [message(1, 1), message(5, 4)],
    [excuse("size limit", 2, { first: 2, last: 4 })],
    0,
    [[2, 3, "size limit"]],
  ],
  [
    "a limit that dropped fewer than are missing",
    [message(1, 1), message(5, 4)],
    [excuse("size limit", 1, { first: 2, last: 4 })],
    0,
    [[2, 3, undefined]],
  ],
  [
    "a limit that dropped rows elsewhere",
    [message(1, 1), message(5, 4)],
    [excuse("age limit", 9, { first: 6, last: 8 })],
    0,
    [[2, 3, undefined]],
  ],
  [
    "a disk that was full at that time",
    [message(1, 1), message(5, 4)],
    [excuse("disk full", 2, { from: 2_000, to: 4_000, first: 7, last: 7 })],
    0,
    [[2, 3, "disk full"]],
  ],
  [
    "silence, which takes no numbers",
    [message(1, 1), message(5, 4)],
    [excuse("device silent", 9, { first: 2, last: 4 })],
    0,
    [[2, 3, undefined]],
  ],
  ["a number that is there twice", [message(1, 1), message(2, 1, { at: 1_000 })], [], 1, []],
  ["a device that was declared anew", [message(1, 8), message(2, 1), message(3, 2)], [], 0, []],
  ["another epoch", [message(1, 1), message(1, 9, { epoch: "two" })], [], 0, []],
] as const)("the check of %s", (_, messages, excuses, doubled, holes) => {
  const found = check(messages, excuses);
  expect(found.doubled).toBe(doubled);
  expect(found.holes.map(({ from, to, reason }) => [from, to, reason])).toEqual(holes);
  expect(found.checked).toBe(messages.length);
});
