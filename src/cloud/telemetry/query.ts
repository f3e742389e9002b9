import { duration } from "#std/duration";
import { Fault } from "#std/fault";
import { moment } from "#std/moment";
import { parse, z } from "#std/schema";

const DEFAULT_MS = 3_600_000;
const MOST_ROWS = 10_000;
/** Buckets of one property in one answer. */
const MOST_BUCKETS = 20_000;

const list = z.union([z.string(), z.array(z.string())]).transform((given) =>
  [given]
    .flat()
    .flatMap((text) => text.split(","))
    .filter((name) => name !== ""),
);
const flag = z.enum(["true", "false"]).transform((text) => text === "true");
const whole = z.coerce.number().int();

function schema(nowMs: number) {
  return z.strictObject({
    property: list.optional(),
    since: moment(nowMs).default(nowMs - DEFAULT_MS),
    until: moment(nowMs).default(nowMs),
    every: duration(1).optional(),
    limit: whole.min(1).max(MOST_ROWS).default(1_000),
    format: z.enum(["json", "csv"]).default("json"),
    follow: flag.default(false),
  });
}

/** What somebody wants to know of a device's telemetry. */
export interface TelemetryQuestion {
  /** None are all. */
  readonly properties: readonly string[];
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly everyMs: number | undefined;
  readonly limit: number;
  readonly format: "json" | "csv";
  readonly follow: boolean;
}

/** Reads the parameters of a query. @throws {Fault} `MESSAGE_INVALID` naming every wrong one. */
export function parseQuestion(query: unknown, nowMs: number): TelemetryQuestion {
  const found = parse(schema(nowMs), query, "the query", "MESSAGE_INVALID");
  const { property = [], since, until, every, limit, format, follow } = found;
  const wrong = [
    ...(since > until ? [{ path: "since", message: "is after until" }] : []),
    ...(every !== undefined && (until - since) / every > MOST_BUCKETS
      ? [{ path: "every", message: `makes more than ${MOST_BUCKETS} buckets` }]
      : []),
    ...(follow && every !== undefined ? [{ path: "every", message: "does not go with follow" }] : []),
    ...(follow && format === "csv" ? [{ path: "format", message: "follow tells JSON lines only" }] : []),
  ];
  if (wrong.length > 0) {
    const text = wrong.map(({ path, message }) => `${path}: ${message}`).join("; ");
    throw new Fault("MESSAGE_INVALID", `the query: ${text}`, { problems: wrong });
  }
  return { properties: property, sinceMs: since, untilMs: until, everyMs: every, limit, format, follow };
}

/** Reads the parameters of a question about gaps. @throws {Fault} `MESSAGE_INVALID` naming every wrong one. */
export function parseGapQuestion(query: unknown, nowMs: number) {
  const gaps = z.strictObject({
    namespace: z.string().optional(),
    device: z.string().optional(),
    since: moment(nowMs).default(0),
    limit: whole.min(1).max(MOST_ROWS).default(1_000),
  });
  const { since: sinceMs, ...rest } = parse(gaps, query, "the query", "MESSAGE_INVALID");
  return { ...rest, sinceMs };
}

/** Reads the parameters of a check. @throws {Fault} `MESSAGE_INVALID` naming every wrong one. */
export function parseCheck(query: unknown, nowMs: number): { readonly sinceMs: number; readonly untilMs: number } {
  const check = z.strictObject({ since: moment(nowMs).default(0), until: moment(nowMs).default(nowMs) });
  const { since: sinceMs, until: untilMs } = parse(check, query, "the query", "MESSAGE_INVALID");
  return { sinceMs, untilMs };
}
