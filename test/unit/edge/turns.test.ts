import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { LONGEST_WAIT_MS, Turns } from "#edge/devices/turns";

const fast = { name: "fast", periodMs: 10 };
const slow = { name: "slow", periodMs: 25 };
type Who = typeof fast;

/** Plays rounds that take no time. */
function play(turns: Turns<Who>, rounds: number, answers: (who: Who) => boolean = () => true): string[] {
  return Array.from({ length: rounds }, () => {
    const { who, dueMs } = turns.next() ?? { who: fast, dueMs: -1 };
    turns.end(who, dueMs, answers(who));
    return `${who.name}@${dueMs}`;
  });
}

test("everybody has a period and gets it", () => {
  expect(play(new Turns([fast, slow], 0, true), 6)).toEqual([
    "fast@0",
    "slow@0",
    "fast@10",
    "fast@20",
    "slow@25",
    "fast@30",
  ]);
});

test("who is silent waits twice as long each time, the neighbours do not", () => {
  const played = play(new Turns([fast, slow], 0, true), 12, ({ name }) => name === "slow");
  expect(played.filter((turn) => turn.startsWith("fast"))).toEqual(["fast@0", "fast@20", "fast@60", "fast@140"]);
});

test("who is silent waits no longer than the longest wait, or its own period", () => {
  const hourly = { name: "hourly", periodMs: 3_600_000 };
  for (const who of [fast, hourly]) {
    const turns = new Turns([who], 0, true);
    for (let i = 0; i < 40; i++) turns.end(who, turns.next()?.dueMs ?? 0, false);
    const before = turns.next()?.dueMs ?? 0;
    turns.end(who, before, false);
    expect((turns.next()?.dueMs ?? 0) - before).toBe(Math.max(LONGEST_WAIT_MS, who.periodMs));
  }
});

test("who is alone on a bus keeps its period though it is silent", () => {
  expect(play(new Turns([fast], 0, false), 3, () => false)).toEqual(["fast@0", "fast@10", "fast@20"]);
});

test("turns that were missed are skipped, and the rhythm is kept", () => {
  const turns = new Turns([fast], 0, false);
  turns.end(fast, 37, true);
  expect(turns.next()?.dueMs).toBe(40);
});

test("a turn can be brought forward, not put off", () => {
  const turns = new Turns([slow], 0, false);
  turns.end(slow, 0, true);
  turns.hasten(slow, 5);
  expect(turns.next()?.dueMs).toBe(5);
  turns.hasten(slow, 9);
  expect(turns.next()?.dueMs).toBe(5);
});

test("without anybody there is no turn", () => {
  expect(new Turns([], 0, false).next()).toBeUndefined();
});

test("nobody starves, whoever answers and however long it takes", () => {
  const periods = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(periods, fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.boolean())), (all, turnsTaken) => {
      const everyone = all.map((periodMs, i) => ({ name: `${i}`, periodMs }));
      const turns = new Turns(everyone, 0, true);
      let nowMs = 0;
      for (const [tookMs, answered] of turnsTaken) {
        const turn = turns.next();
        if (!turn) throw new Error("nobody is due");
        nowMs = Math.max(nowMs, turn.dueMs) + tookMs;
        turns.end(turn.who, nowMs, answered);
        const { dueMs } = turns.next() ?? { dueMs: Number.NaN };
        expect(dueMs - nowMs).toBeLessThanOrEqual(LONGEST_WAIT_MS);
      }
    }),
  );
});
