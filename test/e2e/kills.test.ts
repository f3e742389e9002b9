/** Edge and cloud are killed at random while values flow: what was accepted is there, once, in order, and says why not. */
import { expect, test } from "@jest/globals";
import { runKills } from "../rigs/kills.ts";

const KILLS = 6;

test("random kills of edge and cloud lose nothing, double nothing, and leave no hole without a reason", async () => {
  const figures = await runKills({
    kills: KILLS,
    devices: 1,
    values: 20,
    seed: 14,
  });
  process.stderr.write(`${JSON.stringify(figures)}\n`);
  const { kills, committed, kept, nodeOff, missing, doubled, disordered, unexplained } = figures;
  expect({ missing, doubled, disordered, unexplained }).toEqual({
    missing: 0,
    doubled: 0,
    disordered: 0,
    unexplained: 0,
  });
  expect(kept).toBeGreaterThanOrEqual(committed);
  expect(kept - committed).toBeLessThanOrEqual(kills.edge + kills.both + 1);
  expect(nodeOff).toBeGreaterThan(0);
}, 240_000);
