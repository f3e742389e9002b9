/** More than the way can take: the cloud is away, the room for what waits is small, and perhaps the disk is slow. */

import { eventually } from "./eventually.ts";
import { compileShim, openShim } from "./faults/shim.ts";
import { folder } from "./folder.ts";
import { openWay } from "./way.ts";

export interface Overload {
  readonly devices: number;
  readonly seconds: number;
  /** How long each sync of the edge's disk takes. */
  readonly syncMs?: number;
}

export interface OverloadFigures {
  /** Rows, of 100 values each, that were accepted while the cloud was away. */
  readonly rowsPerSecond: number;
  /** Resident memory of the edge at the end of the outage, and the most at any look. */
  readonly rssMiB: number;
  readonly peakMiB: number;
  /** Age of the oldest twin at the end of the outage. */
  readonly oldestMs: number;
  readonly committed: number;
  readonly kept: number;
  /** What the ledger says was dropped for want of room. */
  readonly dropped: number;
  /** Rows that were accepted, are not in the cloud, and are not dropped by the ledger; rows that came twice; holes. */
  readonly unaccounted: number;
  readonly doubled: number;
  readonly unexplained: number;
}

const MIB = 2 ** 20;
const LOOK_MS = 500;
const LIMIT_MS = 120_000;

export async function runOverload({ devices, seconds, syncMs = 0 }: Overload): Promise<OverloadFigures> {
  using dir = folder();
  if (syncMs > 0) compileShim(dir.path);
  const shim = syncMs > 0 ? openShim(dir.path, "edge") : undefined;
  await using way = await openWay({
    devices,
    values: 100,
    outbox: { limitMiB: 1 },
    env: shim ? { edge: shim.env } : {},
  });
  await way.online();
  await eventually(async () => (await way.state()).oldestMs < 1_000, LIMIT_MS);
  await way.kill("cloud");
  shim?.set({ op: "sync", match: ".db", action: "delay", delayMs: syncMs });
  const [before, began] = [way.hear(), performance.now()];
  let peak = 0;
  let looked = began;
  await eventually(async () => {
    if (performance.now() - looked < LOOK_MS) return false;
    looked = performance.now();
    peak = Math.max(peak, (await way.state()).rss);
    return looked - began > seconds * 1000;
  }, LIMIT_MS);
  const { rss, oldestMs } = await way.state();
  const rowsPerSecond = ((way.hear() - before) * 1000) / (performance.now() - began);
  shim?.set();
  way.start("cloud");
  const { committed, kept, missing, doubled, unexplained, lost, tooMuch } = await way.judge();
  const dropped = (lost["size limit"] ?? 0) - tooMuch;
  return {
    ...{ rowsPerSecond, rssMiB: rss / MIB, peakMiB: peak / MIB, oldestMs, committed, kept, dropped },
    ...{ unaccounted: missing - dropped, doubled, unexplained },
  };
}
