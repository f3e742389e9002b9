import { type Condition, type DeviceStatus, deviceStatus } from "#devices/crd";
import type { DeviceReport, PropertyReport } from "#devices/status";
import { equal, type Value } from "#devices/value";
import type { Verdict } from "./verdict.ts";

/** How the cloud sees a node. */
export type NodeState =
  | "connected"
  /** Lost a moment ago; connections come and go, and nothing is said of it yet. */
  | "brief"
  | "away"
  /** Never seen: nobody joined under that name. */
  | "unknown";

/** All that the status of a device depends on. */
export interface StatusFacts {
  readonly generation: number;
  readonly node: string;
  readonly nodeState: NodeState;
  readonly verdict: Verdict;
  /** The last report of the node that should run it; undefined when there is none yet. */
  readonly report: DeviceReport | undefined;
  /** The last gap in its history within a day; null when there is none, undefined when nobody knows. */
  readonly gap?: LastGap | null | undefined;
  /** The status as it stands. */
  readonly previous: DeviceStatus;
  readonly nowMs: number;
}

/** What the condition `Complete` says of a gap. */
export interface LastGap {
  readonly from: number;
  readonly to: number;
  readonly count?: number | undefined;
  readonly reason: string;
}

type Told = Pick<Condition, "status" | "reason" | "message">;

/** The status of a device, whole. Equal facts give equal statuses, so nothing is written that is there already. */
export function statusOf(facts: StatusFacts): DeviceStatus {
  const { report, previous, verdict, generation, nowMs } = facts;
  const conditions: Readonly<Record<string, Told>> = {
    Accepted: accepted(facts),
    Ready: ready(facts),
    Synced: synced(facts),
    ...(facts.gap === undefined ? {} : { Complete: complete(facts.gap) }),
  };
  const taken = !verdict.ok && verdict.reason === "NameTaken";
  const known = report
    ? {
        observedGeneration: report.generation,
        protocol: report.protocol,
        lastSeen: latest(iso(report.lastSeen), previous.lastSeen),
        link: report.link && { ...report.link, since: new Date(report.link.since).toISOString() },
        identity: report.identity,
        properties: report.properties.map(property),
      }
    : taken
      ? { observedGeneration: generation }
      : { ...previous, conditions: undefined };
  return compact({
    ...known,
    conditions: Object.entries(conditions).map(([type, told]) => {
      // What answers is the device as its node runs it, which may be an older one.
      const about = type === "Ready" ? Math.min(report?.generation ?? generation, generation) : generation;
      return condition(type, told, about, previous, nowMs);
    }),
  });
}

/** Whether two statuses say the same. */
export function same(a: DeviceStatus, b: DeviceStatus): boolean {
  return equal(a as Value, b as Value);
}

/** Whether two statuses differ in their times and counts at most: such a change may wait. */
export function sameButTimes(a: DeviceStatus, b: DeviceStatus): boolean {
  return equal(timeless(a), timeless(b));
}

function timeless({ lastSeen: _, link, properties = [], ...rest }: DeviceStatus): Value {
  const { failures: __, ...lasting } = link ?? {};
  return { ...rest, link: lasting, properties: properties.map(({ at: _, ...property }) => property) } as Value;
}

/** Reads a status that may have been written by anybody. */
export function readStatus(status: unknown): DeviceStatus {
  const { success, data } = deviceStatus.safeParse(status ?? {});
  return success ? data : {};
}

function accepted({ verdict, report, generation }: StatusFacts): Told {
  if (!verdict.ok) return { status: "False", reason: verdict.reason, message: verdict.message };
  // Only the node knows whether it has the driver. What it can not drive has no protocol there.
  if (report?.generation === generation && report.protocol === undefined)
    return { status: "False", reason: report.reason, message: report.message };
  return { status: "True", reason: "Valid", message: "the device can be told to its node" };
}

