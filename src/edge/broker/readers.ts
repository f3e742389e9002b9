import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import { Queue } from "#std/queue";
import type { Topic } from "#wire/topic";
import type { Message } from "./broker.ts";
import type { Reader } from "./fanout.ts";

/** Messages that a reader within the node may lag behind. */
const LAG = 1000;

interface Taken {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly accept: () => void;
}

/**
 * What is published from now on until the signal aborts, as messages of a topic. A reader that is too slow refuses what
 * comes: its publisher is closed unacknowledged, and says it again.
 * @param listen - begins to listen to a filter and returns what ends it.
 */
export function readTopic<P extends string, T>(
  topic: Topic<P, T>,
  listen: (filter: string, reader: Reader) => () => void,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): AsyncIterable<Message<P, T>> {
  const queue = new Queue<Taken>(LAG);
  const close = listen(topic.filter, (name, payload) => {
    if (queue.length < LAG)
      return new Promise((accept) => {
        queue.push({ topic: name, payload, accept });
      });
    log.warn("message refused, the node is too slow", { topic: name });
    return Promise.reject(new Fault("OVERLOADED", `${LAG} messages wait for the node already`));
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
  for await (const { topic: name, payload, accept } of taken) {
    const params = topic.match(name);
    if (!params) {
      accept();
      continue;
    }
    try {
      yield { ok: true, params, body: topic.decode(payload), accept };
    } catch (fault) {
      if (!Fault.is(fault)) throw fault;
      yield { ok: false, params, fault, accept };
    }
  }
}
