import { createHash } from "node:crypto";

/** The same message this often within a second is not said by anybody, it goes round. */
const MOST = 100;
const WINDOW_MS = 1000;
/** Messages that are told apart within a second; more of them are no round. */
const MOST_KNOWN = 10_000;

/**
 * Notices messages that go round between brokers whose bridges face each other: MQTT 3.1.1 has no mark that a message
 * could carry, but a round brings the same topic and payload back hundreds of times a second.
 */
export class Rounds {
  readonly #counts = new Map<string, number>();
  #until = 0;
  #isTold = false;

  /** True when this message must not be carried on. @param told - is called once per round. */
  isRound(topic: string, payload: Uint8Array, nowMs: number, told: () => void): boolean {
    if (nowMs >= this.#until || this.#counts.size >= MOST_KNOWN) {
      const wasRound = [...this.#counts.values()].some((count) => count > MOST);
      if (!wasRound) this.#isTold = false;
      this.#counts.clear();
      this.#until = nowMs + WINDOW_MS;
    }
    const key = createHash("sha1").update(topic).update("\0").update(payload).digest("base64");
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    if (count <= MOST) return false;
    if (!this.#isTold) told();
    this.#isTold = true;
    return true;
  }
}
