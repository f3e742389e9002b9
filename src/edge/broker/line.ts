import type { Duplex } from "node:stream";
import type { Packet } from "./fields.ts";
import { Framer, type FramerLimits } from "./framer.ts";
import type { Violation } from "./guard.ts";
import type { Swimmer, Tide } from "./tide.ts";

export interface LineOptions {
  readonly socket: Duplex;
  /** Where it comes from, for limits and logs. */
  readonly address: string;
  readonly limits: FramerLimits & { readonly bufferBytes: number; readonly inflight: number };
  readonly tide: Tide;
  /** Takes each packet that is whole and allowed. What it throws ends the connection. */
  readonly handle: (packet: Packet) => void;
  /** Is told why the guard ends the connection. */
  readonly refused: (violation: Violation) => void;
}

/** All lines that wrote in this turn of the event loop. */
let dirty: Line[] = [];

function flushAll(): void {
  const lines = dirty;
  dirty = [];
  for (const line of lines) line.flush();
}

/**
 * One connection, between its socket and the broker. Inwards only whole packets pass that MQTT allows; outwards the
 * packets of one turn are one write (2.5 to 5 times as many deliveries), and a budget says what may wait.
 */
export class Line implements Swimmer {
  readonly socket: Duplex;
  readonly address: string;
  isSlow = false;
  /** Bytes that wait in memory for acknowledgements of this client. */
  backlog = 0;
  /** Is called when there is room again. */
  roomy: (() => void) | undefined;
  readonly #options: LineOptions;
  readonly #framer: Framer;
  #packets: Buffer[] = [];
  #packetBytes = 0;
  #feeds: Iterator<Buffer>[] = [];
  #pending = 0;
  #isBlocked = false;
  #taken = 0;
  #takenBefore = 0;
  #stalledMs = 0;

  constructor(options: LineOptions) {
    const { socket, address, limits } = options;
    this.socket = socket;
    this.address = address;
    this.#options = options;
    this.#framer = new Framer(limits);
    socket.on("readable", () => this.#read());
    // Who closes his half has nothing more to hear.
    socket.on("end", () => socket.destroy());
    socket.on("drain", () => this.#drained());
    socket.once("close", () => options.tide.leaves(this));
  }

  /** Bytes that the network has not taken yet. */
  get buffered(): number {
    return this.#packetBytes + this.socket.writableLength;
  }

  get load(): number {
    return this.buffered + this.backlog;
  }

  /** True while there is room for another message at QoS 0. */
  get hasRoom(): boolean {
    return this.buffered < this.#options.limits.bufferBytes;
  }

  /** True while messages that can wait elsewhere should be sent. */
  get isRoomy(): boolean {
    return this.buffered < this.#options.limits.bufferBytes / 4;
  }

  /** Lets pass what the client says after CONNECT. */
  open(): void {
    this.#framer.open();
    this.readAgain();
  }

  /** Sends bytes at the end of this turn, in order. */
  send(bytes: Buffer): void {
    if (this.socket.destroyed || bytes.length === 0) return;
    if (this.#packetBytes === 0) {
      if (dirty.length === 0) setImmediate(flushAll);
      dirty.push(this);
    }
    this.#packets.push(bytes);
    this.#packetBytes += bytes.length;
    this.#options.tide.rises(this);
  }

  /** Sends packets as fast as there is room, before it asks for more of `roomy`. */
  feed(packets: Iterable<Buffer>): void {
    this.#feeds.push(packets[Symbol.iterator]());
    this.#pour();
  }

  flush(): void {
    const packets = this.#packets;
    const bytes = this.#packetBytes;
    this.#packets = [];
    this.#packetBytes = 0;
    if (this.socket.destroyed || bytes === 0) return;
    this.#taken += bytes;
    const first = packets[0];
    const isDrained = this.socket.write(packets.length === 1 && first ? first : Buffer.concat(packets, bytes));
    if (isDrained) this.#drained();
  }

  /** Looks at the input again. */
  readAgain(): void {
    if (!this.socket.destroyed) setImmediate(() => this.#read());
  }

  /** True while a publish of this client is on its way to the disk. */
  get isSaving(): boolean {
    return this.#pending > 0;
  }

  /** Tells that a publish of this client is on its way to the disk; beyond the limit its input waits. */
  begins(): void {
    this.#pending++;
  }

  /** Tells that it is there. */
  ends(): void {
    this.#pending--;
    if (!this.#isBlocked || this.#pending * 2 > this.#options.limits.inflight) return;
    this.#isBlocked = false;
    this.readAgain();
  }

  /** Milliseconds for which the client was over its budget and took nothing. Called every `sinceMs`. */
  stalledFor(sinceMs: number): number {
    const taken = this.#taken - this.socket.writableLength;
    const stands = !this.hasRoom && taken === this.#takenBefore;
    this.#takenBefore = taken;
    this.#stalledMs = stands ? this.#stalledMs + sinceMs : 0;
    return this.#stalledMs;
  }

  #drained(): void {
    this.#pour();
    if (this.isRoomy) this.roomy?.();
    this.#options.tide.falls(this);
  }

  #pour(): void {
    while (this.isRoomy && this.#feeds.length > 0) {
      const next = this.#feeds[0]?.next();
      if (next && !next.done) this.send(next.value);
      else this.#feeds.shift();
    }
  }

  /** Hands on what came: nothing while the client must wait, otherwise all whole packets. */
  #read(): void {
    const { socket } = this;
    const { tide, limits, handle, refused } = this.#options;
    if (socket.destroyed) return;
    if (this.#framer.published && tide.isHigh) {
      tide.wait(this);
      return;
    }
    if (this.#pending >= limits.inflight) {
      this.#isBlocked = true;
      return;
    }
    const { packets, violation } = this.#framer.take((socket.read() as Buffer | null) ?? undefined);
    for (const packet of packets) {
      handle(packet);
      if (socket.destroyed) return;
    }
    if (!violation) return;
    refused(violation);
    this.end(violation.answer);
  }

  /** Ends the connection; what was sent, and an answer, still get through. */
  end(answer?: Uint8Array): void {
    this.flush();
    const { socket } = this;
    if (answer) socket.write(answer);
    if ("destroySoon" in socket && typeof socket.destroySoon === "function") socket.destroySoon();
    else socket.end(() => socket.destroy());
  }
}
