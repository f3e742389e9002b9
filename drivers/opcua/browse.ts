/** What is in a server, as a stream of nodes: for people who choose, and for `model.ts`, which makes a DeviceModel of it. */
import { type Line, VALUE } from "./line.ts";
import { tellNodeId } from "./node-id.ts";
import { fromStack, nodeOf, pieces } from "./plan.ts";
import type { NodeId, ReferenceDescription } from "./stack.ts";
import { readingOf } from "./status.ts";
import { type DataValueLike, nameOfType } from "./types.ts";

/** One node, as it was found. */
export interface Found {
  /** Names from the start, such as `Boiler/Temperature`. */
  readonly path: string;
  /** With the namespace by its URI, as an address of a model wants it. */
  readonly nodeId: string;
  readonly class: "object" | "variable" | "method";
  /** Built-in type of a variable, with `[]` for each dimension: `Double`, `Int32[]`. */
  readonly type?: string;
  readonly access?: "read" | "write" | "readwrite" | "none";
  /** What it says now, as text; absent when it can not be read. */
  readonly value?: string;
}

export interface BrowseOptions {
  /** Node id to begin at. @default the folder Objects */
  readonly from?: string;
  /** Levels below the start. @default 8 */
  readonly depth?: number;
  /** Nodes at most; a tree without end is cut there. @default 100,000 */
  readonly limit?: number;
}

const OBJECTS = "i=85";
/** **Source:** OPC 10000-4 v1.05, §7.5 (BrowseDirection) and §5.9.2 (masks); OPC 10000-6 annex A.3 for the ids. */
const FORWARD = 0;
const HIERARCHICAL = "i=33";
const ALL_FIELDS = 63;
const classes = { 1: "object", 2: "variable", 4: "method" } as const;
const CLASS_MASK = 1 | 2 | 4;
const DATA_TYPE = 14;
const VALUE_RANK = 15;
const USER_ACCESS = 18;
const LONGEST_VALUE = 120;

interface Place {
  readonly path: string;
  readonly node: NodeId;
  readonly class: Found["class"];
}

/** Walks a server level by level. Each node comes once, at the shortest of its paths. */
export async function* browseLine(
  line: Line,
  { from = OBJECTS, depth = 8, limit = 100_000 }: BrowseOptions,
  signal: AbortSignal,
): AsyncGenerator<Found, void, void> {
  const start = nodeOf(line, {}, from);
  const seen = new Set([start.toString()]);
  let level: readonly Place[] = [{ path: "", node: start, class: "object" }];
  for (let deep = 0; deep < depth && level.length > 0; deep++) {
    const next: Place[] = [];
    for (const batch of pieces(level, () => line.limits.perBrowse)) {
      const found = await childrenOf(line, batch, signal);
      const fresh = found.filter(({ node }) => seen.size < limit && seen.size < seen.add(node.toString()).size);
      for await (const one of describe(line, fresh, signal)) yield one;
      next.push(...fresh.filter((place) => place.class !== "method"));
    }
    level = next;
  }
}

async function childrenOf(line: Line, batch: readonly Place[], signal: AbortSignal): Promise<readonly Place[]> {
  const request = batch.map(({ node }) => ({
    nodeId: node,
    referenceTypeId: HIERARCHICAL,
    includeSubtypes: true,
    browseDirection: FORWARD as number,
    nodeClassMask: CLASS_MASK,
    resultMask: ALL_FIELDS,
  }));
  const answers = await line.ask(() => line.session.browse(request), signal);
  const found: Place[] = [];
  for (const [i, { path }] of batch.entries()) {
    let answer = answers[i];
    while (answer) {
      found.push(...(answer.references ?? []).flatMap((reference) => placeOf(reference, path)));
      const { continuationPoint } = answer;
      if (!continuationPoint || continuationPoint.length === 0) break;
      answer = await line.ask(() => line.session.browseNext(continuationPoint, false), signal);
    }
  }
  return found;
}

function placeOf({ nodeId, browseName, nodeClass }: ReferenceDescription, above: string): Place[] {
  const name = browseName.name ?? "";
  const kind = classes[nodeClass as keyof typeof classes];
  // Nodes of other servers are not ours to read.
  if (!kind || nodeId.serverIndex > 0) return [];
  return [{ path: above === "" ? name : `${above}/${name}`, node: nodeId, class: kind }];
}

async function* describe(line: Line, places: readonly Place[], signal: AbortSignal): AsyncGenerator<Found> {
  const attributes = [DATA_TYPE, VALUE_RANK, USER_ACCESS, VALUE];
  for (const batch of pieces(places, () => Math.max(1, Math.floor(line.limits.perRead / attributes.length)))) {
    const variables = batch.filter((place) => place.class === "variable");
    const asked = variables.flatMap(({ node }) => attributes.map((attributeId) => ({ nodeId: node, attributeId })));
    const flat: DataValueLike[] = [];
    for (const some of pieces(asked, () => line.limits.perRead))
      flat.push(...(await line.ask(() => line.session.read([...some]), signal)));
    for (const place of batch) {
      const nodeId = tellNodeId(fromStack(place.node), line.namespaces);
      const base = { path: place.path, nodeId, class: place.class };
      const at = variables.indexOf(place) * attributes.length;
      if (at < 0) yield base;
      else {
        const [type, rank, access, value] = flat.slice(at, at + attributes.length);
        const text = value && shown(readingOf(value, { nodeId }, 0));
        yield {
          ...base,
          type: await typeOf(line, type?.value?.value as NodeId, Number(rank?.value?.value ?? -1), signal),
          access: accessOf(Number(access?.value?.value ?? 0)),
          ...(text === undefined ? {} : { value: text }),
        };
      }
    }
  }
}

/** Basic types of the types that a server made up; asked once per session. */
const knownTypes = new WeakMap<Line, Map<string, number>>();

async function typeOf(line: Line, typeId: NodeId | undefined, rank: number, signal: AbortSignal): Promise<string> {
  if (!typeId) return "unknown";
  const known = knownTypes.get(line) ?? new Map<string, number>();
  knownTypes.set(line, known);
  const key = typeId.toString();
  const basic = known.get(key) ?? (await line.ask(() => line.stack.findBasicDataType(line.session, typeId), signal));
  known.set(key, basic);
  const found = nameOfType(basic) ?? "Variant";
  return `${found}${"[]".repeat(Math.max(0, rank))}`;
}

/** **Source:** OPC 10000-3 v1.05, §8.57 (AccessLevelType: bit 0 read, bit 1 write). */
export function accessOf(level: number): NonNullable<Found["access"]> {
  return (["none", "read", "write", "readwrite"] as const)[level & 3] ?? "none";
}

function shown(reading: ReturnType<typeof readingOf>): string | undefined {
  if (!reading.ok) return undefined;
  const text = String(reading.raw);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE - 1)}…` : text;
}
