/**
 * A scope owns what ends together: the tasks it runs and the resources it holds. It is the only life-cycle tool in
 * this code base; there are no start/stop pairs.
 *
 * Ending a scope aborts its signal, waits for the tasks, then releases the resources, the last adopted first.
 */
export class Scope implements AsyncDisposable {
  /** Aborts when the parent aborts, when a task throws, or when the scope ends. */
  readonly signal: AbortSignal;
  readonly #end = new AbortController();
  readonly #tasks = new Map<Promise<void>, string>();
  readonly #releases: (() => unknown)[] = [];
  #failure: { readonly error: unknown } | undefined;

  constructor(parent?: AbortSignal) {
    this.signal = this.#end.signal;
    if (!parent) return;
    const follow = () => this.#end.abort(parent.reason);
    if (parent.aborted) follow();
    else parent.addEventListener("abort", follow, { once: true });
    this.#releases.push(() => parent.removeEventListener("abort", follow));
  }

  /** What the scope would wait for if it ended now: the names of its running tasks. */
  get waitingFor(): readonly string[] {
    return [...this.#tasks.values()];
  }

  /** Adopts a resource and returns it. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    this.#releases.push(() =>
      Symbol.asyncDispose in resource ? resource[Symbol.asyncDispose]() : resource[Symbol.dispose](),
    );
    return resource;
  }

  /** Runs a task until it returns or the scope ends. A task that throws ends the scope. */
  run(name: string, task: (signal: AbortSignal) => Promise<void>): void {
    const running = (async () => {
      try {
        await task(this.signal);
      } catch (error) {
        if (isAbort(error, this.signal)) return;
        this.#failure ??= { error };
        this.#end.abort(error);
      }
    })();
    this.#tasks.set(running, name);
    running.finally(() => this.#tasks.delete(running));
  }

  /** Ends the scope without waiting; `done` or disposal waits. */
  abort(reason?: unknown): void {
    this.#end.abort(reason);
  }

  /** Resolves when every task has returned; rejects with the first failure. */
  async done(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks.keys());
    if (this.#failure) throw this.#failure.error;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    while (this.#tasks.size > 0) await Promise.all(this.#tasks.keys());
    const failures: unknown[] = [];
    for (const release of this.#releases.splice(0).reverse()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, "a scope did not release everything");
  }
}

/** True when the error is the signal's abort and nothing else: an abort is an end, not an error. */
export function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (error instanceof Error && error.name === "AbortError");
}
