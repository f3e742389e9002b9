import type { Point } from "#devices/driver";
import { Fault } from "#std/fault";
import { parseNodeId, type ResolvedId, resolveNodeId } from "./node-id.ts";
import type { OpcuaAddress, OpcuaStation } from "./schema.ts";
import type { NodeId, Stack } from "./stack.ts";

/** A point whose node is known in this session, or why it is not. */
export interface Item {
  readonly point: Point<OpcuaAddress>;
  readonly node: NodeId | Fault;
}

/** The numbers of the kinds in the stack. **Source:** OPC 10000-6 v1.05, §5.2.2.9. */
const kinds = { i: 1, s: 2, g: 3, b: 4 } as const;

/** Resolves a point once per session; the namespaces of a session do not change. */
export function itemOf(place: Place, station: OpcuaStation, point: Point<OpcuaAddress>): Item {
  try {
    return { point, node: nodeOf(place, station, point.address.nodeId) };
  } catch (error) {
    if (Fault.is(error)) return { point, node: error };
    throw error;
  }
}

/** What a node id is resolved in. */
export interface Place {
  readonly stack: Stack;
  readonly namespaces: readonly string[];
}

/** Finds a node as people write it. @throws {Fault} `DEVICE_REFUSED` when the server does not know its namespace. */
export function nodeOf(
  { stack, namespaces }: Place,
  { namespaceUri }: Pick<OpcuaStation, "namespaceUri">,
  nodeId: string,
): NodeId {
  const parsed = parseNodeId(nodeId);
  if (!parsed) throw new Fault("DEVICE_REFUSED", `${nodeId} is no node id`);
  return toStack(stack, resolveNodeId(parsed, namespaces, namespaceUri));
}

/** A node id as the stack wants it. */
function toStack({ NodeId }: Stack, { index, kind, id }: ResolvedId): NodeId {
  const value = kind === "i" ? Number(id) : kind === "b" ? Buffer.from(id, "base64") : id;
  return new NodeId(kinds[kind], value, index);
}

/** A node id of the stack in our words. */
export function fromStack({ identifierType, namespace, value }: NodeId): ResolvedId {
  const kind = (["i", "s", "g", "b"] as const)[identifierType - 1] ?? "i";
  const id = Buffer.isBuffer(value) ? value.toString("base64") : String(value);
  return { index: namespace, kind, id };
}

/** Cuts a list into pieces of at most `size`. */
export function* pieces<T>(list: readonly T[], size: () => number): Generator<readonly T[]> {
  for (let from = 0; from < list.length; ) {
    const piece = list.slice(from, from + size());
    from += piece.length;
    yield piece;
  }
}
