import { Bell } from "#std/bell";
import type { Log } from "#std/log";
import type { Metrics } from "#std/metrics";
import type { Broker } from "../broker/broker.ts";
import type { BridgeConfig } from "../broker/config.ts";
import { isReserved, matches } from "../broker/filter.ts";
import { type Outgoing, openBridgeQueue } from "./queue.ts";
import { openRemote, type RemoteMessage } from "./remote.ts";

export interface BridgePorts {
  readonly broker: Pick<Broker, "listen" | "inject">;
  readonly dataDir: string;
  /** Names this node at the other broker, unless the configuration does. */
  readonly node: string;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Messages under way to the other broker. */
const WINDOW = 100;
/** After a message was not taken, the next try comes with a new connection or after this time. */
const RETRY_MS = 1000;

/**
 * Carries topics to another broker and back until the signal aborts. What goes out at QoS 1 is on disk until the other
 * broker acknowledged it, and is sent again when that is not known; what comes in is acknowledged when it is on disk
 * here. A filter that goes both ways needs `version: 5` there, which does not send us back our own.
 */
export async function serveBridge(
  config: BridgeConfig,
  { broker, dataDir, node, metrics, log }: BridgePorts,
  signal: AbortSignal,
): Promise<void> {
  using queue = openBridgeQueue(dataDir, config.limits, log);
  const bell = new Bell();
  const mine = new WeakSet<object>();
  const incoming = config.topics.filter(({ direction }) => direction === "in");
  let lost = 0;
  let isUp = false;
  let retryAt = 0;

  await using remote = openRemote(config, {
    clientId: config.clientId ?? `skerry-${node}`,
    changed(isConnected) {
      if (isConnected !== isUp) log.info(isConnected ? "bridge up" : "bridge down", { url: config.url });
      isUp = isConnected;
      retryAt = 0;
      bell.ring();
    },
    async take({ topic, payload, qos, retain }: RemoteMessage) {
      const prefix = incoming.find(({ filter }) => matches(filter, topic))?.prefix ?? "";
      const name = `${prefix}${topic}`;
      // The other broker may speak to the devices by wishes and commands, but not in the node's name.
      if (isReserved(name)) return log.debug("bridged message refused", { topic: name });
      mine.add(payload);
      await broker.inject({ topic: name, payload, qos, retain });
    },
  });
  for (const { filter, qos } of incoming) remote.subscribe(filter, qos);

  const stops = config.topics
    .filter(({ direction }) => direction === "out")
    .map(({ filter, qos, prefix }) =>
      broker.listen(filter, (topic, payload, retain) => {
        if (mine.has(payload)) return;
        const name = `${prefix}${topic}`;
        if (qos === 0) {
          if (remote.isConnected) remote.publish({ topic: name, payload, qos, retain }).catch(() => lost++);
          else lost++;
          return;
        }
        queue.append(name, payload, retain).then(
          () => bell.ring(),
          (error: unknown) => log.error("bridged message lost, it could not be saved", { topic: name, error }),
        );
      }),
    );
  metrics.gauge("edge_bridge_online", "1 while the other broker is connected.", () => (isUp ? 1 : 0));
  metrics.gauge("edge_bridge_messages", "Messages that wait for the other broker.", () => queue.messages);
  metrics.total("edge_bridge_dropped_total", "Messages that a limit or an outage dropped.", () => queue.dropped + lost);

  let sentUpTo = 0;
  let underWay = 0;
  const send = async (message: Outgoing) => {
    underWay++;
    try {
      const { topic, payload, retain } = message;
      await remote.publish({ topic, payload, qos: 1, retain: retain === 1 });
      await queue.delete(message);
    } catch {
      // Whether it arrived is not known: from here on all is sent again, in order.
      sentUpTo = Math.min(sentUpTo, message.seq - 1);
      retryAt = performance.now() + RETRY_MS;
    } finally {
      underWay--;
      bell.ring();
    }
  };
  try {
    while (!signal.aborted) {
      if (remote.isConnected && underWay < WINDOW && performance.now() >= retryAt)
        for (const message of queue.after(sentUpTo, WINDOW - underWay)) {
          sentUpTo = message.seq;
          void send(message);
        }
      await bell.wait(signal, RETRY_MS);
    }
  } finally {
    for (const stop of stops) stop();
  }
}
