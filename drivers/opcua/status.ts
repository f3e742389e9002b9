import type { Reading } from "#devices/driver";
import { Fault, type FaultCode } from "#std/fault";
import type { DataValueLike, StatusLike } from "./types.ts";
import { rawOf } from "./value.ts";

/** The two highest bits. **Source:** OPC 10000-4 v1.05, §7.39.1, table 174. */
export type Severity = "good" | "uncertain" | "bad";

export function severityOf({ value }: StatusLike): Severity {
  const top = value >>> 30;
  return top === 0 ? "good" : top === 1 ? "uncertain" : "bad";
}

/**
 * Whether the server's queue of an item was full, so that values before this one were dropped.
 *
 * **Source:** OPC 10000-4 v1.05, §7.39.1, table 175 (info type `DataValue`, bit `Overflow`).
 */
export function isOverflow({ value }: StatusLike): boolean {
  return (value & 0x480) === 0x480;
}

/** The device behind the server is silent, or the server has not heard it yet: asking again may help. */
const silent = new Set([
  "BadNoCommunication",
  "BadCommunicationError",
  "BadNotConnected",
  "BadTimeout",
  "BadRequestTimeout",
  "BadWaitingForInitialData",
  "BadWaitingForResponse",
  "BadNoData",
]);
/** The server had no time or room for this request. */
const busy = new Set(["BadTooManyOperations", "BadServerTooBusy", "BadOutOfMemory", "BadResourceUnavailable"]);
/** What was written is not what the node takes. */
const unfit = new Set(["BadTypeMismatch", "BadOutOfRange", "BadInvalidArgument", "BadDataTypeIdUnknown"]);
/** The session or the channel is gone, whatever was asked. **Source:** OPC 10000-4 v1.05, §7.39.2, table 177. */
const gone = new Set([
  "BadSessionIdInvalid",
  "BadSessionClosed",
  "BadSessionNotActivated",
  "BadSecureChannelClosed",
  "BadSecureChannelIdInvalid",
  "BadSecureChannelTokenUnknown",
  "BadConnectionClosed",
  "BadServerHalted",
  "BadShutdown",
  "BadUnexpectedError",
]);

/** Whether a status of a whole call says that the link has to be opened anew. */
export function isGone(name: string): boolean {
  return gone.has(name);
}

/** The fault that a bad status code of one node is. @param what - what was asked, such as `ns=2;s=Temp`. */
export function faultOf(status: StatusLike, what: string, verb: "reading" | "writing" | "calling" = "reading"): Fault {
  return new Fault(codeOf(status, verb), `${what}: the server says ${clean(status)}`, { status: clean(status) });
}

function codeOf(status: StatusLike, verb: string): FaultCode {
  const name = clean(status);
  if (silent.has(name)) return "DEVICE_TIMEOUT";
  if (busy.has(name)) return "OVERLOADED";
  if (verb !== "reading" && unfit.has(name)) return "VALUE_INVALID";
  if (name === "BadDecodingError" || name === "BadDataEncodingInvalid") return "ANSWER_INVALID";
  return "DEVICE_REFUSED";
}

/** A node, or a part of its value, as an address has it. */
export interface Part {
  readonly nodeId: string;
  readonly index?: string | undefined;
}

/**
 * What one answer says. The status code decides the quality; the source's time is kept, else the server's, else ours.
 *
 * **Source:** OPC 10000-4 v1.05, §7.11 (DataValue).
 */
export function readingOf(data: DataValueLike, { nodeId, index }: Part, now: number): Reading {
  const at = timeOf(data.sourceTimestamp) ?? timeOf(data.serverTimestamp) ?? now;
  const severity = severityOf(data.statusCode);
  if (severity === "bad") return { ok: false, fault: faultOf(data.statusCode, nodeId), at };
  const raw = rawOf(data.value ?? undefined, index !== undefined && !index.includes(":"));
  if (raw instanceof Fault) return { ok: false, fault: new Fault(raw.code, `${nodeId}: ${raw.message}`), at };
  return severity === "good" ? { ok: true, raw, at } : { ok: true, raw, at, doubt: clean(data.statusCode) };
}

/** Symbolic name alone: the stack appends info bits such as `GoodOverflow#SemanticChanged`. */
function clean({ name, value }: StatusLike): string {
  const plain = /^[A-Za-z]\w*/.exec(name ?? "")?.[0];
  return plain ?? `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}

/** The first moment that the format knows, in 1601, stands for "no time". */
function timeOf(time: Date | null | undefined): number | undefined {
  const ms = time?.getTime();
  return ms !== undefined && ms > 0 ? ms : undefined;
}
