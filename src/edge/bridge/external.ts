import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { Log } from "#std/log";
import type { Broker } from "../broker/broker.ts";
import type { ExternalConfig } from "../broker/config.ts";
import type { Reader } from "../broker/fanout.ts";
import { readTopic } from "../broker/readers.ts";
import { TopicTrie } from "../broker/trie.ts";
import { openRemote, type RemoteState } from "./remote.ts";

export interface ExternalPorts {
  /** Names this node at the other broker, unless the configuration does. */
  readonly node: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Is told how the connection is, each time that it changes. */
  readonly state: (state: RemoteState) => void;
}

/**
 * Another broker as the site's broker. What is retained is state: it is kept here and told anew after each reconnect;
 * what is not, is lost while the other broker is away, and counted. Who may do what is that broker's own affair.
 */
export async function openExternalBroker(
  config: ExternalConfig,
  { node, clock, log, state }: ExternalPorts,
): Promise<Broker> {
  const url = new URL(config.url);
  const retained = new Map<string, string>();
  const readers = new TopicTrie<object, Reader>();
  const dropped = new Map<string, number>();
  const sent: [number, number, number] = [0, 0, 0];
  const received: [number, number, number] = [0, 0, 0];
  let connects = 0;
  let reason = "it has not answered yet";

  const remote = openRemote(config, {
    clientId: config.clientId ?? `skerry-${node}`,
    clock,
    log,
    changed(now) {
      state(now);
      reason = now.reason ?? reason;
      if (!now.online) return;
      connects++;
      for (const [topic, text] of retained) say(topic, text, true);
    },
    async take({ topic, payload, qos, retain }) {
      received[qos]++;
      const kept: (Promise<void> | undefined)[] = [];
      readers.match(topic, (reader) => kept.push(reader(topic, payload, retain)));
      const all = Promise.all(kept);
      if (qos > 0) await all;
      else all.catch(() => {});
    },
  });

  function say(topic: string, text: string, retain: boolean): void {
    const lost = () => void dropped.set("offline", (dropped.get("offline") ?? 0) + 1);
    if (!remote.isConnected) {
      if (!retain) lost();
      return;
    }
    sent[0]++;
    remote.publish({ topic, payload: Buffer.from(text), qos: 0, retain }).catch(lost);
  }

  function publishText(topic: string, text: string, retain: boolean): void {
    if (retain && text === "") retained.delete(topic);
    else if (retain) retained.set(topic, text);
    say(topic, text, retain);
  }

  function listen(filter: string, reader: Reader): () => void {
    const key = {};
    readers.set(filter, key, reader);
    remote.subscribe(filter, 1);
    return () => readers.delete(filter, key);
  }

  return {
    host: url.hostname,
    port: Number(url.port || (url.protocol.endsWith("s:") ? 8883 : 1883)),
    endpoints: [],
    get clients() {
      return remote.isConnected ? 1 : 0;
    },
    publishText,
    publish: (topic, params, body) => publishText(topic.at(params), topic.encode(body), topic.retain),
    clear: (topic, params) => publishText(topic.at(params), "", true),
    subscribe: (topic, signal) => readTopic(topic, listen, { log, signal }),
    listen,
    has: () => false,
    inject: async (message) => await remote.publish(message),
    figures: {
      get connects() {
        return connects;
      },
      received,
      sent,
      refused: new Map(),
      dropped,
      droppedByClient: () => [...dropped].map(([policy, messages]) => ({ client: node, policy, messages })),
      queued: () => ({ messages: 0, bytes: 0 }),
      get retained() {
        return retained.size;
      },
      get subscriptions() {
        return readers.size;
      },
    },
    // Users, rights and disk are the other broker's.
    get trouble() {
      return remote.isConnected ? undefined : new Fault("BROKER_LOST", `${config.url} is away: ${reason}`);
    },
    reload: async () => {},
    [Symbol.asyncDispose]: () => remote[Symbol.asyncDispose](),
  };
}
