import { expect, test } from "@jest/globals";
import type { Reading } from "#devices/driver";
import { faultFrom, pack, packBatch, plainFault, unpack, unpackBatch } from "#drivers/opcua/message";
import { Fault } from "#std/fault";

const readings: readonly Reading[] = [
  { ok: true, raw: 1.5, at: 1 },
  { ok: true, raw: Number.NaN, at: 2.5, doubt: "UncertainLastUsableValue" },
  {
    ok: false,
    fault: new Fault("DEVICE_REFUSED", "s=x: the server says BadNotReadable", { status: "BadNotReadable" }),
    at: 3,
  },
];

test.each([
  ["numbers", readings],
  [
    "values of every kind",
    [
      ...readings,
      { ok: true, raw: 2n ** 63n, at: 4 },
      { ok: true, raw: "", at: 5 },
      { ok: true, raw: false, at: 6 },
    ] as const,
  ],
  ["nothing", []],
])("%s come out of a copy between threads as they went in", (_, given) => {
  expect(unpack(structuredClone(pack(given)))).toEqual(given);
  const batch = given.map((reading, i) => ({ index: 7 * i, reading }));
  expect(unpackBatch(structuredClone(packBatch(batch)))).toEqual(batch);
  const lossy = batch.map((pushed, i) => (i === 1 ? { ...pushed, lost: true } : pushed));
  expect(unpackBatch(structuredClone(packBatch(lossy)))).toEqual(lossy);
});

test("a fault keeps its code, message and detail", () => {
  const fault = new Fault("VALUE_INVALID", "too hot", { limit: 5 });
  expect(faultFrom(structuredClone(plainFault(fault)))).toMatchObject({
    code: "VALUE_INVALID",
    message: "too hot",
    detail: { limit: 5 },
  });
});
