/**
 * One exchange at a time on a line, and any number of listeners beside it. Knows when the line was silent, and that an
 * answer may still be owed to a request that was given up.
 */
import type { Clock } from "#std/clock";
import type { Fault } from "#std/fault";
import { type Framer, openFramer, type TakeFrame } from "./framing.ts";
import type { Line } from "./line.ts";
import type { Note } from "./notes.ts";
import type { SerialStation } from "./schema/station.ts";

/** How an exchange ended: `garbage` is silence too, but after bytes that were no frame. */
export type Ended = "done" | "silent" | "garbage";

/** What is sent, and who takes the frames that come. */
export interface Exchange {
  readonly station: SerialStation;
  /** Undefined when frames are only waited for. */
  readonly request: Buffer | undefined;
  /** Takes a frame; true when the answer is complete. May be called again after that, when a newer answer comes. */
  take(frame: Buffer): boolean;
  /** Is told when the request goes out, and of all that comes before the end. */
  readonly note: Pick<Note, "sent" | "came">;
}

/** A line with its manners. */
export interface Talk {
  /** @throws {Fault} `LINK_LOST`; rejects with the signal's reason on abort. */
  exchange(exchange: Exchange, signal: AbortSignal): Promise<Ended>;
  /** Sends what nobody confirms. @throws {Fault} `LINK_LOST`; rejects with the signal's reason on abort. */
  say(station: SerialStation, bytes: Buffer, signal: AbortSignal): Promise<void>;
  /** Hears every frame, until what is returned is called. `chunkEnd` is called after the frames of each chunk. */
  hear(station: SerialStation, ear: Ear): () => void;
}

/** A listener. */
export interface Ear {
  came(chunk: Buffer): void;
  readonly take: TakeFrame;
  /** So many bytes wait for the rest of their frame. */
  chunkEnd(held: number): void;
  lost(fault: Fault): void;
}

/** Requests in a row without one byte in return after which a serial server counts as lost; see `modbus/tcp.ts`. */
const MOST_UNANSWERED = 8;

/** Gets what a line carries. */
interface Sink {
  push(chunk: Buffer): void;
  lost(fault: Fault): void;
  close(): void;
}

