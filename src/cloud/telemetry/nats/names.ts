/** A row's name in the stream: what it is known by when it comes again. */
export interface RowName {
  readonly node: string;
  readonly epoch: string;
  readonly seq: number;
}

/**
 * A name as one token of a subject: what may not or should not stand there is written as %XX of its UTF-8.
 * **Source:** NATS manual, "Subject-Based Messaging": tokens have no blanks, and `.`, `*` and `>` have a meaning.
 */
function tokenOf(name: string): string {
  const escaped = Buffer.from(name)
    .toString("latin1")
    .replaceAll(/[^A-Za-z0-9_-]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
  // A token may not be empty.
  return escaped === "" ? "%" : escaped;
}

/** The subject of a device's messages. */
export function subjectOf(prefix: string, { namespace, device }: { namespace: string; device: string }): string {
  return `${prefix}.${tokenOf(namespace)}.${tokenOf(device)}`;
}

/** The value of `Nats-Msg-Id`. */
export function idOf({ node, epoch, seq }: RowName): string {
  return `${tokenOf(node)}/${tokenOf(epoch)}/${seq}`;
}

/** The row of an id; undefined when it is none of ours. */
export function readId(id: string): RowName | undefined {
  const [, node, epoch, seq] = /^([^/]+)\/([^/]+)\/(\d+)$/.exec(id) ?? [];
  if (node === undefined || epoch === undefined) return undefined;
  return { node: nameOf(node), epoch: nameOf(epoch), seq: Number(seq) };
}

function nameOf(token: string): string {
  const bytes = token.replaceAll(/%([0-9A-F]{2})|%/g, (_, hex?: string) =>
    hex === undefined ? "" : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString();
}
