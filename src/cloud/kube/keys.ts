/** Keys that wait for one reader, each once: however often a thing changes, it waits in one place. */
export class Keys implements AsyncIterable<string> {
  readonly #waiting = new Set<string>();
  #wake: (() => void) | undefined;
  #closed = false;

  add(key: string): void {
    if (this.#closed) return;
    this.#waiting.add(key);
    this.#wake?.();
  }

  /** Keys that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Ends the reader. */
  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void, void> {
    for (;;) {
      for (const key of this.#waiting) {
        this.#waiting.delete(key);
        yield key;
      }
      if (this.#closed) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
