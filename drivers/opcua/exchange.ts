/**
 * What is said with a server, service by service, as JSON: who wants to know why a value is bad reads it in words, and a
 * recording of it is played back by `replay.ts`. It is made when somebody looks, so that what is only kept costs nothing.
 */
import type { Content, Exchange, Point, Raw, Reading, Told } from "#devices/driver";
import { type Value, value } from "#devices/value";
import { Fault, type FaultCode, faults } from "#std/fault";
import { z } from "#std/schema";
import type { OpcuaAddress, OpcuaCommand } from "./schema.ts";

type Points = readonly Pick<Point<OpcuaAddress>, "address">[];

/** Nodes that are named in words. */
const MOST_NAMED = 3;

const code = z.string().transform((text, context): FaultCode => {
  if (Object.hasOwn(faults, text)) return text as FaultCode;
  context.addIssue({ code: "custom", message: "no fault is called so" });
  return z.NEVER;
});
const failure = z.strictObject({ fault: code, message: z.string(), status: z.string().optional() });
/** A raw value: an `integer` is one beyond 2^53. */
const raw = { raw: z.union([z.number(), z.boolean(), z.string()]).optional(), integer: z.string().optional() };
const said = z.union([
  z.strictObject({ ...failure.shape, at: z.number() }),
  z.strictObject({ ...raw, at: z.number(), doubt: z.string().optional() }),
]);
const nodes = z.array(z.string());

/** What is asked. Nodes are written as in the addresses, a part of one as `s=List[0:3]`. */
export const request = z.union([
  z.strictObject({ read: nodes }),
  z.strictObject({ subscribe: nodes }),
  z.strictObject({ write: z.string(), ...raw }),
  z.strictObject({ call: z.string(), object: z.string(), args: z.array(value) }),
]);
/** What is answered, or published. */
export const answer = z.union([
  z.strictObject({ values: z.array(said) }),
  z.strictObject({ publish: nodes, isRead: z.literal(true).optional(), values: z.array(said) }),
  z.strictObject({ done: z.literal(true) }),
  z.strictObject({ result: value }),
  failure,
]);
export type Request = z.output<typeof request>;
export type Answer = z.output<typeof answer>;
type Said = z.output<typeof said>;

/** A node, or a part of it, as the address has it. */
export function nodeOf({ nodeId, index }: Pick<OpcuaAddress, "nodeId" | "index">): string {
  return index === undefined ? nodeId : `${nodeId}[${index}]`;
}

/** What was asked of points. */
export function askedOf(service: "read" | "subscribe", points: Points): Content {
  return { [service]: nodesOf(points) };
}

/** What was said of points, at the same places. */
export function saidOf(readings: readonly Reading[]): Content {
  return { values: readings.map(saidOfReading) };
}

/** What was published, or read because the server has no room to watch it. */
export function publishedOf(points: Points, readings: readonly Reading[], isRead: boolean): Content {
  return { publish: nodesOf(points), ...(isRead ? { isRead } : {}), values: readings.map(saidOfReading) };
}

/** What was to be written. */
export function writtenOf({ address }: Pick<Point<OpcuaAddress>, "address">, raw: Raw): Content {
  return { write: nodeOf(address), ...written(raw) };
}

/** What was called. */
export function calledOf({ object, method }: OpcuaCommand, args: readonly Value[]): Content {
  return { call: method, object, args: [...args] };
}

/** What a server said to a write or a call that it refused. */
export function refusedOf({ code, message, detail: { status } }: Fault): Content {
  return { fault: code, message, ...(typeof status === "string" ? { status } : {}) };
}

/** The reading that was said, at another time. */
export function readingOf(said: Said, at: number): Reading {
  if ("fault" in said) return { ok: false, fault: faultOf(said), at };
  const { doubt } = said;
  return { ok: true, raw: rawOf(said), at, ...(doubt === undefined ? {} : { doubt }) };
}

/** The fault that was said. */
export function faultOf({ fault, message, status }: z.output<typeof failure>): Fault {
  return new Fault(fault, message, status === undefined ? {} : { status });
}

