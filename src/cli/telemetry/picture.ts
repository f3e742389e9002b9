import { moment } from "#std/moment";
import { parse } from "#std/schema";
import type { World } from "../world.ts";
import type { CloudClient } from "./cloud.ts";
import type { Bucket } from "./lines.ts";
import { plot } from "./plot.ts";

interface Asked {
  readonly device: string;
  readonly property: string;
  readonly since: string;
  readonly until: string | undefined;
  readonly every: string | undefined;
}

const ROWS = 14;
const MOST_COLUMNS = 80;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Lengths of buckets that people can read off an axis; from a minute on they reach beyond the single values. */
const STEPS = [
  ...[100, 200, 500, SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 20 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE],
  ...[10 * MINUTE, 20 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 168 * HOUR, 720 * HOUR],
];

/** The bucket for a span that gives about two points a column, and never too many. */
export function stepFor(spanMs: number, columns: number): number {
  return STEPS.find((step) => spanMs / step <= columns * 2) ?? 8_760 * HOUR;
}

/** A plot of one property; undefined when it has no numbers. @throws {Fault} `USAGE_INVALID` for times that are none. */
export async function drawn(
  client: CloudClient,
  path: string,
  { device, property, since, until, every }: Asked,
  { clock, out, env, signal }: World,
): Promise<readonly string[] | undefined> {
  const now = clock.now();
  const sinceMs = parse(moment(now), since, "--since", "USAGE_INVALID");
  const untilMs = until === undefined ? now : parse(moment(now), until, "--until", "USAGE_INVALID");
  const columns = Math.min(out.columns, MOST_COLUMNS);
  const step = every ?? `${stepFor(Math.max(1, untilMs - sinceMs), columns)}ms`;
  const question = { property, since: String(sinceMs), until: String(untilMs), every: step };
  const answer = await client.get<{ buckets: readonly Bucket[]; units?: Readonly<Record<string, string>> }>(
    path,
    question,
    signal,
  );
  const points = answer.buckets.flatMap(({ at, avg }) => (avg === undefined ? [] : [{ at, value: avg }]));
  if (points.length === 0) return undefined;
  const unit = answer.units?.[property];
  const title = `${device} ${property}${unit === undefined ? "" : ` in ${unit}`}`;
  return plot(points, { sinceMs, untilMs, columns, rows: ROWS, title, isUnicode: isUnicode(env) });
}

/** Whether the terminal shows more than ASCII, as far as the environment says. **Source:** POSIX.1-2024, chapter 8.2. */
function isUnicode({ LC_ALL, LC_CTYPE, LANG, TERM }: World["env"]): boolean {
  if (TERM === "dumb" || TERM === "linux") return false;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "");
}
