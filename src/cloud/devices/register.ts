import type { Declared } from "./verdict.ts";

/** The Devices of the cluster, found by key, by node, by model, and by the name that they have on a node. */
export class Register {
  readonly #devices = new Map<string, Declared>();
  readonly #byNode = new Map<string, Set<string>>();
  readonly #byModel = new Map<string, Set<string>>();
  readonly #byName = new Map<string, Set<string>>();

  get size(): number {
    return this.#devices.size;
  }

  get(key: string): Declared | undefined {
    return this.#devices.get(key);
  }

  /** Nodes that any device names. */
  nodes(): Iterable<string> {
    return this.#byNode.keys();
  }

  keys(): Iterable<string> {
    return this.#devices.keys();
  }

  ofNode(node: string): readonly Declared[] {
    return this.#all(this.#byNode.get(node));
  }

  ofModel(model: string): Iterable<string> {
    return this.#byModel.get(model) ?? [];
  }

  /** All that want to be this device of the node, itself included. */
  rivals(device: Declared): readonly Declared[] {
    return this.#all(this.#byName.get(nameOf(device)));
  }

  /** Sets or takes away what stands under a key; returns the keys of others whose standing may have changed by it. */
  put(key: string, now: Declared | undefined): readonly string[] {
    const before = this.#devices.get(key);
    if (before) {
      this.#devices.delete(key);
      remove(this.#byNode, before.node, key);
      remove(this.#byModel, before.model, key);
      remove(this.#byName, nameOf(before), key);
    }
    if (now) {
      this.#devices.set(key, now);
      insert(this.#byNode, now.node, key);
      insert(this.#byModel, now.model, key);
      insert(this.#byName, nameOf(now), key);
    }
    const others = [before, now].flatMap((device) => (device ? [...(this.#byName.get(nameOf(device)) ?? [])] : []));
    return others.filter((other) => other !== key);
  }

  #all(keys: Iterable<string> = []): readonly Declared[] {
    return [...keys].flatMap((key) => this.#devices.get(key) ?? []);
  }
}

function nameOf({ node, name }: Declared): string {
  return `${node}/${name}`;
}

function insert(index: Map<string, Set<string>>, name: string, key: string): void {
  const keys = index.get(name);
  if (keys) keys.add(key);
  else index.set(name, new Set([key]));
}

function remove(index: Map<string, Set<string>>, name: string, key: string): void {
  const keys = index.get(name);
  keys?.delete(key);
  if (keys?.size === 0) index.delete(name);
}
