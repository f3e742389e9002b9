import { matches } from "./filter.ts";
import type { Qos } from "./session.ts";

export interface RetainedMessage {
  readonly topic: string;
  /** Text for what the node says: it is encoded when somebody asks. */
  readonly payload: Uint8Array | string;
  readonly qos: Qos;
}

export interface RetainedLimits {
  readonly retainedMessages: number;
  readonly retainedBytes: number;
}

/** The last message of each topic that asked for it. What the node says is in memory only: it says it anew at its start. */
export class Retained {
  readonly #limits: RetainedLimits;
  readonly #messages = new Map<string, RetainedMessage>();
  #clients = 0;
  #clientBytes = 0;

  constructor(limits: RetainedLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#messages.size;
  }

  /** Keeps what the node says; an empty text takes it away. On the way of every value. */
  say(topic: string, text: string): void {
    if (text === "") this.#messages.delete(topic);
    else this.#messages.set(topic, { topic, payload: text, qos: 0 });
  }

  /** True when a client's message still fits. */
  fits(topic: string, payload: Uint8Array): boolean {
    const known = this.#messages.get(topic);
    if (payload.length === 0) return true;
    const bytes = this.#clientBytes - (known ? sizeOf(known) : 0) + sizeOf({ topic, payload });
    return this.#clients + (known ? 0 : 1) <= this.#limits.retainedMessages && bytes <= this.#limits.retainedBytes;
  }

  /** Keeps what a client says; nothing in it takes it away [MQTT-3.3.1-10]. */
  keep({ topic, payload, qos }: RetainedMessage & { readonly payload: Uint8Array }): void {
    const known = this.#messages.get(topic);
    if (known) {
      this.#clients--;
      this.#clientBytes -= sizeOf(known);
      this.#messages.delete(topic);
    }
    if (payload.length === 0) return;
    // The parser's bytes are a slice of a much larger read; keeping that would keep all of it.
    const message = { topic, payload: Uint8Array.from(payload), qos };
    this.#messages.set(topic, message);
    this.#clients++;
    this.#clientBytes += sizeOf(message);
  }

  /** Messages that match, as they are when their turn comes. */
  *matching(filter: string): Generator<RetainedMessage> {
    if (!/[+#]/.test(filter)) {
      const message = this.#messages.get(filter);
      if (message) yield message;
      return;
    }
    for (const [topic, message] of this.#messages) if (matches(filter, topic)) yield message;
  }
}

function sizeOf({ topic, payload }: Pick<RetainedMessage, "topic" | "payload">): number {
  return topic.length + payload.length + 64;
}
