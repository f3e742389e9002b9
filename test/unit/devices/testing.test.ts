/** The contract finds out drivers that break it, by the promise that they break. */
import { expect, test } from "@jest/globals";
import type { Connection } from "#devices/driver";
import { type DriverRig, driverContract } from "#devices/testing";
import { virtualRig } from "../../rigs/virtual.ts";

/** A rig whose connections are spoiled. */
async function spoiled(change: (connection: Connection) => Partial<Connection>): Promise<DriverRig> {
  const rig = await virtualRig();
  const driver: typeof rig.driver = {
    ...rig.driver,
    async connect(link, signal) {
      const connection = await rig.driver.connect(link, signal);
      return { ...connection, ...change(connection) };
    },
  };
  return { ...rig, driver };
}

async function broken(openRig: () => Promise<DriverRig>): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { name, run } of driverContract("virtual", openRig, { limitMs: 200 }))
    await run().catch(() => found.push(name));
  return found;
}

test("a driver that keeps it breaks nothing", async () => {
  expect(await broken(virtualRig)).toEqual([]);
});

test.each<[string, (connection: Connection) => Partial<Connection>, string]>([
  [
    "answers in another order",
    (it) => ({ read: async (...asked) => (await it.read(...asked)).toReversed() }),
    "answers each point at its own place, whatever the order, and as often as it is asked",
  ],
  ["does not write", () => ({ write: async () => {} }), "reads back what it wrote"],
  [
    "has one memory for all devices",
    (it) => ({
      read: (_, ...rest) => it.read({ seed: 1 }, ...rest),
      write: (_, ...rest) => it.write({ seed: 1 }, ...rest),
    }),
    "keeps two devices on one link apart, although they share their points",
  ],
  [
    "does not listen to the signal",
    (it) => ({ read: (station, points) => it.read(station, points, new AbortController().signal) }),
    "does nothing for a signal that has aborted already",
  ],
  ["can not be closed", () => ({ [Symbol.asyncDispose]: async () => {} }), "can be closed twice, and is closed then"],
])("a driver that %s is found out", async (_, change, name) => {
  expect(await broken(() => spoiled(change))).toContain(name);
});
