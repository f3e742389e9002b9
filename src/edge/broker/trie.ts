interface Branch<K, V> {
  readonly below: Map<string, Branch<K, V>>;
  readonly here: Map<K, V>;
}

/** Who subscribed to what: finds all entries whose filter matches a topic, in the time of the topic's depth. */
export class TopicTrie<K, V> {
  readonly #root: Branch<K, V> = branch();
  #size = 0;

  /** Entries in all. */
  get size(): number {
    return this.#size;
  }

  /** Puts an entry; the same key at the same filter is replaced. */
  set(filter: string, key: K, value: V): void {
    let at = this.#root;
    for (const level of filter.split("/")) {
      let next = at.below.get(level);
      if (!next) {
        next = branch();
        at.below.set(level, next);
      }
      at = next;
    }
    if (!at.here.has(key)) this.#size++;
    at.here.set(key, value);
  }

  delete(filter: string, key: K): void {
    if (this.#delete(this.#root, filter.split("/"), 0, key)) this.#size--;
  }

  /** Calls `visit` for each entry whose filter matches. **Source:** MQTT 3.1.1, section 4.7. */
  match(topic: string, visit: (value: V, key: K) => void): void {
    if (this.#size === 0) return;
    walk(this.#root, topic, 0, topic.charCodeAt(0) === 36, visit);
  }

  /** Removes empty branches on the way back: a client that tries many filters leaves nothing behind. */
  #delete(at: Branch<K, V>, levels: readonly string[], i: number, key: K): boolean {
    const level = levels[i];
    if (level === undefined) return at.here.delete(key);
    const next = at.below.get(level);
    if (!next) return false;
    const deleted = this.#delete(next, levels, i + 1, key);
    if (next.here.size === 0 && next.below.size === 0) at.below.delete(level);
    return deleted;
  }
}

function branch<K, V>(): Branch<K, V> {
  return { below: new Map(), here: new Map() };
}

/** @param from - where the level begins; beyond the end when the topic has no more. @param plain - wildcards do not match here. */
function walk<K, V>(
  at: Branch<K, V>,
  topic: string,
  from: number,
  plain: boolean,
  visit: (value: V, key: K) => void,
): void {
  // `a/#` matches `a` too: section 4.7.1.2.
  const rest = plain ? undefined : at.below.get("#");
  if (rest) for (const [key, value] of rest.here) visit(value, key);
  if (from > topic.length) {
    for (const [key, value] of at.here) visit(value, key);
    return;
  }
  if (at.below.size === 0) return;
  const slash = topic.indexOf("/", from);
  const end = slash < 0 ? topic.length : slash;
  const exact = at.below.get(topic.slice(from, end));
  if (exact) walk(exact, topic, end + 1, false, visit);
  const any = plain ? undefined : at.below.get("+");
  if (any) walk(any, topic, end + 1, false, visit);
}
