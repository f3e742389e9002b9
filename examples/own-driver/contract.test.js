/** Holds the driver to what every driver promises: `node --test`. */
import { test } from "node:test";
import { duration, Fault, z } from "skerry/driver";
import { driverContract } from "skerry/testing";
import { openBox } from "./device.js";
import { driver } from "./index.js";

async function openRig() {
  const box = await openBox();
  return {
    driver: driver({ z, Fault, duration }),
    link: { host: "127.0.0.1", port: box.port },
    deadLink: { host: "127.0.0.1", port: 1 },
    stations: [{ unit: 1 }, { unit: 2 }],
    addresses: { moving: { channel: 0 }, first: { channel: 1 }, second: { channel: 2 }, refused: { channel: 9 } },
    change: box.tick,
    mute: box.mute,
    [Symbol.asyncDispose]: () => box[Symbol.asyncDispose](),
  };
}

for (const { name, run } of driverContract("counter", openRig)) test(name, run);
