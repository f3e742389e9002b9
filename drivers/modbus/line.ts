/**
 * Modbus on a line, RTU or ASCII, over a serial port or a socket. A line has no transaction ids, so nothing tells a
 * late answer from the one that is awaited. After anything went wrong the next request is therefore preceded by a
 * fence: function 8 with a number of its own. Its echo, or the refusal of function 8, is unlike any other answer, and
 * what a device sends it sends in order: all that came before the fence is old and dropped.
 *
 * **Source:** Modbus over Serial Line Specification V1.02, §2.4.1 (turnaround delay, response timeout) and §2.5;
 * Modbus Application Protocol V1.1b3, §6.8 (function 8, sub-function 0: return query data).
 */
import { Fault } from "#std/fault";
import type { Channel } from "./channel.ts";
import type { Codec } from "./codec.ts";
import { fc, isAnswer } from "./pdu.ts";
import type { Transport } from "./transport.ts";
import { pause } from "./wait.ts";

/** Where a line is and how much time it wants. */
export interface LineOptions {
  /** For messages, such as `/dev/ttyUSB0`. */
  readonly name: string;
  /** Silence before each request, in milliseconds. */
  readonly quietMs: number;
  /** Wait after a broadcast, in milliseconds. */
  readonly turnaroundMs: number;
  /** Requests in a row without one byte in return after which the link counts as lost. @default never */
  readonly mostUnanswered?: number;
  /** Milliseconds that never go back. @default the machine's */
  readonly monotonic?: () => number;
}

/** Bytes that may wait for a device that does not read them. */
const MOST_UNSENT_BYTES = 65_536;

/** More than any frame; what is longer can not become one. */
const MOST_BYTES = 1024;

const nothing = Buffer.alloc(0);

