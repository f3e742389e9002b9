import type { Retention } from "../sink.ts";
import type { Stream, StreamState } from "./client.ts";

/** Head of a message that says when the cloud took it, in milliseconds since the epoch. */
export const TAKEN = "Skerry-Taken";

/**
 * Takes away what is over the limits, at one stroke. The stream has limits of its own for age and bytes, by the server's
 * clock, so that it does not grow over them either while the cloud is away.
 */
export async function prune(stream: Stream, { keepMs, keepRows, keepBytes }: Retention, nowMs: number): Promise<void> {
  const state = await stream.state();
  const { first, messages, bytes } = state;
  if (messages === 0) return;
  const rowBytes = bytes / messages;
  const before = Math.max(
    await firstSince(stream, state, nowMs - keepMs),
    first + Math.max(0, messages - keepRows),
    first + Math.ceil(Math.max(0, bytes - keepBytes) / rowBytes),
  );
  if (before > first) await stream.purge(before);
}

/** The first message that was taken since a time, by halving: they are in the order in which they were. */
async function firstSince(stream: Stream, { first, last }: StreamState, sinceMs: number): Promise<number> {
  const isOld = async (number: number) => {
    const found = await stream.get(number);
    return found === undefined || Number(found.header(TAKEN)) < sinceMs;
  };
  if (!(await isOld(first))) return first;
  let [old, young] = [first, last + 1];
  while (young - old > 1) {
    const middle = Math.floor((old + young) / 2);
    if (await isOld(middle)) old = middle;
    else young = middle;
  }
  return young;
}
