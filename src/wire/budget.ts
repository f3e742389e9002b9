/** How many bytes of all connections together may wait for their readers. Whoever comes when it is full is held. */
export class Budget {
  readonly #limitBytes: number;
  readonly #held = new Set<() => void>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get isFull(): boolean {
    return this.#bytes > this.#limitBytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Gives bytes back; when there is room again, those who were held go on. */
  free(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes > this.#limitBytes / 2) return;
    for (const go of this.#held) go();
    this.#held.clear();
  }

  /** Calls once there is room again. */
  hold(go: () => void): void {
    this.#held.add(go);
  }
}
