/** Ten times what fits while the cloud is away; `test/bench/overload.ts` measures memory beside what fits. */
import { expect, test } from "@jest/globals";
import { runOverload } from "../rigs/overload.ts";

test("what does not fit is dropped, oldest first, and the ledger has every row of it; the twins stay current", async () => {
  const figures = await runOverload({ devices: 30, seconds: 10 });
  process.stderr.write(`${JSON.stringify(figures)}\n`);
  const { committed, kept, dropped, unaccounted, doubled, unexplained, oldestMs } = figures;
  expect({ unaccounted, doubled, unexplained }).toEqual({ unaccounted: 0, doubled: 0, unexplained: 0 });
  expect(dropped).toBeGreaterThan(100);
  expect(kept + dropped).toBeGreaterThanOrEqual(committed);
  expect(oldestMs).toBeLessThan(5_000);
}, 120_000);