/** A raw value from its JSON. */
export function rawOf({
  raw,
  integer,
}: {
  readonly raw?: Raw | undefined;
  readonly integer?: string | undefined;
}): Raw {
  return integer === undefined ? (raw ?? "") : BigInt(integer);
}

/** What is not good among readings, in words; undefined when all are. */
export function errorOf(points: Points, readings: readonly Reading[]): string | undefined {
  const byStatus = new Map<string, string[]>();
  let bad = 0;
  for (const [i, reading] of readings.entries()) {
    if (reading.ok) continue;
    bad++;
    const { code, detail } = reading.fault;
    const status = String(detail.status ?? code);
    const named = byStatus.get(status) ?? [];
    byStatus.set(status, named);
    const point = points[i];
    if (named.length <= MOST_NAMED && point) named.push(nodeOf(point.address));
  }
  if (bad === 0) return undefined;
  const each = [...byStatus].map(([status, nodes]) => `${status}: ${listOf(nodes)}`);
  return `${bad} of ${readings.length} not good; ${each.join("; ")}`;
}

/** Puts an exchange into words. */
export function tell({ request: asked, answer: got, error }: Exchange): Told {
  return { asked: tellRequest(asked, got), said: got ? tellAnswer(got) : (error ?? "nothing") };
}

function tellRequest(content: Content | undefined, got: Content | undefined): string {
  const { data } = request.safeParse(content);
  if (!data) return tellPublish(got);
  if ("read" in data) return `Read of ${items(data.read)}`;
  if ("subscribe" in data) return `CreateMonitoredItems of ${items(data.subscribe)}`;
  if ("write" in data) return `Write of ${JSON.stringify(data.integer ?? data.raw)} to ${data.write}`;
  return `Call of ${data.call} with ${data.args.length === 0 ? "nothing" : JSON.stringify(data.args).slice(1, -1)}`;
}

function tellPublish(got: Content | undefined): string {
  const { data } = answer.safeParse(got);
  if (!data || !("publish" in data)) return "nothing";
  return data.isRead ? `Read of ${items(data.publish)}, which the server has no room to watch` : "Publish, by itself";
}

function tellAnswer(content: Content): string {
  const { data } = answer.safeParse(content);
  if (!data) return "something else";
  if ("done" in data) return "Good";
  if ("result" in data) return `Good: ${JSON.stringify(data.result)}`;
  if ("fault" in data) return data.status ?? data.message;
  const good = data.values.filter((said) => !("fault" in said)).length;
  const names = "publish" in data ? data.publish : [];
  const some = data.values.slice(0, MOST_NAMED).map((said, i) => tellSaid(said, names[i]));
  const more = data.values.length > MOST_NAMED ? ", …" : "";
  const count = `${data.values.length} ${"publish" in data ? "notification" : "value"}${data.values.length === 1 ? "" : "s"}`;
  return `${count}, ${good === data.values.length ? "all" : good} good: ${some.join(", ")}${more}`;
}

function tellSaid(said: Said, name: string | undefined): string {
  const text = "fault" in said ? (said.status ?? said.fault) : JSON.stringify(said.integer ?? said.raw);
  return `${name === undefined ? "" : `${name} = `}${text}${"doubt" in said && said.doubt ? ` (${said.doubt})` : ""}`;
}

function items(nodes: readonly string[]): string {
  return `${nodes.length} ${nodes.length === 1 ? "item" : "items"}: ${listOf(nodes)}`;
}

function listOf(nodes: readonly string[]): string {
  return `${nodes.slice(0, MOST_NAMED).join(", ")}${nodes.length > MOST_NAMED ? ", …" : ""}`;
}

function nodesOf(points: Points): string[] {
  return points.map(({ address }) => nodeOf(address));
}

function saidOfReading(reading: Reading): { readonly [name: string]: Value } {
  const { at } = reading;
  if (!reading.ok) return { ...(refusedOf(reading.fault) as { readonly [name: string]: Value }), at };
  return { ...written(reading.raw), at, ...(reading.doubt === undefined ? {} : { doubt: reading.doubt }) };
}

function written(raw: Raw): { readonly [name: string]: Value } {
  return typeof raw === "bigint" ? { integer: raw.toString() } : { raw };
}
