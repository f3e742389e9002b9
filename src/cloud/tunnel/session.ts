import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Carrier } from "#wire/carrier";
import { decodeFrame, encodeFrame } from "#wire/frame";
import { type CloudMessage, type EdgeMessage, edgeMessage, OLDEST_WIRE_VERSION, WIRE_VERSION } from "#wire/messages";

export type Hello = Extract<EdgeMessage, { kind: "hello" }>;

/** Bytes that may wait for a slow node before it loses the connection. */
const BUFFER_LIMIT_BYTES = 8 * 1024 * 1024;
/** Above this, those who can wait do. */
const BUFFER_EASY_BYTES = 1024 * 1024;

/** One connection of one node after its `hello`. */
export class Session {
  readonly node: string;
  readonly hello: Hello;
  readonly #carrier: Carrier;
  readonly #clock: Clock;
  #heardAt: number;
  #saidAt: number;
  #end: string | undefined;

  constructor(carrier: Carrier, hello: Hello, clock: Clock) {
    this.node = carrier.peer;
    this.hello = hello;
    this.#carrier = carrier;
    this.#clock = clock;
    this.#heardAt = this.#saidAt = clock.monotonic();
  }

  /** The process that speaks. */
  get run(): string {
    return this.hello.runs.at(-1) ?? "";
  }

  /** Whether the other side answers within a time, by the connection itself: what it said before does not count. */
  async answers(limitMs: number, signal: AbortSignal): Promise<boolean> {
    const late = new AbortController();
    const end = this.#clock.sleep(limitMs, AbortSignal.any([late.signal, signal])).then(() => false);
    try {
      return await Promise.race([this.#carrier.ping(), end]);
    } finally {
      late.abort();
      end.catch(() => {});
    }
  }

  /** Why we closed it; undefined while it lives and when the other side did. */
  get end(): string | undefined {
    return this.#end;
  }

  /** Milliseconds since the node said anything; what waits to be read counts as said now. */
  get silentMs(): number {
    if (this.#carrier.isBehind) this.#heardAt = this.#clock.monotonic();
    return this.#clock.monotonic() - this.#heardAt;
  }

  /** Milliseconds since we did. */
  get quietMs(): number {
    return this.#clock.monotonic() - this.#saidAt;
  }

  /** Sends, or closes the connection of a node that takes nothing. False when it was not sent. */
  send(message: CloudMessage): boolean {
    if (this.#end !== undefined) return false;
    if (this.#carrier.bufferedBytes > BUFFER_LIMIT_BYTES) {
      this.close(`${BUFFER_LIMIT_BYTES} bytes wait and the node takes none`);
      return false;
    }
    this.#saidAt = this.#clock.monotonic();
    this.#carrier.send(encodeFrame(message));
    return true;
  }

  /** Waits until the node has taken most of what was sent; for the many messages that follow a `welcome`. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#end === undefined && this.#carrier.bufferedBytes > BUFFER_EASY_BYTES)
      await this.#clock.sleep(10, signal);
  }

  /** What the node says after its `hello`. @throws {Fault} `FRAME_INVALID`. */
  async *messages(): AsyncGenerator<EdgeMessage, void, void> {
    for await (const frame of this.#carrier.frames) {
      if (this.#end !== undefined) return;
      this.#heardAt = this.#clock.monotonic();
      yield decodeFrame(edgeMessage, frame);
    }
  }

  close(reason: string): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#carrier.close(reason);
  }
}

/**
 * The version that both sides speak: the lower of the two.
 * @throws {Fault} `VERSION_UNSUPPORTED` when that is older than we understand.
 */
export function agree(theirs: number): number {
  const version = Math.min(theirs, WIRE_VERSION);
  if (version >= OLDEST_WIRE_VERSION) return version;
  const range = `${OLDEST_WIRE_VERSION} to ${WIRE_VERSION}`;
  throw new Fault("VERSION_UNSUPPORTED", `the node speaks version ${theirs}, this cloud ${range}`, { version: theirs });
}

/** The first frame, which must be `hello`. @throws {Fault} `FRAME_INVALID`, `UPLINK_LOST`. */
export async function readHello(carrier: Carrier): Promise<Hello> {
  // Not `for await`: leaving it would end the frames for the session that follows.
  const frames = carrier.frames[Symbol.asyncIterator]();
  const { done, value } = await frames.next();
  if (done) throw new Fault("UPLINK_LOST", `${carrier.peer} said nothing and left`);
  const message = decodeFrame(edgeMessage, value);
  if (message.kind === "hello") return message;
  throw new Fault("FRAME_INVALID", `${carrier.peer} began with ${message.kind} instead of hello`);
}
