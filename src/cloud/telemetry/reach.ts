import { type Backoff, backoffMs } from "#std/backoff";
import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import { isAbort, Scope } from "#std/scope";

/** A connection to an engine. */
export interface Connection extends AsyncDisposable {
  /** Resolves with the reason when the connection is of no use any more. */
  readonly ended: Promise<unknown>;
}

export interface ReachOptions<C extends Connection> {
  /** The engine in words, such as "PostgreSQL at db:5432". */
  readonly what: string;
  /** @throws {Fault} `CONFIG_INVALID` when trying again is of no use, anything else when it is. */
  readonly dial: (signal: AbortSignal) => Promise<C>;
  readonly log: Log;
  readonly clock: Clock;
}

/** A network that swallows everything also swallows the goodbye. */
const END_MS = 5_000;
const AGAIN: Backoff = { firstMs: 200, longestMs: 15_000 };
/** What no other try mends: somebody must change something. */
const FATAL = ["CONFIG_INVALID", "VERSION_UNSUPPORTED"] as const;

/**
 * Keeps a connection to an engine outside of this process. While there is none, whoever asks is refused at once: a
 * caller that waited would hold up what nodes have to say beside telemetry. Writing that fails for any reason of the
 * engine's costs the connection, because only a new one knows again what is true; nothing of the old one can come late.
 */
export class Reach<C extends Connection> implements AsyncDisposable {
  readonly #options: ReachOptions<C>;
  readonly #scope = new Scope();
  readonly #working = new Set<Promise<unknown>>();
  #connection: C | undefined;
  /** Set by work that failed; ends the connection. */
  #fail: ((error: unknown) => void) | undefined;
  #failures = 0;

  private constructor(options: ReachOptions<C>) {
    this.#options = options;
  }

  /** Dials. An engine that is away now is tried again; one that refuses us is not. @throws {Fault} `CONFIG_INVALID` */
  static async open<C extends Connection>(options: ReachOptions<C>): Promise<Reach<C>> {
    const reach = new Reach(options);
    const { what, log } = options;
    const first = await options.dial(reach.#scope.signal).catch((error: unknown) => {
      if (Fault.is(error, ...FATAL)) throw error;
      reach.#failures++;
      log.error("telemetry engine unreachable, nodes keep their rows", { what, error });
      return undefined;
    });
    reach.#scope.run("telemetry engine", (signal) => reach.#serve(first, signal));
    return reach;
  }

  get isUp(): boolean {
    return this.#connection !== undefined;
  }

  /** Writes. What fails costs the connection. @throws {Fault} `TELEMETRY_UNREACHABLE`; other faults are of the work. */
  async write<T>(work: (connection: C) => Promise<T>): Promise<T> {
    const fail = this.#fail;
    const done = await this.#work(work, (error) => fail?.(error));
    this.#failures = 0;
    return done;
  }

  /** Reads, or tidies up. A question that takes too long must not stop those who write. @throws as `write` does. */
  read<T>(work: (connection: C) => Promise<T>): Promise<T> {
    return this.#work(work, () => {});
  }

  async #work<T>(work: (connection: C) => Promise<T>, failed: (error: unknown) => void): Promise<T> {
    const { what } = this.#options;
    const connection = this.#connection;
    if (!connection) throw new Fault("TELEMETRY_UNREACHABLE", `${what} is away`);
    const working = work(connection);
    this.#working.add(working);
    try {
      return await working;
    } catch (error) {
      if (Fault.is(error)) throw error;
      failed(error);
      throw new Fault("TELEMETRY_UNREACHABLE", `${what} did not do it: ${wordsOf(error)}`, { cause: error });
    } finally {
      this.#working.delete(working);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scope[Symbol.asyncDispose]();
  }

  async #serve(first: C | undefined, signal: AbortSignal): Promise<void> {
    const { what, dial, log, clock } = this.#options;
    let next = first;
    for (let isAway = next === undefined; ; ) {
      try {
        const connection = next ?? (await dial(signal));
        next = undefined;
        if (isAway) log.info("telemetry engine is back", { what });
        isAway = false;
        await this.#hold(connection, signal);
      } catch (error) {
        if (isAbort(error, signal)) return;
        if (!isAway) log.error("telemetry engine lost, nodes keep their rows", { what, error });
        isAway = true;
      }
      await clock.sleep(backoffMs(AGAIN, this.#failures++), signal);
    }
  }

  /** Lets others use a connection until it ends. @throws why it did. */
  async #hold(connection: C, signal: AbortSignal): Promise<never> {
    let stop = () => {};
    const stopped = new Promise<unknown>((resolve) => {
      stop = () => resolve(signal.reason);
    });
    signal.addEventListener("abort", stop, { once: true });
    const failed = new Promise<unknown>((resolve) => {
      this.#fail = resolve;
    });
    this.#connection = connection;
    try {
      const reason = await Promise.race([connection.ended, failed, stopped]);
      throw reason ?? new Error("the connection ended");
    } finally {
      signal.removeEventListener("abort", stop);
      this.#connection = undefined;
      this.#fail = undefined;
      // At an orderly end, what has begun may end; after a failure it ends with the connection.
      if (signal.aborted) await Promise.allSettled(this.#working);
      await this.#end(connection);
      await Promise.allSettled(this.#working);
    }
  }

  async #end(connection: C): Promise<void> {
    const ended = new AbortController();
    const late = this.#options.clock.sleep(END_MS, ended.signal);
    await Promise.allSettled([Promise.race([connection[Symbol.asyncDispose](), late])]);
    ended.abort();
    await Promise.allSettled([late]);
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
