/** From a frame to what fields are taken from: the checksum proven, marks and checksum taken off, bytes as text. */
import { isUtf8 } from "node:buffer";
import { Fault } from "#std/fault";
import { show } from "./bytes.ts";
import type { SerialStation } from "./schema/station.ts";
import { check, sumOf } from "./sum.ts";

/** The content of a frame, or one record of it. Its bytes are valid as long as the frame is. */
export interface Body {
  readonly bytes: Buffer;
  readonly text: string;
}

/** Gets the bodies of a frame one after the other, or why it has none. */
export type TakeBody = (body: Body | Fault) => void;

/** How frames of a station are opened. */
export type OpenFrame = (frame: Buffer, take: TakeBody) => void;

/** Readies the opening of frames. */
export function frameOpener({ framing, checksum, encoding, records }: SerialStation): OpenFrame {
  const sum = checksum && sumOf(checksum);
  const [before, after] = framing.by === "marks" ? [framing.start.length, framing.end.length + framing.after] : [0, 0];
  const escaping = framing.by === "marks" ? framing.escape?.charCodeAt(0) : undefined;
  const separator = records === undefined ? undefined : Buffer.from(records, "latin1");

  return (frame, take) => {
    const covered = sum ? check(sum, frame) : frame.length;
    if (covered < 0) return take(invalid(frame, "has no valid checksum"));
    const marked = frame.subarray(before, Math.min(covered, frame.length - after));
    const content = escaping === undefined ? marked : withoutEscapes(marked, escaping);
    if (encoding === "utf8" && !isUtf8(content)) return take(invalid(frame, "is not UTF-8"));
    if (!separator) return take({ bytes: content, text: content.toString(encoding) });
    for (let from = 0; from <= content.length; ) {
      const found = content.indexOf(separator, from);
      const to = found < 0 ? content.length : found;
      const bytes = content.subarray(from, to);
      if (to > from) take({ bytes, text: bytes.toString(encoding) });
      from = to + separator.length;
    }
  };
}

function invalid(frame: Buffer, what: string): Fault {
  return new Fault("ANSWER_INVALID", `the frame ${show(frame.toString("latin1"))} ${what}`);
}

function withoutEscapes(bytes: Buffer, escaping: number): Buffer {
  const kept = Buffer.alloc(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] === escaping) i++;
    kept[length++] = bytes[i] ?? 0;
  }
  return kept.subarray(0, length);
}
