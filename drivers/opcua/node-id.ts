/**
 * Node ids as people write them: `ns=2;s=Boiler.Temp` by index, `nsu=http://example.org/plant;s=Boiler.Temp` by the URI
 * of the namespace, which stays true when a server numbers its namespaces anew, or `s=Boiler.Temp` in the namespace of
 * the station.
 */
import { Fault } from "#std/fault";

/** What the part behind the namespace is. */
export type IdKind = "i" | "s" | "g" | "b";

/** A node id, with its namespace as it was written. */
export interface NodeAddress {
  /** Absent: the station's namespace, or that of the standard itself. */
  readonly namespace?: { readonly index: number } | { readonly uri: string };
  readonly kind: IdKind;
  /** A number for `i`, otherwise text: any, a GUID, or base64. */
  readonly id: string;
}

/** A node id in the numbering of one session of one server. */
export interface ResolvedId {
  readonly index: number;
  readonly kind: IdKind;
  readonly id: string;
}

const pattern = /^(?:ns=(?<index>\d{1,5});|nsu=(?<uri>[^;]+);)?(?<kind>[isgb])=(?<id>.+)$/s;
const MOST_CHARACTERS = 4096;

const shapes: Readonly<Record<IdKind, (id: string) => boolean>> = {
  i: (id) => /^\d{1,10}$/.test(id) && Number(id) <= 0xffffffff,
  s: () => true,
  g: (id) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id),
  b: (id) => /^[A-Za-z\d+/]+={0,2}$/.test(id) && id.length % 4 === 0,
};

/**
 * Parses a node id; undefined when the text is none. In the URI, `%` and `;` are written `%25` and `%3B`.
 *
 * **Source:** OPC 10000-6 v1.05, §5.1.12 (string form of NodeId and ExpandedNodeId).
 */
export function parseNodeId(text: string): NodeAddress | undefined {
  if (text.length > MOST_CHARACTERS) return undefined;
  const { index, uri, kind, id } = pattern.exec(text)?.groups ?? {};
  if (!isKind(kind) || id === undefined || !shapes[kind](id)) return undefined;
  if (uri !== undefined) return { namespace: { uri: uriOf(uri) }, kind, id };
  if (index === undefined) return { kind, id };
  return Number(index) <= 0xffff ? { namespace: { index: Number(index) }, kind, id } : undefined;
}

/**
 * Finds the index of the namespace in a server's own table.
 * @throws {Fault} `DEVICE_REFUSED` when the server does not know the URI.
 */
export function resolveNodeId(
  { namespace, kind, id }: NodeAddress,
  namespaces: readonly string[],
  stationUri?: string,
): ResolvedId {
  if (namespace && "index" in namespace) return { index: namespace.index, kind, id };
  const uri = namespace?.uri ?? stationUri;
  if (uri === undefined) return { index: 0, kind, id };
  const index = namespaces.indexOf(uri);
  if (index < 0) throw new Fault("DEVICE_REFUSED", `the server has no namespace ${uri}`, { namespaces });
  return { index, kind, id };
}

/** A node id by the URI of its namespace; the namespace of the standard has none. */
export function tellNodeId({ index, kind, id }: ResolvedId, namespaces: readonly string[]): string {
  const uri = namespaces[index];
  if (index === 0) return `${kind}=${id}`;
  return uri === undefined ? `ns=${index};${kind}=${id}` : `nsu=${textOf(uri)};${kind}=${id}`;
}

function isKind(text: string | undefined): text is IdKind {
  return text !== undefined && text in shapes;
}

function textOf(uri: string): string {
  return uri.replaceAll("%", "%25").replaceAll(";", "%3B");
}

function uriOf(uri: string): string {
  return uri.replaceAll(/%3B/gi, ";").replaceAll("%25", "%");
}
