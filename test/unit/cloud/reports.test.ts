import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Reports } from "#cloud/devices/reports";
import { openStore } from "#cloud/store";
import { silent } from "#std/log";
import type { Range } from "#wire/messages";
import { layoutOf } from "#wire/pack";
import { telemetry } from "../../rigs/fake-edge.ts";

const DAY_MS = 86_400_000;
const enough = { keepMs: 7 * DAY_MS, keepRows: 1000, keepBytes: 2 ** 40 };

test("whatever comes twice, late, or after a restart of the cloud is stored exactly once", async () => {
  const batch = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 });
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ is: fc.constant("rows" as const), seqs: batch }) },
    { weight: 1, arbitrary: fc.record({ is: fc.constant("missing" as const), from: fc.integer({ min: 1, max: 50 }) }) },
    { weight: 1, arbitrary: fc.record({ is: fc.constant("restart" as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const dir = mkdtempSync(join(tmpdir(), "reports-"));
      let db = openStore(dir, silent);
      try {
        let reports = new Reports(db);
        const stored = new Set<number>();
        const missing = new Set<number>();
        for (const step of steps) {
          if (step.is === "restart") {
            db[Symbol.dispose]();
            db = openStore(dir, silent);
            reports = new Reports(db);
          } else if (step.is === "missing") {
            const range: Range = [step.from, step.from + 4];
            await reports.miss("site-a", "e", { ranges: [range], reason: "size limit" }, 0);
            for (let seq = range[0]; seq <= range[1]; seq++) if (!stored.has(seq)) missing.add(seq);
          } else {
            await reports.take(
              "site-a",
              "e",
              step.seqs.map((seq) => telemetry(seq)),
              0,
            );
            for (const seq of step.seqs) if (!missing.has(seq)) stored.add(seq);
          }
        }
        const seqs = (await reports.history("default", "boiler-1", { limit: 10_000 })).map(({ seq }) => seq);
        expect(seqs).toEqual([...stored].sort((a, b) => a - b));
        const here = reports
          .have("site-a", "e")
          .flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
        expect(here).toEqual([...stored, ...missing].sort((a, b) => a - b));
      } finally {
        db[Symbol.dispose]();
        rmSync(dir, { recursive: true });
      }
    }),
    { numRuns: 25 },
  );
});

test("numbers of two nodes, or of two epochs of one node, are different numbers", async () => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  await reports.take("site-a", "one", [telemetry(1)], 0);
  await reports.take("site-a", "two", [telemetry(1)], 0);
  await reports.take("site-b", "one", [telemetry(1)], 0);
  expect(await reports.history("default", "boiler-1")).toHaveLength(3);
  expect(reports.have("site-a", "two")).toEqual([[1, 1]]);
  expect(reports.counts.repeats).toBe(0);
});

test("a hole that a node told of has a reason, and only what is really missing counts", async () => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  await reports.take("site-a", "e", [telemetry(5)], 0);
  await reports.miss("site-a", "e", { ranges: [[3, 8]], reason: "age limit" }, 0);
  await reports.miss("site-a", "e", { ranges: [[3, 8]], reason: "age limit" }, 0);
  expect(reports.gaps("site-a")).toEqual([
    { epoch: "e", range: [3, 4], reason: "age limit" },
    { epoch: "e", range: [6, 8], reason: "age limit" },
  ]);
  expect(reports.counts.missing).toBe(5);
  expect(reports.have("site-a", "e")).toEqual([[3, 8]]);
});

test("history gives a span, the oldest first, and the latest of it when there is more than asked", async () => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  await reports.take(
    "site-a",
    "e",
    [3, 1, 5, 2, 4].map((seq) => telemetry(seq)),
    0,
  );
  const seqs = async (part: object) => (await reports.history("default", "boiler-1", part)).map(({ seq }) => seq);
  expect(await seqs({ sinceMs: 1002, untilMs: 1004 })).toEqual([2, 3, 4]);
  expect(await seqs({ limit: 2 })).toEqual([4, 5]);
  expect((await reports.history("default", "boiler-1", { limit: 1 }))[0]?.body).toMatchObject({
    values: { temperature: 5 },
  });
  expect(await reports.history("other", "boiler-1")).toEqual([]);
});

test("retention takes the oldest arrivals, by age and by number, and counts them", async () => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  const rows = (from: number, count: number) => Array.from({ length: count }, (_, i) => telemetry(from + i));
  await reports.take("site-a", "e", rows(1, 300), 0);
  await reports.take("site-a", "e", rows(301, 300), DAY_MS);
  await reports.prune(enough, 6 * DAY_MS);
  expect(reports.rows).toBe(600);
  await reports.prune(enough, 7 * DAY_MS + 1);
  expect(reports.rows).toBe(300);
  await reports.prune({ ...enough, keepRows: 100 }, 7 * DAY_MS + 1);
  expect((await reports.history("default", "boiler-1")).map(({ seq }) => seq)).toEqual(
    rows(501, 100).map(({ seq }) => seq),
  );
  expect(reports.counts.pruned).toBe(500);
  expect(reports.have("site-a", "e")).toEqual([[1, 600]]);
});

test("a node that leaves endless holes is refused", async () => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  const odd = Array.from({ length: 10_001 }, (_, i) => telemetry(2 * i));
  await expect(reports.take("site-a", "e", odd, 0)).rejects.toMatchObject({ code: "FRAME_INVALID" });
  expect(reports.have("site-a", "e")).toEqual([]);
});

test("rows of several nodes at once are all counted", async () => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  await Promise.all(["site-a", "site-b", "site-c"].map((node) => reports.take(node, "e", [telemetry(1)], 0)));
  expect(reports.rows).toBe(3);
});

test.each([
  ["is no JSON", "[1,[", true],
  ["is packed by no rule", '{"at":1}', true],
  ["has a layout and no list", "[1,7]", true],
  ["has no values", '{"at":1,"seq":1,"values":null}', false],
  ["has reasons that are none", '{"at":1,"seq":1,"values":{"t":1},"bad":null}', false],
])("a message of a node that %s stops nobody", async (_, body, isPacked) => {
  using db = openStore(":memory:", silent);
  const reports = new Reports(db);
  const layout = layoutOf(["t"]);
  const row = { ...telemetry(1), body, ...(isPacked ? { layout: layout.id } : {}) };
  const heard: unknown[] = [];
  using _follow = reports.follow({ namespace: "default", device: "boiler-1", take: (message) => heard.push(message) });
  await reports.take("site-a", "e", [row, telemetry(2)], 0, [layout]);
  expect(heard).toHaveLength(2);
  await reports.prune(enough, 0);
  const span = { namespace: "default", device: "boiler-1", sinceMs: 0, untilMs: DAY_MS };
  await expect(reports.sink.summarize(span, 60_000, [])).resolves.toBeDefined();
  await expect(reports.sink.summarize(span, 1_000, [])).resolves.toBeDefined();
  expect(await reports.history("default", "boiler-1")).toHaveLength(2);
});
