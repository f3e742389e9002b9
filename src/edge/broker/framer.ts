import type { Packet } from "./fields.ts";
import { check, type Violation } from "./guard.ts";

export interface FramerLimits {
  /** The largest packet, in bytes. */
  readonly packetBytes: number;
  /** The largest first packet, in bytes: nobody is known yet. */
  readonly connectBytes: number;
}

/** What may pass on, and why the connection must end after it. */
export interface Framed {
  readonly packets: readonly Packet[];
  readonly violation?: Violation;
}

const NOTHING: Framed = { packets: [] };
const CONNECT = 1;
const PUBLISH = 3;
const DISCONNECT = 14;

/**
 * Cuts a byte stream into whole, checked packets. The first must be CONNECT [MQTT-3.1.0-1] and passes alone: what
 * follows it waits for `open`, so that nobody makes the broker work before it knows him.
 */
export class Framer {
  /** True once a PUBLISH passed. */
  published = false;
  readonly #limits: FramerLimits;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  /** Bytes that must be there before it makes sense to look again. */
  #need = 2;
  #state: "first" | "waiting" | "open" | "over" = "first";

  constructor(limits: FramerLimits) {
    this.#limits = limits;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Lets pass what comes after CONNECT. */
  open(): void {
    this.#state = "open";
    this.#need = 2;
  }

  /** Takes what came; without bytes it looks at what was kept. */
  take(chunk?: Buffer): Framed {
    if (this.#state === "over") return NOTHING;
    if (chunk && chunk.length > 0) {
      this.#kept.push(chunk);
      this.#keptBytes += chunk.length;
    }
    if (this.#state === "waiting") {
      // A client may send before CONNACK [MQTT-3.1.4-5], but not without measure.
      return this.#keptBytes > this.#limits.packetBytes * 2
        ? { packets: [], violation: { reason: "too early" } }
        : NOTHING;
    }
    if (this.#keptBytes < this.#need) return NOTHING;
    const bytes = this.#kept.length === 1 && this.#kept[0] ? this.#kept[0] : Buffer.concat(this.#kept);
    const packets: Packet[] = [];
    const { end, need, violation } = this.#scan(bytes, packets);
    const rest = bytes.subarray(end);
    this.#kept = rest.length > 0 ? [rest] : [];
    this.#keptBytes = rest.length;
    this.#need = need;
    return violation ? { packets, violation } : { packets };
  }

  /** Where the last whole packet ends, and how much the next one needs. */
  #scan(
    bytes: Buffer,
    packets: Packet[],
  ): { readonly end: number; readonly need: number; readonly violation?: Violation } {
    let end = 0;
    for (;;) {
      const header = readHeader(bytes, end);
      if (header === "malformed") return { end, need: 2, violation: { reason: "remaining length" } };
      const first = bytes[end] ?? 0;
      if (end < bytes.length && this.#state === "first" && first >> 4 !== CONNECT)
        return { end, need: 2, violation: { reason: "first packet" } };
      if (header === undefined) return { end, need: bytes.length - end + 1 };
      const { from, size } = header;
      const limit = this.#state === "first" ? this.#limits.connectBytes : this.#limits.packetBytes;
      if (from - end + size > limit) return { end, need: 2, violation: { reason: "too large" } };
      const to = from + size;
      if (to > bytes.length) return { end, need: to - end };
      if (this.#state === "open" && first >> 4 === CONNECT)
        return { end, need: 2, violation: { reason: "second connect" } };
      if (first >> 4 === PUBLISH) this.published = true;
      const packet: Packet = { bytes, first, from, to };
      const violation = check(packet);
      if (violation) return { end, need: 2, violation };
      packets.push(packet);
      end = to;
      if (first >> 4 === DISCONNECT) {
        // What follows it was not said [MQTT-3.14.4-2].
        this.#state = "over";
        return { end, need: 2 };
      }
      if (this.#state === "first") {
        this.#state = "waiting";
        return { end, need: 2 };
      }
    }
  }
}

/** Fixed header. **Source:** MQTT 3.1.1, section 2.2.3: at most four bytes of length. */
function readHeader(
  bytes: Buffer,
  at: number,
): { readonly from: number; readonly size: number } | "malformed" | undefined {
  let size = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + 1 + i];
    if (byte === undefined) return undefined;
    size += (byte & 127) * 128 ** i;
    if (byte < 128) return { from: at + 2 + i, size };
  }
  return "malformed";
}
