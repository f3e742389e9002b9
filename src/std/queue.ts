/**
 * A bounded bridge from callbacks to `for await`, for one reader. When the reader falls behind, the oldest item
 * is dropped and counted: an edge box sheds load, it does not grow.
 */
export class Queue<T> implements AsyncIterable<T> {
  /** Items lost so far because the reader was slow. */
  dropped = 0;
  readonly #limit: number;
  #items: T[] = [];
  #head = 0;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Items that wait for the reader. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Adds an item; false when an older one had to go for it or the queue is closed. */
  push(item: T): boolean {
    if (this.#closed) return false;
    const full = this.length >= this.#limit;
    if (full) {
      this.#shift();
      this.dropped++;
    }
    this.#items.push(item);
    this.#wake?.();
    return !full;
  }

  /** Lets the reader finish what is queued, then ends it. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      while (this.length > 0) yield this.#shift();
      if (this.#closed) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  /** Array.shift moves the whole array; a moving head that is compacted now and then does not. */
  #shift(): T {
    const item = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined as T;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