/** What is awaited: looks at all bytes so far and says whether this ends the wait, and with what. */
interface Waiting {
  readonly look: (bytes: Buffer) => Buffer | Fault | undefined;
  readonly resolve: (pdu: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** One request at a time over a channel; owns the channel. */
export function overLine(channel: Channel, codec: Codec, options: LineOptions): Transport {
  const { name, quietMs, turnaroundMs, mostUnanswered = Number.POSITIVE_INFINITY } = options;
  const { monotonic = () => performance.now() } = options;
  /** Units that may still answer a request that was given up. */
  const owing = new Set<number>();
  /** Units that answer, but not to a fence. */
  const unfenced = new Set<number>();
  /** The unit whose last fence was not answered. */
  let suspect: number | undefined;
  /** The last request, to recognise its repetition. */
  let last: Uint8Array | undefined;
  /** Whether bytes came that belong to no answer. */
  let isDirty = false;
  let waiting: Waiting | undefined;
  let rest: Buffer = nothing;
  let unanswered = 0;
  let nonce = 0;
  /** When the line may be used again. */
  let freeMs = 0;
  let lost: Fault | undefined;

  channel.onLost(lose);
  channel.onData((chunk) => {
    unanswered = 0;
    freeMs = Math.max(freeMs, monotonic() + quietMs);
    if (!waiting) {
      if (!isGlitch(chunk)) isDirty = true;
      return;
    }
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const found = waiting.look(rest);
    if (found instanceof Fault) waiting.reject(found);
    else if (found) waiting.resolve(found);
  });

  return {
    isLine: true,

    async request(unit, pdu, signal) {
      signal.throwIfAborted();
      if (unanswered >= mostUnanswered) lose(gone(`has not answered ${unanswered} requests in a row`));
      if (channel.unsent > MOST_UNSENT_BYTES) lose(gone("does not take what is sent"));
      if (lost) throw lost;
      const isRepeated = pdu === last;
      last = pdu;
      await pause(freeMs - monotonic(), signal);
      if (unit === 0) return broadcast(pdu, signal);
      if (!isRepeated && (isDirty || owing.has(unit)) && !unfenced.has(unit)) await fence(unit, signal);
      return await exchange(unit, pdu, signal);
    },

    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };

  async function broadcast(pdu: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    channel.write(codec.encode(0, pdu));
    freeMs = Math.max(freeMs, monotonic() + turnaroundMs);
    await pause(turnaroundMs, signal);
    return nothing;
  }

  async function exchange(unit: number, pdu: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    try {
      const answer = await send(codec.encode(unit, pdu), (bytes) => answerOf(bytes, unit, pdu), signal);
      if (suspect === unit) unfenced.add(unit);
      suspect = undefined;
      isDirty = rest.length > 0;
      return answer;
    } catch (error) {
      // An answer that was broken has come; one that never came is owed.
      if (Fault.is(error)) isDirty = true;
      else owing.add(unit);
      throw error;
    } finally {
      rest = nothing;
    }
  }

  /** Waits until all that was sent before has gone by. */
  async function fence(unit: number, signal: AbortSignal): Promise<void> {
    nonce = (nonce + 1) & 0xffff;
    const echo = codec.encode(unit, Uint8Array.of(fc.diagnose, 0, 0, nonce >> 8, nonce & 0xff));
    const ends = [
      echo,
      ...Array.from({ length: 11 }, (_, i) => codec.encode(unit, Uint8Array.of(fc.diagnose | 0x80, i + 1))),
    ];
    const look = (bytes: Buffer) => {
      const end = ends.find((end) => bytes.includes(end));
      if (end) return bytes.subarray(bytes.indexOf(end) + end.length);
      if (bytes.length > MOST_BYTES) rest = bytes.subarray(-echo.length);
      return undefined;
    };
    try {
      isDirty = (await send(echo, look, signal)).length > 0;
      await pause(freeMs - monotonic(), signal);
    } catch (error) {
      // Not answered although a whole wait has passed in silence: the next request goes without, and tells whether the
      // device is off or does not know function 8.
      if (!Fault.is(error)) suspect = unit;
      isDirty = false;
      throw error;
    } finally {
      owing.delete(unit);
      rest = nothing;
    }
  }

  function send(frame: Buffer, look: Waiting["look"], signal: AbortSignal): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (lost || signal.aborted) return reject(lost ?? signal.reason);
      const settle = () => {
        waiting = undefined;
        signal.removeEventListener("abort", abort);
      };
      const abort = () => {
        unanswered++;
        waiting?.reject(signal.reason);
      };
      waiting = {
        look,
        resolve(pdu) {
          settle();
          resolve(pdu);
        },
        reject(error) {
          settle();
          reject(error);
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      channel.write(frame);
    });
  }

  /** The answer of a unit, once it is whole. Late answers of others are dropped. */
  function answerOf(bytes: Buffer, unit: number, request: Uint8Array): Buffer | Fault | undefined {
    let left = withoutGlitch(bytes, unit);
    for (;;) {
      const taken = codec.take(left, "server");
      if (taken.is === "part") {
        rest = left;
        return undefined;
      }
      if (taken.is === "noise") return new Fault("ANSWER_INVALID", `${name}: no ${codec.name} frame: ${taken.why}`);
      const frame = left.subarray(0, taken.length);
      left = left.subarray(taken.length);
      rest = left;
      if (taken.unit === unit) {
        // More may follow only if it repeats this answer; otherwise nobody knows which of the two is the right one.
        if (isAnswer(taken.pdu, request) && isPrefix(left, frame)) return taken.pdu;
        return new Fault("ANSWER_INVALID", `${name}: unit ${unit} answered another question`);
      }
      if (!owing.delete(taken.unit)) {
        return new Fault("ANSWER_INVALID", `${name} answered for unit ${taken.unit}, asked was ${unit}`);
      }
    }
  }

  function gone(how: string): Fault {
    return new Fault("LINK_LOST", `${name} ${how}`, { name });
  }

  function lose(fault: Fault): void {
    lost ??= fault;
    waiting?.reject(lost);
    void channel[Symbol.asyncDispose]();
  }
}

function isPrefix(bytes: Buffer, frame: Buffer): boolean {
  return bytes.equals(frame.subarray(0, bytes.length));
}

/** A driver that is switched on is seen by others as a byte of zeros or ones; no unit but 255 begins with it. */
function withoutGlitch(bytes: Buffer, unit: number): Buffer {
  const begin = bytes.findIndex((byte) => (byte !== 0 && byte !== 0xff) || byte === unit);
  return bytes.subarray(begin < 0 ? bytes.length : begin);
}

function isGlitch(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0 || byte === 0xff);
}
