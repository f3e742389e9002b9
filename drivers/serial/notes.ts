/** The last exchanges on a line: what was sent, every byte that came, and what was made of it. */
import type { Exchange, Told } from "#devices/driver";
import type { Fault } from "#std/fault";
import { Ring } from "#std/ring";
import { show } from "./bytes.ts";
import type { SerialStation } from "./schema/station.ts";

/** Exchanges that are kept for whoever wants to know why. */
const KEPT_EXCHANGES = 32;
/** Bytes of one of them; what is more is left out. */
const MOST_BYTES = 65_536;

/** An exchange in bytes. */
export type SerialExchange = Exchange<Buffer>;

/** Notes an exchange while it goes on. */
export interface Note {
  /** The request goes out now. */
  sent(): void;
  came(chunk: Buffer): void;
  frame(): void;
  /** It is over. @param error - what was wrong, in words. */
  end(error?: string): void;
}

/** Notes what a device says by itself. */
export interface Overheard {
  came(chunk: Buffer): void;
  /** @param fault - why the frame is none, when it is broken. */
  frame(fault?: Fault): void;
  /** The frames of a chunk were taken; so many of its bytes wait for the rest of theirs. */
  chunkEnd(held: number): void;
}

/** The notes about a line. */
export interface Notes {
  list(): readonly SerialExchange[];
  /** Begins the note of an exchange. Without a request, frames are waited for. */
  exchange(station: SerialStation, request: Buffer | undefined): Note;
  /** Notes what was sent and nobody confirms. */
  told(station: SerialStation, request: Buffer): void;
  overhear(station: SerialStation): Overheard;
  /** Bytes came that nobody waited for. */
  stray(chunk: Buffer): void;
}

/** Opens the notes of a line. @param now - milliseconds since the Unix epoch. */
export function openNotes(now: () => number): Notes {
  const ring = new Ring<SerialExchange>(KEPT_EXCHANGES);
  let strays: { readonly at: number; readonly pile: Pile } | undefined;

  return {
    list() {
      putStrays();
      return ring.list();
    },

    exchange(station, request) {
      putStrays();
      const pile = new Pile();
      let at = now();
      let sentMs = performance.now();
      let frames = 0;
      return {
        sent() {
          at = now();
          sentMs = performance.now();
        },
        came: (chunk) => pile.add(chunk),
        frame: () => void frames++,
        end(error) {
          const answer = pile.size > 0 ? pile.bytes() : undefined;
          const ms = request ? performance.now() - sentMs : 0;
          ring.push({ at, ms, request, answer, station, ...verdict(frames, station, error) });
        },
      };
    },

    told(station, request) {
      ring.push({ at: now(), ms: 0, request, answer: Buffer.alloc(0), station });
    },

    overhear(station) {
      const { framing } = station;
      const most = 2 * (framing.by === "fixed" ? framing.length : framing.longest);
      let pile = new Pile();
      let frames = 0;
      let error: string | undefined;
      return {
        came: (chunk) => pile.add(chunk),
        frame(fault) {
          frames++;
          error ??= fault?.message;
        },
        chunkEnd(held) {
          if (frames === 0 && pile.size <= most) return;
          if (frames === 0) error = `${pile.size} bytes without a frame: see framing, baudRate and parity`;
          const all = pile.bytes();
          const end = frames === 0 ? all.length : all.length - held;
          const answer = all.subarray(0, end);
          const wrong = verdict(frames, station, error);
          ring.push({ at: now(), ms: 0, request: undefined, answer, station, ...wrong });
          pile = new Pile();
          if (end < all.length) pile.add(all.subarray(end));
          frames = 0;
          error = undefined;
        },
      };
    },

    stray(chunk) {
      strays ??= { at: now(), pile: new Pile() };
      strays.pile.add(chunk);
    },
  };

  /** One exchange for all that came since the last, so that a chatterbox does not push out the others. */
  function putStrays(): void {
    if (!strays) return;
    const { at, pile } = strays;
    strays = undefined;
    const error = "came when nobody waited for it: late, or by itself";
    ring.push({ at, ms: 0, request: undefined, answer: pile.bytes(), error });
  }
}

/** Puts an exchange into words. */
export function tell({ request, answer, error, note }: SerialExchange): Told {
  const asked = request ? `send ${show(request.toString("latin1"))}` : answer ? "by itself" : "wait for a frame";
  if (!answer) return { asked, said: error ?? "nothing" };
  if (answer.length === 0) return { asked, said: "no answer is due" };
  return { asked, said: `${note === undefined ? "" : `${note}: `}${show(answer.toString("latin1"))}` };
}

function verdict(
  frames: number,
  { checksum }: SerialStation,
  error: string | undefined,
): Pick<SerialExchange, "error" | "note"> {
  if (error !== undefined) return { error };
  const count = `${frames} ${frames === 1 ? "frame" : "frames"}`;
  return { note: checksum && frames > 0 ? `${count}, the checksum is right` : count };
}

/** Bytes that come in pieces, up to a limit. */
class Pile {
  readonly #chunks: Buffer[] = [];
  size = 0;

  add(chunk: Buffer): void {
    const kept = chunk.subarray(0, MOST_BYTES - this.size);
    if (kept.length === 0) return;
    this.#chunks.push(kept);
    this.size += kept.length;
  }

  /** A copy, so that nothing larger is kept alive. */
  bytes(): Buffer {
    return Buffer.concat(this.#chunks, this.size);
  }
}
