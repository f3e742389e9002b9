import { Fault } from "#std/fault";
import { parseBody } from "../body.ts";
import type { Batch, Kept } from "../sink.ts";
import type { Stream, StreamMessage } from "./client.ts";
import { readId } from "./names.ts";
import { TAKEN } from "./retention.ts";

/** Head of a message that says its time, in milliseconds since the epoch. */
export const AT = "Skerry-At";
/** More than the heads of a message need. */
const HEADS_BYTES = 1_024;

/** What a row says, and the bytes that are sent of it. */
export interface Message {
  readonly body: unknown;
  readonly bytes: Buffer;
}

/** By the numbers of their rows. */
export type Messages = ReadonlyMap<number, Message>;

/** What the rows of a batch say, whole. @param known - names (JSON) of a layout that came before. */
export function messagesOf({ rows, layouts }: Batch, known: (layout: string) => string | undefined): Messages {
  const names = new Map(layouts.map(({ id, names }) => [id, JSON.stringify(names)]));
  const namesOf = (id: string) => {
    const found = names.get(id) ?? known(id);
    if (found !== undefined) names.set(id, found);
    return found ?? null;
  };
  return new Map(
    rows.map(({ seq, at, body, layout }) => {
      const packed = layout === undefined ? { layout: null, names: null } : { layout, names: namesOf(layout) };
      const read = parseBody({ at, body, ...packed });
      // A body that is a message already stays as it was written; one that is none becomes a JSON text.
      const text = layout === undefined && typeof read !== "string" ? body : JSON.stringify(read);
      return [seq, { body: read, bytes: Buffer.from(text) }];
    }),
  );
}

/** @throws {Fault} `OVERLOADED` before anything is sent: a refusal in the middle would cost the connection of all. */
export function checkSizes({ node }: Batch, messages: Messages, { mostBytes }: Pick<Stream, "mostBytes">): void {
  const longest = [...messages.values()].reduce((most, { bytes }) => Math.max(most, bytes.length), 0) + HEADS_BYTES;
  if (longest > mostBytes)
    throw new Fault("OVERLOADED", `${node} has a message of ${longest} bytes, and NATS takes ${mostBytes}`, {
      hint: "Raise max_payload in the configuration of nats-server; the node keeps its rows meanwhile.",
    });
}

/** The row of a message; undefined when somebody else wrote it. */
export function keptOf(message: StreamMessage): Kept | undefined {
  const name = readId(message.header("Nats-Msg-Id"));
  const [at, takenAt] = [Number(message.header(AT)), Number(message.header(TAKEN))];
  if (!name || message.header(AT) === "") return undefined;
  return { ...name, at, takenAt, body: parseBody({ at, body: message.text(), layout: null, names: null }) };
}
