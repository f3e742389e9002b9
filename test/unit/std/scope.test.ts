import { once } from "node:events";
import { expect, test } from "@jest/globals";
import { isAbort, Scope } from "#std/scope";

/** A task that works until it is told to end. */
const untilAbort = async (signal: AbortSignal) => {
  if (!signal.aborted) await once(signal, "abort");
  signal.throwIfAborted();
};

const resource = (name: string, order: string[]) => ({ [Symbol.dispose]: () => void order.push(name) });

test("what came up last goes down first", async () => {
  const order: string[] = [];
  const scope = new Scope();
  scope.use(resource("store", order));
  scope.use({ [Symbol.asyncDispose]: async () => void order.push("broker") });
  scope.use(resource("api", order));
  await scope[Symbol.asyncDispose]();
  expect(order).toEqual(["api", "broker", "store"]);
});

test("tasks have ended before the resources that they use go", async () => {
  const order: string[] = [];
  const scope = new Scope();
  scope.use(resource("store", order));
  scope.run("writer", async (signal) => {
    await untilAbort(signal).catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    order.push("writer");
  });
  await scope[Symbol.asyncDispose]();
  expect(order).toEqual(["writer", "store"]);
});

test("a task that fails takes the scope with it, and its failure is told", async () => {
  await using scope = new Scope();
  let ended = false;
  scope.run("neighbour", async (signal) => {
    await untilAbort(signal).finally(() => {
      ended = true;
    });
  });
  scope.run("broken", async () => {
    throw new Error("no way");
  });
  await expect(scope.done()).rejects.toThrow("no way");
  expect(ended).toBe(true);
  expect(scope.signal.aborted).toBe(true);
});

test("the first failure counts, not those that follow from it", async () => {
  await using scope = new Scope();
  scope.run("follower", async (signal) => {
    await untilAbort(signal).catch(() => undefined);
    throw new Error("because of the other");
  });
  scope.run("first", async () => {
    throw new Error("the cause");
  });
  await expect(scope.done()).rejects.toThrow("the cause");
});

test("an abort is an end, not an error", async () => {
  await using scope = new Scope();
  scope.run("task", untilAbort);
  scope.abort();
  await expect(scope.done()).resolves.toBeUndefined();
});

test("a scope ends with its parent", async () => {
  const parent = new AbortController();
  await using scope = new Scope(parent.signal);
  scope.run("task", untilAbort);
  parent.abort(new Error("the node stops"));
  await scope.done();
  expect(scope.signal.reason).toMatchObject({ message: "the node stops" });
  expect(new Scope(parent.signal).signal.aborted).toBe(true);
});

test("a scope says what it waits for", async () => {
  await using scope = new Scope();
  scope.run("uplink", untilAbort);
  scope.run("housekeeping", untilAbort);
  scope.run("short", async () => undefined);
  expect(scope.waitingFor).toEqual(["uplink", "housekeeping", "short"]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(scope.waitingFor).toEqual(["uplink", "housekeeping"]);
});

test("one resource that can not be released does not keep the others", async () => {
  const order: string[] = [];
  const scope = new Scope();
  scope.use(resource("store", order));
  scope.use({
    [Symbol.dispose]() {
      throw new Error("stuck");
    },
  });
  await expect(scope[Symbol.asyncDispose]()).rejects.toThrow("did not release everything");
  expect(order).toEqual(["store"]);
});

test("only the abort of this very signal is no error", () => {
  const [mine, other] = [new AbortController(), new AbortController()];
  const error = new Error("bug");
  expect(isAbort(error, mine.signal)).toBe(false);
  mine.abort();
  other.abort(error);
  expect(isAbort(mine.signal.reason, mine.signal)).toBe(true);
  expect(isAbort(error, mine.signal)).toBe(false);
  expect(isAbort(error, other.signal)).toBe(true);
});
