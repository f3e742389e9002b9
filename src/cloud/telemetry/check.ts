import type { Gap } from "./ledger.ts";

/** A kept message as far as its numbers go. */
export interface Numbered {
  readonly node: string;
  readonly epoch: string;
  /** Number of its row in the node's outbox. */
  readonly row: number;
  /** Number among the messages of its device. */
  readonly seq: number;
  readonly at: number;
}

/** A gap as the ledger has it, with the rows that it is of. */
export type Excuse = Gap & {
  readonly node: string;
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
};

/** Numbers from..to of a device that are not there, and the times of their neighbours. */
export interface Hole {
  readonly node: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
  readonly after: number;
  readonly before: number;
  /** Reason in the ledger; undefined when it has none, which must not be. */
  readonly reason: string | undefined;
}

export interface Findings {
  readonly checked: number;
  /** Numbers that are there twice. */
  readonly doubled: number;
  readonly holes: readonly Hole[];
}

/** Reasons that take numbers along. The others are times at which nothing was read, so no number was given. */
const LOSSES = new Set(["size limit", "age limit", "disk full", "disk failed"]);
/** A disk that took nothing had no rows to give numbers to, so the times count. */
const BY_TIME = new Set(["disk full", "disk failed"]);

/**
 * Compares the numbers of a device's messages with the ledger. A number that goes back begins a new count: the device
 * was removed and declared again.
 */
export function check(messages: readonly Numbered[], excuses: readonly Excuse[]): Findings {
  const sorted = messages.toSorted((a, b) => compare(a.node, b.node) || compare(a.epoch, b.epoch) || a.row - b.row);
  const holes: Hole[] = [];
  let doubled = 0;
  for (const [i, now] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before?.node !== now.node || before.epoch !== now.epoch) continue;
    if (now.row === before.row || (now.seq === before.seq && now.at === before.at)) doubled++;
    if (now.seq <= before.seq + 1) continue;
    const missing = now.seq - before.seq - 1;
    const found = excuses.filter((it) => LOSSES.has(it.reason) && isBetween(it, before, now));
    const known = found.reduce((sum, { count = 0 }) => sum + count, 0);
    const reason = known >= missing ? found[0]?.reason : undefined;
    const { node, epoch } = now;
    holes.push({ node, epoch, from: before.seq + 1, to: now.seq - 1, after: before.at, before: now.at, reason });
  }
  return { checked: sorted.length, doubled, holes };
}

/** A limit says which rows went. */
function isBetween({ node, epoch, first, last, from, to, reason }: Excuse, a: Numbered, b: Numbered): boolean {
  if (node !== a.node || epoch !== a.epoch) return false;
  if (BY_TIME.has(reason)) return to >= a.at && from <= b.at;
  return last > a.row && first < b.row;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
