/** Whoever asks for telemetry need not know where it is kept. */
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type SinkConfig, sinkConfig } from "#cloud/telemetry/config";
import type { Row } from "#wire/messages";
import { layoutOf } from "#wire/pack";
import { engines } from "../rigs/engines.ts";
import { sinkRig } from "../rigs/sinks.ts";

const BEGIN = Date.UTC(2026, 0, 31, 8, 0);
const layout = layoutOf(["t", "mode", "a.b", ""]);

/** What one device may say; sums of whole numbers are the same in any order. */
const value = fc.oneof(
  fc.integer({ min: -1_000, max: 1_000 }),
  fc.boolean(),
  fc.constantFrom(null, "on", 'quo"te', "äöü ☃ 𝄞", "1e5", "-0.5"),
  fc.array(fc.integer(), { maxLength: 2 }),
);
const reasons = fc.dictionary(fc.constantFrom("0", "1", "3"), fc.constantFrom("stuck", "LINK_LOST: gone"), {
  maxKeys: 2,
});
const body = fc.oneof(
  fc
    .tuple(fc.nat(99), fc.array(value, { minLength: 4, maxLength: 4 }), fc.option(reasons))
    .map(([seq, values, bad]) => ({
      body: JSON.stringify(bad ? [seq, values, bad] : [seq, values]),
      layout: layout.id,
    })),
  fc
    .record({ seq: fc.nat(99), values: fc.dictionary(fc.constantFrom("t", "u", "a.b"), value) })
    .map((message) => ({ body: JSON.stringify(message) })),
  fc.constantFrom("?", "[]", "7", "null", '"text"').map((body) => ({ body })),
);
const rows = fc
  .array(fc.tuple(body, fc.integer({ min: 0, max: 600_000 }), fc.constantFrom("boiler.1", "b*>", "Ä b")), {
    minLength: 1,
    maxLength: 60,
  })
  .map((all) =>
    all.map(
      ([said, after, device], i): Row => ({
        seq: i + 1,
        namespace: "n.s",
        device,
        kind: "telemetry",
        at: BEGIN + after,
        ...said,
      }),
    ),
  );

/** All that one can ask, of all devices. */
async function answers(config: SinkConfig, told: readonly Row[]): Promise<unknown> {
  await using rig = await sinkRig(config);
  for (let i = 0; i < told.length; i += 7)
    await rig.reports.take("site-a", "one", told.slice(i, i + 7), BEGIN + 700_000, [layout]);
  const found = [];
  for (const device of ["boiler.1", "b*>", "Ä b", "none"]) {
    const all = { namespace: "n.s", device, sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER };
    const some = { ...all, sinceMs: BEGIN + 100_000, untilMs: BEGIN + 400_000 };
    const scanned = [];
    for await (const kept of rig.sink.scan(all)) scanned.push(kept);
    found.push(
      scanned.sort((a, b) => a.seq - b.seq),
      await rig.sink.query(some, 1_000),
      (await rig.sink.query(all, 5)).length,
      await rig.sink.summarize(all, 60_000, []),
      await rig.sink.summarize(some, 120_000, ["t", "a.b"]),
      await rig.sink.summarize(some, 90_500, []),
    );
  }
  return found;
}

describe.each(engines)("$name", (engine) => {
  if (engine.obstacle) return test.skip(`is not tried here: ${engine.obstacle}`, () => {});
  test("answers as SQLite does, whatever was said", async () => {
    const sqlite = sinkConfig.parse({ kind: "sqlite" });
    await using server = await engine.open();
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(rows, async (told) => {
        const name = `run${runs++}`;
        const own = engine.config(server.port);
        const config = own.kind === "nats" ? { ...own, stream: name, subject: name } : { ...own, schema: name };
        expect(await answers(config as SinkConfig, told)).toEqual(await answers(sqlite, told));
      }),
      { numRuns: 15 },
    );
  }, 120_000);
  return undefined;
});