/** Takes a line in hand. @param stray - gets what comes when nobody listens. */
export function openTalk(line: Line, clock: Clock, stray: (chunk: Buffer) => void): Talk {
  const sinks = new Set<Sink>();
  let gone: Fault | undefined;
  let lastByteMs = Number.NEGATIVE_INFINITY;
  /** Whether the last request had no answer, so that one may still come, and until when it is awaited. */
  let isOwed = false;
  let owedUntilMs = 0;
  let unanswered = 0;
  let isAsking = false;

  line.listen(
    (chunk) => {
      lastByteMs = clock.monotonic();
      unanswered = 0;
      // A late answer: it is dropped, and the line is in step again.
      if (!isAsking) isOwed = false;
      if (sinks.size === 0) stray(chunk);
      for (const sink of sinks) sink.push(chunk);
    },
    (fault) => {
      gone = fault;
      for (const sink of sinks) sink.lost(fault);
    },
  );

  return {
    async exchange(exchange, signal) {
      const { station, request } = exchange;
      if (request) await quiet(station, signal);
      signal.throwIfAborted();
      if (gone) throw gone;
      if (request && line.isRemote && unanswered >= MOST_UNANSWERED)
        throw line.lose(`has not answered ${unanswered} requests in a row`);
      isAsking = true;
      try {
        return await answer(exchange, signal);
      } finally {
        isAsking = false;
      }
    },

    async say(station, bytes, signal) {
      await quiet(station, signal);
      line.send(bytes);
      isOwed = true;
      owedUntilMs = 0;
    },

    hear(station, ear) {
      const framer = sinkOf(station, ear.take, () => ear.chunkEnd(framer.held));
      const push = (chunk: Buffer) => {
        ear.came(chunk);
        framer.push(chunk);
      };
      const sink: Sink = { push, lost: ear.lost, close: framer.close };
      sinks.add(sink);
      if (gone) ear.lost(gone);
      return () => {
        sink.close();
        sinks.delete(sink);
      };
    },
  };

  /** Waits until the line has been silent for long enough, and a late answer would have come. */
  async function quiet({ quietMs, timeoutMs, unsolicited }: SerialStation, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // A device that talks by itself is never silent; its frames are told apart by what they say.
    const pauseMs = unsolicited ? 0 : Math.max(quietMs, line.gapMs);
    const giveUpMs = clock.monotonic() + 2 * timeoutMs;
    for (;;) {
      if (gone) throw gone;
      const now = clock.monotonic();
      const readyMs = Math.max(lastByteMs + pauseMs, isOwed ? owedUntilMs : 0);
      if (now >= readyMs || now >= giveUpMs) {
        const heardMs = lastByteMs;
        await pollOnce();
        signal.throwIfAborted();
        if (gone) throw gone;
        if (lastByteMs === heardMs || now >= giveUpMs) return;
        continue;
      }
      // In steps, for a late answer ends the wait.
      const stepMs = Math.max(1, Math.min(readyMs - now, Math.max(pauseMs, 5)));
      await clock.sleep(stepMs, signal).catch(() => signal.throwIfAborted());
    }
  }

  /** Sends the request and hands out frames until the answer is complete. */
  function answer({ station, request, take, note }: Exchange, signal: AbortSignal): Promise<Ended> {
    const { timeoutMs, quietMs } = station;
    /** When an answer is owed, this one may be it: the newest counts, once no other has followed for a while. */
    const settleMs = isOwed && request ? Math.max(quietMs, line.gapMs, 1) : 0;
    return new Promise((resolve, reject) => {
      let isDone = false;
      const framer = sinkOf(
        station,
        (frame) => {
          if (isDone && settleMs === 0) return;
          isDone = take(frame);
        },
        () => {
          if (isDone && settleMs === 0) finish("done");
          else wait();
        },
      );
      const sink: Sink = {
        push(chunk) {
          note.came(chunk);
          framer.push(chunk);
        },
        lost: (fault) => settle(() => reject(fault)),
        close: framer.close,
      };
      let cancel = () => {};
      const abort = () => {
        owe();
        settle(() => reject(signal.reason));
      };
      sinks.add(sink);
      signal.addEventListener("abort", abort, { once: true });
      wait();
      try {
        note.sent();
        if (request) line.send(request);
      } catch (error) {
        settle(() => reject(error));
      }

      function wait() {
        cancel();
        const end = () => finish(isDone ? "done" : framer.stray > 0 ? "garbage" : "silent");
        cancel = afterSilence(isDone ? settleMs : timeoutMs, end);
      }

      function finish(ended: Ended) {
        if (ended === "done") isOwed = false;
        else owe();
        settle(() => resolve(ended));
      }

      function owe() {
        if (!request) return;
        if (!isDone) unanswered++;
        isOwed = true;
        owedUntilMs = clock.monotonic() + timeoutMs;
      }

      function settle(end: () => void) {
        cancel();
        signal.removeEventListener("abort", abort);
        sink.close();
        sinks.delete(sink);
        end();
      }
    });
  }
}

/** A framer with the timer that some framings need. */
function sinkOf({ framing, timeoutMs }: SerialStation, take: TakeFrame, chunkEnd: () => void) {
  const framer: Framer = openFramer(framing, take);
  const restMs = framing.by === "silence" ? framing.silenceMs : hasNoMarks(framing) ? timeoutMs : undefined;
  let cancel = () => {};
  return {
    push(chunk: Buffer) {
      cancel();
      framer.push(chunk);
      if (restMs !== undefined) cancel = afterSilence(restMs, rest);
      chunkEnd();
    },
    close: () => cancel(),
    get stray() {
      return framer.stray;
    },
    get held() {
      return framer.held;
    },
  };

  function rest() {
    framer.rest();
    if (framing.by === "silence") chunkEnd();
  }
}

/**
 * Does something after a time, but not before the bytes that came meanwhile are taken: timers run before input, so a
 * node that was busy would mistake itself for a silent line.
 */
function afterSilence(ms: number, act: () => void): () => void {
  let taken: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    taken = setImmediate(act);
  }, ms);
  return () => {
    clearTimeout(timer);
    clearImmediate(taken);
  };
}

/** Resolves when the bytes that are here already were taken. */
async function pollOnce(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Whether nothing but silence shows where such frames begin. */
function hasNoMarks(framing: SerialStation["framing"]): boolean {
  return (framing.by === "fixed" || framing.by === "length") && framing.start === "";
}
