import type { Clock } from "#std/clock";
import type { Log } from "#std/log";
import type { Metrics } from "#std/metrics";
import type { Broker } from "../broker/broker.ts";
import type { BridgeConfig } from "../broker/config.ts";
import { isReserved, matches } from "../broker/filter.ts";
import { createSender } from "./outgoing.ts";
import { openBridgeQueue } from "./queue.ts";
import { openRemote, type RemoteMessage, type RemoteState } from "./remote.ts";
import { Rounds } from "./rounds.ts";

export interface BridgePorts {
  readonly broker: Pick<Broker, "listen" | "inject" | "has">;
  readonly dataDir: string;
  /** Names this node at the other broker, unless the configuration does. */
  readonly node: string;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
  /** Is told how the bridge is, each time that it changes. */
  readonly state: (state: RemoteState) => void;
}

/**
 * Carries topics to another broker and back until the signal aborts. What goes out at QoS 1 is on disk until the other
 * broker acknowledged it, and is sent again when that is not known; what comes in is acknowledged when it is on disk
 * here. Nothing that came in goes out again, and nothing goes round: neither to this very broker nor between bridges.
 */
export async function serveBridge(config: BridgeConfig, ports: BridgePorts, signal: AbortSignal): Promise<void> {
  const { broker, dataDir, node, metrics, clock, log } = ports;
  const { url, topics, limits, clientId = `skerry-${node}` } = config;
  using queue = openBridgeQueue(dataDir, limits, log);
  const mine = new WeakSet<object>();
  const rounds = new Rounds();
  const incoming = topics.filter(({ direction }) => direction === "in");
  /** What was not carried, and why. */
  const dropped = { offline: 0, round: 0, unsaved: 0 };
  let isSelf = false;

  await using remote = openRemote(config, {
    clientId,
    clock,
    log,
    changed(state) {
      // Our own client is a client of our own broker: the URL leads back here.
      isSelf = state.online && broker.has(clientId);
      if (isSelf) log.error("bridge leads to this very broker, nothing is carried", { url });
      ports.state(isSelf ? { online: false, since: state.since, reason: "it leads to this very broker" } : state);
      sender.changed();
    },
    async take({ topic, payload, qos, retain }: RemoteMessage) {
      if (isSelf) return;
      const prefix = incoming.find(({ filter }) => matches(filter, topic))?.prefix ?? "";
      const name = `${prefix}${topic}`;
      // The other broker may speak to the devices by wishes and commands, but not in the node's name.
      if (isReserved(name)) return log.debug("bridged message refused", { topic: name });
      mine.add(payload);
      await broker.inject({ topic: name, payload, qos, retain });
    },
  });
  const door = {
    get isConnected() {
      return remote.isConnected && !isSelf;
    },
    publish: (message: RemoteMessage) => remote.publish(message),
  };
  const sender = createSender({ queue, remote: door, clock, log });
  for (const { filter, qos } of incoming) remote.subscribe(filter, qos);

  const stops = topics
    .filter(({ direction }) => direction === "out")
    .map(({ filter, qos, prefix }) =>
      broker.listen(filter, (topic, payload, retain) => {
        if (mine.has(payload)) return undefined;
        const told = () => log.error("message goes round between bridges, dropped", { topic });
        if (isSelf || rounds.isRound(topic, payload, clock.monotonic(), told)) {
          dropped.round++;
          return undefined;
        }
        const name = `${prefix}${topic}`;
        if (qos === 0) {
          if (door.isConnected) door.publish({ topic: name, payload, qos, retain }).catch(() => dropped.offline++);
          else dropped.offline++;
          return undefined;
        }
        return queue.append(name, payload, retain).then(
          () => sender.ring(),
          (error: unknown) => {
            dropped.unsaved++;
            throw error;
          },
        );
      }),
    );
  metrics.gauge("edge_bridge_online", "1 while the other broker is connected.", () => (door.isConnected ? 1 : 0));
  metrics.gauge("edge_bridge_messages", "Messages that wait for the other broker.", () => queue.messages);
  metrics.gauge("edge_bridge_bytes", "Bytes that wait for the other broker.", () => queue.bytes);
  metrics.totals("edge_bridge_dropped_total", "Messages that were not carried, by reason.", ["reason"], () =>
    Object.entries({ "queue-full": queue.dropped, refused: sender.refused, ...dropped }).map(([reason, value]) => ({
      labels: { reason },
      value,
    })),
  );
  try {
    await sender.serve(signal);
  } finally {
    for (const stop of stops) stop();
  }
}
