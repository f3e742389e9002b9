/**
 * Cuts a stream of bytes into frames. However the stream is split into chunks, the same frames come out; bytes that
 * belong to none are dropped, and what is kept while a frame is incomplete is bounded.
 */
import type { Framing } from "./schema/framing.ts";

/** Gets every whole frame: a view that is valid during the call, with start and end marks, without a delimiter. */
export type TakeFrame = (frame: Buffer) => void;

/** Cuts one stream. */
export interface Framer {
  /** Takes the next bytes of the stream. */
  push(chunk: Buffer): void;
  /** Says that the line has been silent: ends a frame that ends so, and drops half of any other. */
  rest(): void;
  /** Bytes so far that belong to no frame, those that wait included. */
  readonly stray: number;
  /** Bytes that wait for the rest of their frame. */
  readonly held: number;
}

/** Where the next frame is in the bytes from `at`: `end` is undefined while it is incomplete. */
export interface Cut {
  /** The frame, or where the incomplete one begins: what is before it is dropped. */
  readonly start: number;
  readonly end: number | undefined;
  /** Where to go on. */
  readonly next: number;
  /** Whether the bytes up to `next` are no frame after all. */
  readonly garbage?: boolean;
}

/** Finds frames. `seen` is how many of the bytes from `at` were there at the last call, which found none. */
export interface Cutter {
  cut(bytes: Buffer, at: number, seen: number): Cut;
  /** Whether silence ends a frame, rather than breaking it off. */
  readonly endsBySilence?: boolean;
  reset?(): void;
}

const FIRST_BYTES = 512;

/** Opens a framer. */
export function openFramer(framing: Framing, take: TakeFrame): Framer {
  const cutter = cutterOf(framing);
  /** Bytes of a frame that is not complete yet: `held` of them in a buffer that doubles as it needs. */
  let pile = Buffer.alloc(FIRST_BYTES);
  let held = 0;
  let stray = 0;

  return {
    push(chunk) {
      if (held === 0) {
        const rest = cutAll(chunk, 0);
        hold(chunk.subarray(rest));
      } else {
        const seen = held;
        hold(chunk);
        const rest = cutAll(pile.subarray(0, held), seen);
        pile.copyWithin(0, rest, held);
        held -= rest;
      }
    },
    rest() {
      if (held > 0 && cutter.endsBySilence) take(pile.subarray(0, held));
      else stray += held;
      held = 0;
      cutter.reset?.();
    },
    get stray() {
      return stray + held;
    },
    get held() {
      return held;
    },
  };

  /** Hands out every whole frame and returns where the incomplete one begins. */
  function cutAll(bytes: Buffer, known: number): number {
    let at = 0;
    let seen = known;
    while (at < bytes.length) {
      const { start, end, next, garbage } = cutter.cut(bytes, at, seen);
      stray += garbage ? next - at : start - at;
      if (end === undefined && !garbage) return start;
      if (end !== undefined) take(bytes.subarray(start, end));
      at = next;
      seen = 0;
    }
    return at;
  }

  function hold(bytes: Buffer): void {
    if (held + bytes.length > pile.length) {
      const wider = Buffer.alloc(Math.max(2 * pile.length, held + bytes.length));
      pile.copy(wider, 0, 0, held);
      pile = wider;
    }
    bytes.copy(pile, held);
    held += bytes.length;
  }
}

function cutterOf(framing: Framing): Cutter {
  switch (framing.by) {
    case "delimiter":
      return byDelimiter(Buffer.from(framing.delimiter, "latin1"), framing.longest);
    case "fixed":
      return bySize(Buffer.from(framing.start, "latin1"), framing.length, () => framing.length, framing.length);
    case "length": {
      const { field, width, order, adjust, longest } = framing;
      const head = Math.max(field + width, framing.start.length);
      const sizeOf = (bytes: Buffer, start: number) =>
        (order === "big" ? bytes.readUIntBE(start + field, width) : bytes.readUIntLE(start + field, width)) + adjust;
      return bySize(Buffer.from(framing.start, "latin1"), head, sizeOf, longest);
    }
    case "silence":
      return bySilence(framing.longest);
    case "marks":
      return byMarks(framing);
  }
}

