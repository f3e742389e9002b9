import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import { Queue } from "#std/queue";
import type { Topic } from "#wire/topic";
import type { Message } from "./broker.ts";

/** Messages that a reader within the node may lag behind. */
const LAG = 1000;

interface Taken {
  readonly topic: string;
  readonly payload: Uint8Array;
}

/**
 * What is published from now on until the signal aborts, as messages of a topic. A slow reader loses the oldest.
 * @param listen - begins to listen to a filter and returns what ends it.
 */
export function readTopic<P extends string, T>(
  topic: Topic<P, T>,
  listen: (filter: string, reader: (topic: string, payload: Uint8Array) => void) => () => void,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): AsyncIterable<Message<P, T>> {
  const queue = new Queue<Taken>(LAG);
  const close = listen(topic.filter, (name, payload) => {
    if (!queue.push({ topic: name, payload })) log.warn("message dropped, the node is too slow", { topic: name });
  });
  const end = () => {
    close();
    queue.close();
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  return messages(topic, queue);
}

async function* messages<P extends string, T>(
  topic: Topic<P, T>,
  taken: AsyncIterable<Taken>,
): AsyncGenerator<Message<P, T>> {
  for await (const { topic: name, payload } of taken) {
    const params = topic.match(name);
    if (!params) continue;
    try {
      yield { ok: true, params, body: topic.decode(payload) };
    } catch (fault) {
      if (!Fault.is(fault)) throw fault;
      yield { ok: false, params, fault };
    }
  }
}
