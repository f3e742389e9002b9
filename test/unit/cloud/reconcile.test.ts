import { expect, test } from "@jest/globals";
import { Keys } from "#cloud/kube/keys";
import { reconcile } from "#cloud/kube/reconcile";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";
import { eventually } from "../../rigs/eventually.ts";

const options = { log: silent, clock: { ...systemClock, sleep: async () => {} } };
const { signal } = new AbortController();

test("a key never runs twice at once, and changes during its step cause one more", async () => {
  const keys = new Keys();
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  let steps = 0;
  const done = reconcile(
    keys,
    async () => {
      most = Math.max(most, ++running);
      steps++;
      if (steps === 1) await gate.promise;
      running--;
    },
    options,
    signal,
  );
  keys.add("a");
  await eventually(() => steps === 1);
  for (let i = 0; i < 5; i++) {
    keys.add("a");
    await eventually(() => keys.size === 0);
  }
  gate.resolve();
  await eventually(() => steps === 2 && running === 0);
  keys.close();
  await done;
  expect({ most, steps }).toEqual({ most: 1, steps: 2 });
});

test("a step that fails runs again, and other keys do not wait for it", async () => {
  const keys = new Keys();
  const ran: string[] = [];
  const done = reconcile(
    keys,
    async (key) => {
      ran.push(key);
      if (key === "bad" && ran.filter((other) => other === "bad").length < 4) throw new Error("not yet");
    },
    options,
    signal,
  );
  keys.add("bad");
  keys.add("good");
  await eventually(() => ran.filter((key) => key === "bad").length === 4 && ran.includes("good"));
  keys.close();
  await done;
});

test("no more steps run at once than there are workers", async () => {
  const keys = new Keys();
  let running = 0;
  let most = 0;
  let steps = 0;
  const done = reconcile(
    keys,
    async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      steps++;
    },
    { ...options, workers: 3 },
    signal,
  );
  for (let i = 0; i < 50; i++) keys.add(`k${i}`);
  await eventually(() => steps === 50);
  keys.close();
  await done;
  expect(most).toBe(3);
});

test("an abort ends it, whatever waits", async () => {
  const keys = new Keys();
  const end = new AbortController();
  const done = reconcile(
    keys,
    (_, signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    options,
    end.signal,
  );
  keys.add("a");
  await eventually(() => keys.size === 0);
  end.abort();
  keys.close();
  await done;
});