function byDelimiter(delimiter: Buffer, longest: number): Cutter {
  const last = delimiter.length - 1;
  const final = delimiter[last] ?? 0;
  /** Whether the frame under way is too long already, so that its end is no frame. */
  let tooLong = false;
  return {
    cut(bytes, at, seen) {
      for (let from = Math.max(at + last, at + seen); ; ) {
        const found = bytes.indexOf(final, from);
        if (found < 0) break;
        if (matches(bytes, found - last, delimiter)) {
          const garbage = tooLong || found - last - at > longest;
          tooLong = false;
          return { start: at, end: garbage ? undefined : found - last, next: found + 1, garbage };
        }
        from = found + 1;
      }
      if (bytes.length - at <= longest + last) return { start: at, end: undefined, next: at };
      tooLong = true;
      // The delimiter may have begun already.
      const rest = bytes.length - last;
      return { start: rest, end: undefined, next: rest };
    },
    reset() {
      tooLong = false;
    },
  };
}

/** Frames whose first `head` bytes say how long they are. Without start bytes, a wrong length is mended by silence alone. */
function bySize(
  start: Buffer,
  head: number,
  sizeOf: (bytes: Buffer, start: number) => number,
  longest: number,
): Cutter {
  let lost = false;
  return {
    cut(bytes, at) {
      if (lost) return { start: at, end: undefined, next: bytes.length, garbage: true };
      const from = start.length === 0 ? at : find(bytes, at, start);
      if (bytes.length - from < head) return { start: from, end: undefined, next: from };
      const size = sizeOf(bytes, from);
      if (size >= head && size <= longest) {
        if (bytes.length - from < size) return { start: from, end: undefined, next: from };
        return { start: from, end: from + size, next: from + size };
      }
      lost = start.length === 0;
      return { start: at, end: undefined, next: from + 1, garbage: true };
    },
    reset() {
      lost = false;
    },
  };
}

function bySilence(longest: number): Cutter {
  let lost = false;
  return {
    endsBySilence: true,
    cut(bytes, at) {
      lost ||= bytes.length - at > longest;
      if (lost) return { start: at, end: undefined, next: bytes.length, garbage: true };
      return { start: at, end: undefined, next: at };
    },
    reset() {
      lost = false;
    },
  };
}

/** Frames between marks. A start mark within a frame begins it anew, for the end of the first was lost. */
function byMarks({ start, end, after, longest, ...marks }: Extract<Framing, { by: "marks" }>): Cutter {
  const [first, last] = [Buffer.from(start, "latin1"), Buffer.from(end, "latin1")];
  const escaping = marks.escape?.charCodeAt(0);
  const widest = Math.max(first.length, last.length);
  /** How far into the incomplete frame there is no mark, so that a frame that comes byte by byte is scanned once. */
  let clear = first.length;
  return {
    cut(bytes, at) {
      const from = find(bytes, at, first);
      const limit = Math.min(bytes.length, from + longest);
      let i = from + (from === at ? clear : first.length);
      for (clear = first.length; i < limit; i++) {
        if (i + widest <= bytes.length) clear = i - from;
        if (bytes[i] === escaping) i++;
        else if (matches(bytes, i, last)) {
          const done = i + last.length + after;
          if (done - from > longest) break;
          if (done > bytes.length) return { start: from, end: undefined, next: from };
          clear = first.length;
          return { start: from, end: done, next: done };
        } else if (matches(bytes, i, first)) {
          clear = first.length;
          return { start: at, end: undefined, next: i, garbage: true };
        }
      }
      if (bytes.length - from < longest) return { start: from, end: undefined, next: from };
      clear = first.length;
      return { start: at, end: undefined, next: from + 1, garbage: true };
    },
    reset() {
      clear = first.length;
    },
  };
}

/** Where the mark begins, or may have begun at the end of the bytes. */
function find(bytes: Buffer, at: number, mark: Buffer): number {
  const found = bytes.indexOf(mark, at);
  if (found >= 0) return found;
  for (let from = Math.max(at, bytes.length - mark.length + 1); from < bytes.length; from++) {
    if (bytes.subarray(from).equals(mark.subarray(0, bytes.length - from))) return from;
  }
  return bytes.length;
}

function matches(bytes: Buffer, at: number, mark: Buffer): boolean {
  for (let i = 0; i < mark.length; i++) if (bytes[at + i] !== mark[i]) return false;
  return true;
}
