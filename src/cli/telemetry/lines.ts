import type { Value } from "#devices/value";
import { showValue } from "../devices/lines.ts";
import { age, table } from "../table.ts";

/** A message as the cloud tells it. */
export interface Message {
  readonly at: number;
  readonly seq: number;
  readonly values: Readonly<Record<string, Value>>;
  readonly bad?: Readonly<Record<string, string>>;
  readonly backfill?: true;
}

/** A bucket as the cloud tells it. */
export interface Bucket {
  readonly at: number;
  readonly property: string;
  readonly min?: number;
  readonly max?: number;
  readonly avg?: number;
  readonly count: number;
  readonly last: Value;
}

/** A gap as the cloud tells it. */
export interface Gap {
  readonly node: string;
  readonly namespace: string;
  readonly device: string;
  readonly from: number;
  readonly to: number;
  readonly count?: number;
  readonly reason: string;
}

const HEAD = ["TIME", "PROPERTY", "VALUE", "QUALITY"];

/** One line for each value. */
export function messageLines(messages: readonly Message[]): readonly string[] {
  const rows = messages.flatMap(messageRows);
  return rows.length === 0 ? ["no telemetry in this time"] : table(HEAD, rows);
}

/** The cells of each value of a message. */
export function messageRows({ at, values, bad = {}, backfill }: Message): readonly (readonly string[])[] {
  return [...new Set([...Object.keys(values), ...Object.keys(bad)])].map((name) => [
    iso(at),
    name,
    showValue(values[name]),
    `${bad[name] ?? "good"}${backfill ? ", came late" : ""}`,
  ]);
}

/** One line for each bucket. */
export function bucketLines(buckets: readonly Bucket[]): readonly string[] {
  if (buckets.length === 0) return ["no telemetry in this time"];
  return table(
    ["FROM", "PROPERTY", "MIN", "AVG", "MAX", "COUNT", "LAST"],
    buckets.map(({ at, property, min, avg, max, count, last }) => [
      ...[iso(at), property, showValue(min), showValue(avg), showValue(max), String(count), showValue(last)],
    ]),
  );
}

/** One line for each gap. */
export function gapLines(gaps: readonly Gap[]): readonly string[] {
  if (gaps.length === 0) return ["no gaps: nothing was dropped or missed"];
  return table(
    ["DEVICE", "NODE", "FROM", "TO", "LENGTH", "MISSING", "REASON"],
    gaps.map(({ device, node, from, to, count, reason }) => [
      device === "" ? "(not told)" : device,
      node,
      iso(from),
      iso(to),
      age(to - from),
      count === undefined ? "-" : String(count),
      reason,
    ]),
  );
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
