/** The thread in which the stack lives: opens connections, and does with them what it is told. Only `host.ts` starts it. */
import { parentPort } from "node:worker_threads";
import type { Connection, Point, Pushed } from "#devices/driver";
import { Fault } from "#std/fault";
import { openInProcess } from "./in-process.ts";
import { type Answer, type Call, type Points, pack, packBatch, plainFault, type Question } from "./message.ts";
import type { OpcuaAddress, OpcuaCommand, OpcuaStation } from "./schema.ts";
import { memoryTrust } from "./trust.ts";

/** A connection and what was sent about it. */
interface Held {
  readonly connection: Connection<OpcuaStation, OpcuaAddress, OpcuaCommand>;
  readonly points: Map<number, readonly Point<OpcuaAddress>[]>;
  readonly watches: Map<number, Watch>;
}
interface Watch {
  readonly stop: AbortController;
  readonly batches: AsyncIterator<readonly Pushed[]>;
}

const port = parentPort;
if (!port) throw new Error("this file is the entry of a thread");
const held = new Map<number, Held>();
const running = new Map<number, AbortController>();
let last = 0;

port.on("message", (question: Question) => {
  switch (question.do) {
    case "abort":
      return running.get(question.id)?.abort();
    case "unwatch":
      return end(held.get(question.connection), question.watch);
    case "forget":
      return void held.get(question.connection)?.points.delete(question.key);
    default:
      return void answer(question.id, question);
  }
});

async function answer(id: number, call: Call): Promise<void> {
  const stop = new AbortController();
  running.set(id, stop);
  const say = (answer: Answer) => port?.postMessage(answer);
  try {
    say({ id, ok: true, value: await perform(call, stop.signal) });
  } catch (error) {
    const fault = Fault.is(error) ? error : new Fault("LINK_LOST", `the stack broke: ${String(error)}`);
    say({ id, ok: false, fault: plainFault(fault) });
  } finally {
    running.delete(id);
  }
}

async function perform(call: Call, signal: AbortSignal): Promise<unknown> {
  if (call.do === "connect") {
    const { link, identityDir, decisions, patience } = call;
    const trust = memoryTrust(decisions);
    const connection = await openInProcess({ identityDir, trust, patience, now: Date.now }, link, signal);
    held.set(++last, { connection, points: new Map(), watches: new Map() });
    return last;
  }
  const found = held.get(call.connection);
  if (!found) throw new Fault("LINK_LOST", "the link was closed here");
  const { connection, watches } = found;
  switch (call.do) {
    case "read":
      return pack(await connection.read(call.station, pointsOf(found, call.points), signal));
    case "write":
      return await connection.write(call.station, call.point, call.raw, signal);
    case "call":
      return await connection.call?.(call.station, call.command, call.args, signal);
    case "describe":
      return await connection.describe?.(call.station, signal);
    case "watch": {
      const stop = new AbortController();
      const batches = connection.watch?.(call.station, pointsOf(found, call.points), stop.signal);
      if (batches) watches.set(++last, { stop, batches: batches[Symbol.asyncIterator]() });
      return last;
    }
    case "next": {
      const next = await watches.get(call.watch)?.batches.next();
      return !next || next.done ? undefined : packBatch(next.value);
    }
    case "close":
      held.delete(call.connection);
      for (const watch of watches.keys()) end(found, watch);
      return await connection[Symbol.asyncDispose]();
  }
}

function pointsOf({ points }: Held, { key, points: sent }: Points): readonly Point<OpcuaAddress>[] {
  const found = sent ?? points.get(key);
  if (!found) throw new Fault("LINK_LOST", "the points of this link are not known");
  points.set(key, found);
  return found;
}

function end(from: Held | undefined, watch: number): void {
  const found = from?.watches.get(watch);
  from?.watches.delete(watch);
  found?.stop.abort();
  void found?.batches.return?.();
}
