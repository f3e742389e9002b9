/** Deadlines, bells, queues, back-off: how long one waits, and for what. */
import { getEventListeners, once } from "node:events";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { backoffMs } from "#std/backoff";
import { Bell } from "#std/bell";
import { systemClock } from "#std/clock";
import { deadline } from "#std/deadline";
import { Queue } from "#std/queue";

const forever = new AbortController().signal;

describe("a deadline", () => {
  test("ends the work and says that it was the limit", async () => {
    using limit = deadline(1, forever);
    await once(limit.signal, "abort");
    expect(limit.expired).toBe(true);
    expect(limit.signal.reason).toMatchObject({ name: "TimeoutError", message: "took longer than 1 ms" });
  });

  test("ends with its parent, for the parent's reason", () => {
    const parent = new AbortController();
    using limit = deadline(60_000, parent.signal);
    parent.abort("stop");
    expect([limit.signal.reason, limit.expired]).toEqual(["stop", false]);
    using late = deadline(60_000, parent.signal);
    expect(late.signal.reason).toBe("stop");
  });

  test("leaves nothing on its parent", () => {
    const parent = new AbortController();
    for (let i = 0; i < 100; i++) {
      using limit = deadline(60_000, parent.signal);
      expect(limit.signal.aborted).toBe(false);
    }
    expect(getEventListeners(parent.signal, "abort")).toHaveLength(0);
  });
});

describe("a bell", () => {
  test("is a level: rings that nobody waited for wake once", async () => {
    const bell = new Bell();
    bell.ring();
    bell.ring();
    expect(await bell.wait(forever)).toBe(true);
    expect(await bell.wait(forever, 1)).toBe(false);
  });

  test("can be asked without waiting", () => {
    const bell = new Bell();
    bell.ring();
    expect([bell.take(), bell.take()]).toEqual([true, false]);
  });

  test("wakes who waits", async () => {
    const bell = new Bell();
    const woken = bell.wait(forever, 60_000);
    bell.ring();
    expect(await woken).toBe(true);
  });

  test("lets go when the signal aborts, and is still good", async () => {
    const bell = new Bell();
    const stop = new AbortController();
    const waiting = bell.wait(stop.signal);
    stop.abort(new Error("stop"));
    await expect(waiting).rejects.toThrow("stop");
    await expect(bell.wait(stop.signal)).rejects.toThrow("stop");
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
    bell.ring();
    expect(await bell.wait(forever)).toBe(true);
  });
});

describe("a queue", () => {
  test("brings what was pushed, in order, and ends when it is closed", async () => {
    const queue = new Queue<number>(10);
    for (const n of [1, 2, 3]) expect(queue.push(n)).toBe(true);
    queue.close();
    expect(queue.push(4)).toBe(false);
    expect(await Array.fromAsync(queue)).toEqual([1, 2, 3]);
  });

  test("wakes its reader", async () => {
    const queue = new Queue<string>(10);
    const next = queue[Symbol.asyncIterator]().next();
    queue.push("a");
    expect(await next).toEqual({ value: "a", done: false });
  });

  test("drops the oldest when its reader is slow, counts it and says so", async () => {
    const queue = new Queue<number>(3);
    const answers = [1, 2, 3, 4, 5].map((n) => queue.push(n));
    expect(answers).toEqual([true, true, true, false, false]);
    expect([queue.length, queue.dropped]).toEqual([3, 2]);
    queue.close();
    expect(await Array.fromAsync(queue)).toEqual([3, 4, 5]);
  });

  test("keeps the newest of any number of items", async () => {
    const counts = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 5000 }));
    await fc.assert(
      fc.asyncProperty(counts, async ([limit, count]) => {
        const queue = new Queue<number>(limit);
        for (let n = 0; n < count; n++) queue.push(n);
        queue.close();
        const kept = await Array.fromAsync(queue);
        expect(kept).toEqual(Array.from({ length: count }, (_, n) => n).slice(-limit));
        expect(kept.length + queue.dropped).toBe(count);
      }),
      { numRuns: 30 },
    );
  });
});

test("a wait after failures doubles up to the longest and never reaches below half", () => {
  const backoff = { firstMs: 250, longestMs: 30_000 };
  const longest = [0, 1, 2, 6, 7, 100, 10_000].map((failures) => backoffMs(backoff, failures, 1));
  expect(longest).toEqual([250, 500, 1000, 16_000, 30_000, 30_000, 30_000]);
  expect(backoffMs(backoff, 2, 0)).toBe(500);
});

test("the machine's clock ends a sleep with its signal", async () => {
  const stop = new AbortController();
  const sleeping = systemClock.sleep(60_000, stop.signal);
  stop.abort();
  await expect(sleeping).rejects.toThrow(/abort/i);
  await expect(systemClock.sleep(0, stop.signal)).rejects.toThrow(/abort/i);
});
