/**
 * Cuts what a node has to say into messages that fit a frame, in order. Sizes are bounds from above, found without
 * encoding: a frame may be smaller than it could be, and is never larger than the other side takes.
 */
import type { DeviceReport, PropertyReport } from "#devices/status";
import { FRAME_LIMIT_BYTES } from "./frame.ts";
import type { EdgeMessage, Grant, Lost, Range, Row } from "./messages.ts";
import type { Layout } from "./pack.ts";

type Message<K extends EdgeMessage["kind"]> = Extract<EdgeMessage, { kind: K }>;

/** What a message takes beside its lists. */
const ENVELOPE_BYTES = 4_096;
const LIMIT_BYTES = FRAME_LIMIT_BYTES - ENVELOPE_BYTES;
const MOST_ROWS = 1_000;
const MOST_GRANTS = 10_000;
/** A report has the state of one device, which a Kubernetes object must be able to hold too. */
const REPORT_LIMIT_BYTES = FRAME_LIMIT_BYTES / 2;

/** The most bytes that a value takes as CBOR. **Source:** RFC 8949, section 3: no head is longer than 9 bytes. */
export function mostBytes(value: unknown): number {
  if (typeof value === "string") return 9 + Buffer.byteLength(value);
  if (typeof value !== "object" || value === null) return 9;
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + mostBytes(item), 9);
  return Object.entries(value).reduce((sum, [key, item]) => sum + mostBytes(key) + mostBytes(item), 9);
}

/** Rows in messages; each message has the layouts that its rows are the first to use. */
export function* packRows(
  rows: Iterable<Row>,
  newLayout: (id: string) => Layout | undefined,
  limitBytes = LIMIT_BYTES,
): Generator<Message<"rows">> {
  let message: { rows: Row[]; layouts: Layout[] } = { rows: [], layouts: [] };
  let bytes = 0;
  for (const row of rows) {
    const layout = row.layout === undefined ? undefined : newLayout(row.layout);
    const more = mostBytes(row) + (layout ? mostBytes(layout) : 0);
    if (message.rows.length > 0 && (bytes + more > limitBytes || message.rows.length >= MOST_ROWS)) {
      yield rowsOf(message);
      [message, bytes] = [{ rows: [], layouts: [] }, 0];
    }
    message.rows.push(row);
    if (layout) message.layouts.push(layout);
    bytes += more;
  }
  if (message.rows.length > 0) yield rowsOf(message);
}

function rowsOf({ rows, layouts }: { rows: Row[]; layouts: Layout[] }): Message<"rows"> {
  return { kind: "rows", rows, ...(layouts.length > 0 ? { layouts } : {}) };
}

/** Grants in messages. */
export function* packGrants(grants: readonly Grant[], limitBytes = LIMIT_BYTES): Generator<Message<"grants">> {
  for (let rest = grants; rest.length > 0; ) {
    const part = rest.slice(0, Math.max(1, fitting(rest.slice(0, MOST_GRANTS), limitBytes)));
    rest = rest.slice(part.length);
    yield { kind: "grants", grants: part };
  }
}

/** Dropped rows in one message, with as many of their devices as fit; the numbers are told in any case. */
export function packMissing(
  dropped: { readonly range: Range; readonly reason: string; readonly lost: readonly Lost[] },
  limitBytes = LIMIT_BYTES,
): Message<"missing"> {
  const { range, reason, lost } = dropped;
  return { kind: "missing", ranges: [range], reason, lost: lost.slice(0, fitting(lost, limitBytes)) };
}

/**
 * A report in a message. What makes it too large is left out, the largest first, and the property says so: its
 * telemetry has the value, or the site.
 */
export function packReport(report: DeviceReport, limitBytes = REPORT_LIMIT_BYTES): Message<"report"> {
  if (mostBytes(report) <= limitBytes) return { kind: "report", report };
  const message = report.message.slice(0, MOST_MESSAGE);
  let excess = mostBytes({ ...report, message }) - limitBytes;
  const properties = [...report.properties];
  const parts = properties
    .flatMap((property, index) => PARTS.map((part) => ({ index, part, bytes: mostBytes(property[part]) })))
    .sort((a, b) => b.bytes - a.bytes);
  for (const { index, part } of parts) {
    if (excess <= 0) break;
    const property = properties[index];
    if (property?.[part] === undefined || property[part] === TOO_LARGE) continue;
    const { [part]: _, ...rest } = property;
    const less = part === "reported" ? { ...rest, reason: TOO_LARGE } : rest;
    const saved = mostBytes(property) - mostBytes(less);
    if (saved <= 0) continue;
    properties[index] = less;
    excess -= saved;
  }
  return { kind: "report", report: { ...report, message, properties } };
}

/** What of a property may be left out. */
const PARTS = ["reported", "desired", "reason", "refusal", "conflict"] as const satisfies (keyof PropertyReport)[];
const MOST_MESSAGE = 4_096;
const TOO_LARGE = "too large to report";

/** How many of the first items fit. */
function fitting(items: readonly unknown[], limitBytes: number): number {
  let bytes = 0;
  const over = items.findIndex((item) => {
    bytes += mostBytes(item);
    return bytes > limitBytes;
  });
  return over < 0 ? items.length : over;
}