function ready({ verdict, report, node, nodeState, previous }: StatusFacts): Told {
  if (!verdict.ok && (verdict.reason === "NameTaken" || !report))
    return { status: "False", reason: verdict.reason, message: verdict.message };
  const nobody = absent(node, nodeState);
  if (nobody) return nobody;
  if (report) {
    const { online, reason, message, properties } = report;
    if (online && !verdict.ok) {
      const why = `it runs as it was declared before, because this is not accepted: ${verdict.message}`;
      return { status: "True", reason: "Outdated", message: `${message}; ${why}` };
    }
    const bad = properties.filter(({ quality }) => quality === "bad");
    if (online && bad.length > 0) {
      const which = list(bad.map((property) => `${property.name}: ${property.reason ?? "bad"}`));
      return { status: "True", reason: "PropertiesBad", message: `${message}; these are bad: ${which}` };
    }
    return { status: online ? "True" : reason === "Starting" ? "Unknown" : "False", reason, message };
  }
  const before = nodeState === "brief" ? find(previous, "Ready") : undefined;
  return before ?? { status: "Unknown", reason: "Starting", message: `node ${node} has not reported it yet` };
}

function synced({ verdict, report, node, nodeState, generation, previous }: StatusFacts): Told {
  if (!verdict.ok) return { status: "False", reason: verdict.reason, message: "the spec was not told to the node" };
  const nobody = absent(node, nodeState);
  if (nobody) return nobody;
  if (!report) {
    const before = nodeState === "brief" ? find(previous, "Synced") : undefined;
    return before ?? { status: "Unknown", reason: "Starting", message: `node ${node} has not reported it yet` };
  }
  const refused = report.properties.filter(({ state }) => state === "refused");
  if (refused.length > 0)
    return {
      status: "False",
      reason: "Refused",
      message: list(refused.map((p) => `${p.name}: ${p.refusal ?? "refused"}`)),
    };
  if (report.generation < generation) {
    const message = `node ${node} runs generation ${report.generation}, ${generation} is on its way`;
    return { status: "False", reason: "Pending", message };
  }
  const open = report.properties.filter(({ conflict }) => conflict?.rule === "manual");
  if (open.length > 0)
    return {
      status: "False",
      reason: "Conflict",
      message: `cloud and site differ: ${list(open.map(({ name }) => name))}`,
    };
  if (!report.online && report.properties.length === 0)
    return { status: "Unknown", reason: report.reason, message: "the device does not run" };
  const pending = report.properties.filter(({ state }) => state === "pending").map(({ name }) => name);
  if (pending.length > 0) return { status: "False", reason: "Pending", message: list(pending) };
  return { status: "True", reason: "Applied", message: "everything desired is as it should be" };
}

function complete(gap: LastGap | null): Told {
  if (!gap) return { status: "True", reason: "NoGap", message: "nothing was dropped or missed in the last 24 h" };
  const { from, to, count, reason } = gap;
  const word = reason.replace(/(?:^|[^a-z])+([a-z])/gi, (_, letter: string) => letter.toUpperCase());
  const what = count === undefined ? "" : `, ${count} missing`;
  return { status: "False", reason: word, message: `${reason}: ${iso(from)} to ${iso(to)}${what}` };
}

function absent(node: string, state: NodeState): Told | undefined {
  if (state === "away")
    return { status: "Unknown", reason: "NodeUnreachable", message: `node ${node} is not connected` };
  if (state === "unknown") return { status: "Unknown", reason: "NodeUnknown", message: `no node ${node} ever joined` };
  return undefined;
}

function condition(type: string, told: Told, generation: number, previous: DeviceStatus, nowMs: number): Condition {
  const before = find(previous, type);
  const { status, reason, message } = told;
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : seconds(nowMs);
  return { type, status, reason, message: message.slice(0, 1024), lastTransitionTime, observedGeneration: generation };
}

function find({ conditions = [] }: DeviceStatus, type: string): Condition | undefined {
  return conditions.find((condition) => condition.type === type);
}

function property({ at, until, conflict, ...rest }: PropertyReport) {
  const told = conflict && { ...conflict, at: new Date(conflict.at).toISOString() };
  return compact({ ...rest, at: iso(at), until: iso(until), conflict: told });
}

const MOST_LISTED = 10;

function list(items: readonly string[]): string {
  const more = items.length - MOST_LISTED;
  return items.slice(0, MOST_LISTED).join("; ") + (more > 0 ? `; and ${more} more` : "");
}

function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** Kubernetes writes its own times without milliseconds. */
function seconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

function latest(a: string | undefined, b: string | undefined): string | undefined {
  return a === undefined || (b !== undefined && Date.parse(b) > Date.parse(a)) ? b : a;
}

/** Without what is undefined: JSON has no such thing, and a type that allows it would lie. */
function compact<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as never;
}
