import type { Point, Raw } from "#devices/driver";
import { Fault } from "#std/fault";
import { variantOf, type Wanted } from "./encode.ts";
import { type Line, VALUE } from "./line.ts";
import type { Item } from "./plan.ts";
import type { OpcuaAddress } from "./schema.ts";
import type { NodeId, Variant } from "./stack.ts";
import { faultOf, severityOf } from "./status.ts";
import { nameOfType, type VariantLike } from "./types.ts";

/** The attributes that say what a node takes. **Source:** OPC 10000-6 v1.05, annex A.1. */
const DATA_TYPE = 14;
const VALUE_RANK = 15;

/** What a node takes, with the node of its type, for structures. */
export interface Target extends Wanted {
  readonly typeId: NodeId;
}

/** Asks a node what it takes. @throws {Fault} when it does not exist or is no variable. */
export async function targetOf(
  line: Line,
  nodeId: NodeId,
  { nodeId: name }: OpcuaAddress,
  signal: AbortSignal,
): Promise<Target> {
  const [type, rank] = await line.ask(
    () => line.session.read([DATA_TYPE, VALUE_RANK].map((attributeId) => ({ nodeId, attributeId }))),
    signal,
  );
  for (const answer of [type, rank])
    if (answer && severityOf(answer.statusCode) === "bad") throw faultOf(answer.statusCode, name, "writing");
  const typeId = type?.value.value as NodeId;
  const basic = await line.ask(() => line.stack.findBasicDataType(line.session, typeId), signal);
  return { type: nameOfType(basic) ?? "Variant", rank: Number(rank?.value.value ?? -1), typeId };
}

/**
 * Writes one item; resolves when the server has said Good.
 * @throws {Fault} `VALUE_INVALID` when the value does not fit, `DEVICE_REFUSED` when the server says no.
 */
export async function writeItem(
  line: Line,
  { node, point }: Item,
  raw: Raw,
  target: (node: NodeId, signal: AbortSignal) => Promise<Target>,
  signal: AbortSignal,
): Promise<void> {
  if (node instanceof Fault) throw node;
  const { index, type, nodeId: name } = point.address;
  const found = await target(node, signal);
  // An element of a list is written as a list of one, a range as a list. **Source:** OPC 10000-4 v1.05, §7.27.
  const wanted = { ...found, ...(type ? { type } : {}), ...(index === undefined ? {} : { rank: 1 }) };
  const value = await encoded(line, point, asList(raw, index), wanted, signal);
  const request = {
    nodeId: node,
    attributeId: VALUE,
    value: { value },
    ...(index === undefined ? {} : { indexRange: index as never }),
  };
  const status = await line.ask(() => line.session.write(request), signal);
  if (severityOf(status) !== "good") throw faultOf(status, name, "writing");
}

async function encoded(
  line: Line,
  { property }: Point<OpcuaAddress>,
  raw: Raw,
  { typeId, ...wanted }: Target,
  signal: AbortSignal,
): Promise<Variant> {
  if (wanted.type !== "ExtensionObject") return toVariant(line, variantOf(raw, wanted));
  const fields = objectOf(raw);
  if (!fields || wanted.rank !== -1)
    throw new Fault("VALUE_INVALID", `${property} takes one structure, as a JSON object`);
  try {
    const value = await line.ask(() => line.session.constructExtensionObject(typeId, fields), signal);
    return toVariant(line, { dataType: 22, arrayType: 0, value });
  } catch (cause) {
    if (signal.aborted || Fault.is(cause, "LINK_LOST")) throw cause;
    throw new Fault("VALUE_INVALID", `${property}: the structure can not be built from these fields`, { cause });
  }
}

/** Our variant as the stack's. */
export function toVariant({ stack }: Line, { dimensions, ...variant }: VariantLike): Variant {
  return new stack.Variant({ ...variant, ...(dimensions ? { dimensions: [...dimensions] } : {}) });
}

function asList(raw: Raw, index: string | undefined): Raw {
  if (index === undefined || (typeof raw === "string" && raw.trimStart().startsWith("["))) return raw;
  return JSON.stringify([typeof raw === "bigint" ? raw.toString() : raw]);
}

function objectOf(raw: Raw): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(String(raw));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
