import type { Broker, Message } from "#edge/broker/broker";
import { Queue } from "#std/queue";
import type { Params, Topic } from "#wire/topic";

/** A broker without a network: a test says what clients publish, and sees what the node does. */
export interface FakeBroker {
  readonly broker: Pick<Broker, "publish" | "subscribe">;
  /** What the node published, by topic. */
  readonly published: readonly { readonly topic: string; readonly body: unknown }[];
  /** A client publishes this text. */
  say(topic: string, text: string): void;
}

export function fakeBroker(): FakeBroker {
  const published: { topic: string; body: unknown }[] = [];
  const readers: ((topic: string, text: string) => void)[] = [];
  return {
    published,
    say: (topic, text) => {
      for (const reader of readers) reader(topic, text);
    },
    broker: {
      publish: (topic, params, body) => published.push({ topic: topic.at(params), body }),
      subscribe<P extends string, T>(topic: Topic<P, T>, signal: AbortSignal) {
        const queue = new Queue<Message<P, T>>(1000);
        readers.push((name, text) => {
          const params = topic.match(name);
          if (params) queue.push(messageOf(topic, params, text));
        });
        signal.addEventListener("abort", () => queue.close(), { once: true });
        return queue;
      },
    },
  };
}

function messageOf<P extends string, T>(topic: Topic<P, T>, params: Params<P>, text: string): Message<P, T> {
  try {
    return { ok: true, params, body: topic.decode(Buffer.from(text)), accept() {} };
  } catch (fault) {
    return { ok: false, params, fault: fault as never, accept() {} };
  }
}
