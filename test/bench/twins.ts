/** Wishes accepted per second: each is on disk before it is answered. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expand } from "#devices/expand";
import { drivers } from "#drivers/index";
import { openStore } from "#edge/store";
import { Twins } from "#edge/twins";
import { systemClock } from "#std/clock";
import { silent } from "#std/log";

export interface TwinFigures {
  /** With this many callers at once, who share commits. */
  readonly callers: number;
  readonly perSecond: number;
}

/** Wishes per second with one caller and with many, on a file of its own. */
export async function benchTwins(): Promise<readonly TwinFigures[]> {
  const dataDir = mkdtempSync(join(tmpdir(), "skerry-bench-"));
  try {
    using store = openStore(dataDir, silent);
    const nobody = { desired() {}, reported() {}, health() {}, known() {}, left() {}, gone() {} };
    const twins = new Twins(store.db, systemClock, nobody);
    const declared = declaration();
    const driver = await drivers.virtual?.();
    if (!driver) throw new Error("the virtual driver is gone");
    twins.declare(declared, expand(declared, driver));
    const figures: TwinFigures[] = [];
    for (const [callers, rounds] of [
      [1, 2_000],
      [64, 400],
      [512, 80],
    ] as const) {
      const began = performance.now();
      await Promise.all(
        Array.from({ length: callers }, async (_, caller) => {
          for (let round = 0; round < rounds; round++) await twins.desire("bench", `p${caller}`, round);
        }),
      );
      figures.push({ callers, perSecond: (callers * rounds * 1000) / (performance.now() - began) });
    }
    return figures;
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

function declaration() {
  const properties = Array.from({ length: 512 }, (_, i) => ({
    name: `p${i}`,
    type: "number",
    access: "readwrite",
    address: { memory: 0 },
  }));
  return {
    namespace: "default",
    name: "bench",
    uid: "bench",
    generation: 1,
    modelGeneration: 1,
    spec: { model: "bench", node: "bench" },
    model: { protocol: "virtual", properties },
  };
}
