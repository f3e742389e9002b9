/** A connection as the tide sees it. */
export interface Swimmer {
  /** Bytes that wait for it. */
  readonly load: number;
  /** A slow one is not waited for. */
  isSlow: boolean;
  /** Looks at its publishers' input again. */
  readAgain(): void;
}

export interface TideLimits {
  /** What may wait for one connection, in bytes. */
  readonly bufferBytes: number;
}

/** Publishers wait this long for one subscriber, and not again before it has caught up. */
const PATIENCE_MS = 50;

/**
 * Makes publishers wait a moment for subscribers that are good but behind, so that a burst loses nothing, and never
 * longer: who does not catch up within the moment is slow from then on, and loses what does not fit instead.
 */
export class Tide {
  readonly #limits: TideLimits;
  readonly #behind = new Map<Swimmer, NodeJS.Timeout>();
  readonly #waiting = new Set<Swimmer>();

  constructor(limits: TideLimits) {
    this.#limits = limits;
  }

  /** True while publishers have to wait. */
  get isHigh(): boolean {
    return this.#behind.size > 0;
  }

  /** Tells that more waits for a connection than before. */
  rises(line: Swimmer): void {
    if (line.load < this.#limits.bufferBytes / 2 || line.isSlow || this.#behind.has(line)) return;
    const giveUp = () => {
      line.isSlow = true;
      this.#forget(line);
    };
    this.#behind.set(line, setTimeout(giveUp, PATIENCE_MS));
  }

  /** Tells that less waits for it. */
  falls(line: Swimmer): void {
    if (line.load > this.#limits.bufferBytes / 8) return;
    line.isSlow = false;
    this.#forget(line);
  }

  /** Tells that a connection is gone. */
  leaves(line: Swimmer): void {
    this.#waiting.delete(line);
    this.#forget(line);
  }

  /** Is called again by `readAgain` when the tide is low. */
  wait(line: Swimmer): void {
    this.#waiting.add(line);
  }

  #forget(line: Swimmer): void {
    const timer = this.#behind.get(line);
    if (!timer) return;
    clearTimeout(timer);
    this.#behind.delete(line);
    if (this.isHigh) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const publisher of waiting) publisher.readAgain();
  }
}
