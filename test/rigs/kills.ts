/** Kills edge and cloud again and again while values flow, then compares what each side had on its disk. */

import { eventually } from "./eventually.ts";
import { LIMIT_MS, openWay, type Role, type Verdict } from "./way.ts";

export interface KillOptions {
  readonly kills: number;
  readonly devices: number;
  /** Values of a device, read ten times a second. */
  readonly values: number;
  /** The same seed kills at the same places. */
  readonly seed: number;
  /** Told after each kill. */
  readonly progress?: (kill: number) => void;
}

export interface KillFigures extends Verdict {
  readonly kills: { readonly edge: number; readonly cloud: number; readonly both: number };
  readonly seconds: number;
}

const victims = { edge: ["edge"], cloud: ["cloud"], both: ["edge", "cloud"] } as const satisfies Record<string, Role[]>;

/** Runs it all; every wait is for something that happened, and the moments come from the seed. */
export async function runKills({ kills, devices, values, seed, progress }: KillOptions): Promise<KillFigures> {
  const began = performance.now();
  const random = randomFrom(seed);
  await using way = await openWay({ devices, values });
  const count = { edge: 0, cloud: 0, both: 0 };
  for (let kill = 1; kill <= kills; kill++) {
    // Every other kill meets a connection, the others whatever is going on.
    if (random() < 0.5) await way.online();
    const goal = way.hear() + Math.floor(random() * devices * 10);
    await eventually(() => way.hear() > goal, LIMIT_MS);
    const victim = (["edge", "cloud", "both"] as const)[Math.floor(random() * 3)] ?? "both";
    count[victim]++;
    await way.kill(...victims[victim]);
    way.start(...victims[victim]);
    progress?.(kill);
  }
  return { kills: count, ...(await way.judge()), seconds: (performance.now() - began) / 1000 };
}

/** Numbers from 0 to 1 that follow from a seed. **Source:** mulberry32, by Tommy Ettinger, public domain. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
