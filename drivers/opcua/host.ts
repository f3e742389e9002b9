/**
 * The node's side of the stack's thread. The stack has assertions in its socket and timer callbacks; what they throw would
 * end the node. Here it ends the thread: its links are lost, and the next connect starts another.
 */
import { Worker } from "node:worker_threads";
import type { Connection, Point } from "#devices/driver";
import type { Value } from "#devices/value";
import { deadline } from "#std/deadline";
import { Fault } from "#std/fault";
import { abortable } from "./dial.ts";
import {
  type Answer,
  type Call,
  faultFrom,
  type Notice,
  type Packed,
  type PackedBatch,
  type Points,
  unpack,
  unpackBatch,
} from "./message.ts";
import type { OpcuaAddress, OpcuaCommand, OpcuaStation } from "./schema.ts";

/** Heap of the thread, in MiB: ten times what 10,000 items need. A server that sends more costs its thread. */
const MOST_HEAP_MIB = 1_024;
/** A thread without links is kept for so long: starting one takes half a second of CPU, and links come back. */
const IDLE_MS = 60_000;

/** The thread waits two seconds for a server's goodbye. */
const CLOSE_MS = 4_000;

/** A thread that answers. */
export interface Host {
  /** Opens a connection in the thread. */
  open(
    call: Extract<Call, { do: "connect" }>,
    signal: AbortSignal,
  ): Promise<Connection<OpcuaStation, OpcuaAddress, OpcuaCommand>>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(fault: Fault): void;
}

/** What a host is made of; a test passes its own. */
export interface HostOptions {
  /** What the thread runs. */
  readonly entry?: URL;
  /** How long the thread may take to answer a call that was given up; a thread that lives answers at once. */
  readonly hangMs?: number;
}

/** A host whose thread starts at the first connection and ends a minute after the last. */
export function openHost({ entry = WORKER, hangMs = 10_000 }: HostOptions = {}): Host {
  let thread: Thread | undefined;
  return {
    async open(call, signal) {
      signal.throwIfAborted();
      if (!thread || thread.ended) thread = startThread(entry, hangMs);
      return await thread.open(call, signal);
    },
  };
}

interface Thread extends Host {
  readonly ended: boolean;
}

/** Sources run as they are, and find each other by a condition; the package has JavaScript beside each other. */
const isSource = import.meta.url.endsWith(".ts");
const WORKER = new URL(isSource ? "./worker.ts" : "./worker.js", import.meta.url);

function startThread(entry: URL, hangMs: number): Thread {
  const worker = new Worker(entry, {
    execArgv: isSource ? ["--conditions=source"] : [],
    resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MIB },
  });
  const waiting = new Map<number, Waiting>();
  let links = 0;
  let last = 0;
  let ended: Fault | undefined;
  let idle: NodeJS.Timeout | undefined;

  const end = (how: string, cause?: unknown) => {
    ended ??= new Fault("LINK_LOST", `the thread of OPC UA ${how}`, { cause });
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  const kill = (how: string) => {
    end(how);
    void worker.terminate();
  };
  worker.on("error", (cause) => end(`broke: ${cause instanceof Error ? cause.message : String(cause)}`, cause));
  worker.on("exit", () => end("has ended"));
  worker.on("message", (answer: Answer) => {
    const waiter = waiting.get(answer.id);
    waiting.delete(answer.id);
    rest();
    if (answer.ok) waiter?.resolve(answer.value);
    else waiter?.reject(faultFrom(answer.fault));
  });
  worker.unref();

  /** Keeps the process alive as long as somebody waits or a link is open, and the thread for a minute longer. */
  function rest(): void {
    clearTimeout(idle);
    if (links > 0 || waiting.size > 0) {
      worker.ref();
      return;
    }
    worker.unref();
    idle = setTimeout(() => {
      kill("was idle");
    }, IDLE_MS);
    idle.unref();
  }

  const tell = (notice: Notice) => worker.postMessage(notice);

  /** @param late - what to do with a value that comes after nobody waits any more. */
  async function ask(call: Call, signal: AbortSignal, late?: (value: unknown) => void): Promise<unknown> {
    signal.throwIfAborted();
    if (ended) throw ended;
    const id = ++last;
    const answer = new Promise<unknown>((resolve, reject) => {
      waiting.set(id, { resolve, reject });
    });
    worker.postMessage({ ...call, id });
    rest();
    try {
      return await abortable(signal, () => answer);
    } catch (error) {
      if (signal.aborted && waiting.has(id)) {
        tell({ do: "abort", id });
        const hanging = setTimeout(() => kill("hangs"), hangMs);
        hanging.unref();
        answer.then(late, () => undefined).finally(() => clearTimeout(hanging));
      }
      throw error;
    }
  }

  async function open(call: Extract<Call, { do: "connect" }>, signal: AbortSignal) {
    const close = async (connection: number) => {
      using limit = deadline(CLOSE_MS, new AbortController().signal);
      await ask({ do: "close", connection }, limit.signal);
    };
    const connection = Number(await ask(call, signal, (value) => void close(Number(value)).catch(() => undefined)));
    links++;
    rest();
    return connectionOf(connection, { ask, tell }, async () => {
      links--;
      await close(connection).catch(() => undefined);
      rest();
    });
  }

  return {
    get ended() {
      return ended !== undefined;
    },
    open,
  };
}

interface Port {
  ask(call: Call, signal: AbortSignal): Promise<unknown>;
  tell(notice: Notice): void;
}

function connectionOf(
  connection: number,
  { ask, tell }: Port,
  close: () => Promise<void>,
): Connection<OpcuaStation, OpcuaAddress, OpcuaCommand> {
  const keys = new WeakMap<readonly Point<OpcuaAddress>[], number>();
  const gone = new FinalizationRegistry<number>((key) => tell({ do: "forget", connection, key }));
  let last = 0;
  let closing: Promise<void> | undefined;
  const mustBeOpen = () => {
    if (closing) throw new Fault("LINK_LOST", "the link was closed here");
  };
  const name = (points: readonly Point<OpcuaAddress>[]): Points => {
    const known = keys.get(points);
    if (known !== undefined) return { key: known };
    const key = ++last;
    keys.set(points, key);
    gone.register(points, key);
    return { key, points };
  };
  return {
    async read(station, points, signal) {
      signal.throwIfAborted();
      mustBeOpen();
      return unpack((await ask({ do: "read", connection, station, points: name(points) }, signal)) as Packed);
    },
    async write(station, point, raw, signal) {
      signal.throwIfAborted();
      mustBeOpen();
      await ask({ do: "write", connection, station, point, raw }, signal);
    },
    async call(station, command, args, signal) {
      signal.throwIfAborted();
      mustBeOpen();
      return (await ask({ do: "call", connection, station, command, args }, signal)) as Value;
    },
    async describe(station, signal) {
      signal.throwIfAborted();
      mustBeOpen();
      return (await ask({ do: "describe", connection, station }, signal)) as Readonly<Record<string, string>>;
    },
    async *watch(station, points, signal) {
      mustBeOpen();
      const watch = Number(await ask({ do: "watch", connection, station, points: name(points) }, signal));
      try {
        for (;;) {
          // Asked batch by batch, so that a slow reader is felt in the thread, which sheds load by its own rule.
          const batch = await ask({ do: "next", connection, watch }, signal);
          if (batch === undefined) return;
          yield unpackBatch(batch as PackedBatch);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        tell({ do: "unwatch", connection, watch });
      }
    },
    async [Symbol.asyncDispose]() {
      closing ??= close();
      await closing;
    },
  };
}
