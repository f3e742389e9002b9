import type { Value } from "#devices/value";
import type { Bucket } from "./buckets.ts";
import { isBackfill, type Kept } from "./sink.ts";

/** A message as the API tells it. */
export interface Message {
  readonly at: number;
  /** Number of the message among those of its device. */
  readonly seq: number;
  readonly values: Readonly<Record<string, Value>>;
  /** Why values are not good. */
  readonly bad?: Readonly<Record<string, string>>;
  /** It came over a minute after its time. */
  readonly backfill?: true;
}

/** A kept message as the API tells it; undefined when none of the properties are in it. */
export function messageOf(kept: Kept, properties: readonly string[]): Message | undefined {
  if (typeof kept.body !== "object" || kept.body === null) return undefined;
  const { seq = 0, values = {}, bad = {} } = kept.body as Partial<Message>;
  const late = isBackfill(kept) ? ({ backfill: true } as const) : {};
  const chosen = only(values, properties);
  const doubted = only(bad, properties);
  const isEmpty = Object.keys(chosen).length + Object.keys(doubted).length === 0;
  if (isEmpty) return undefined;
  return { at: kept.at, seq, values: chosen, ...(Object.keys(doubted).length > 0 ? { bad: doubted } : {}), ...late };
}

function only<T>(all: Readonly<Record<string, T>>, properties: readonly string[]): Readonly<Record<string, T>> {
  if (properties.length === 0) return all;
  return Object.fromEntries(properties.flatMap((name) => (Object.hasOwn(all, name) ? [[name, all[name] as T]] : [])));
}

/** Messages as CSV, a line for each value. **Source:** RFC 4180. */
export function messagesCsv(messages: readonly Message[]): string {
  const lines = messages.flatMap(({ at, seq, values, bad = {}, backfill = false }) => {
    const names = [...new Set([...Object.keys(values), ...Object.keys(bad)])];
    return names.map((name) => [iso(at), seq, name, values[name], bad[name] ?? "good", backfill]);
  });
  return csv(["time", "seq", "property", "value", "quality", "backfill"], lines);
}

/** Buckets as CSV. */
export function bucketsCsv(buckets: readonly Bucket[]): string {
  const lines = buckets.map(({ at, property, min, max, avg, count, last }) => [
    ...[iso(at), property, min, max, avg, count, last],
  ]);
  return csv(["time", "property", "min", "max", "avg", "count", "last"], lines);
}

function csv(head: readonly string[], lines: readonly (readonly unknown[])[]): string {
  return [head, ...lines].map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
