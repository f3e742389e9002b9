/** The last so many of something: what is older is dropped. */
export class Ring<T> {
  readonly #items: T[] = [];
  readonly #size: number;
  /** Where the next one goes. */
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  push(item: T): void {
    this.#items[this.#next] = item;
    this.#next = (this.#next + 1) % this.#size;
  }

  /** The oldest first. */
  list(): readonly T[] {
    return [...this.#items.slice(this.#next), ...this.#items.slice(0, this.#next)];
  }
}
