import type { Metrics, Sample } from "#std/metrics";
import type { Broker } from "./broker.ts";

/** What an operator asks of the broker. */
export function measureBroker(
  metrics: Metrics,
  { figures, ...broker }: Pick<Broker, "figures"> & { clients(): number },
): void {
  const byKey = <L extends string>(label: L, counts: ReadonlyMap<string, number>): Sample<L>[] =>
    [...counts].map(([key, value]) => ({ labels: { [label]: key } as { readonly [name in L]: string }, value }));
  const byQos = (counts: readonly number[]) => counts.map((value, qos) => ({ labels: { qos: String(qos) }, value }));

  metrics.gauge("edge_mqtt_clients", "Clients connected to the broker.", () => broker.clients());
  metrics.total("edge_mqtt_connects_total", "Clients that connected.", () => figures.connects);
  metrics.totals("edge_mqtt_refused_total", "What was refused or closed, by reason.", ["reason"], () =>
    byKey("reason", figures.refused),
  );
  metrics.totals("edge_mqtt_received_total", "Messages that clients published.", ["qos"], () =>
    byQos(figures.received),
  );
  metrics.totals("edge_mqtt_sent_total", "Messages that were sent to clients.", ["qos"], () => byQos(figures.sent));
  metrics.totals("edge_mqtt_dropped_total", "Messages that a limit dropped.", ["client", "policy"], () =>
    [...figures.droppedByClient()].map(({ client, policy, messages }) => ({
      labels: { client, policy },
      value: messages,
    })),
  );
  metrics.gauge("edge_mqtt_queue_messages", "Messages that wait for sessions.", () => figures.queued().messages);
  metrics.gauge("edge_mqtt_queue_bytes", "Bytes that wait for sessions.", () => figures.queued().bytes);
  metrics.gauge("edge_mqtt_retained", "Retained messages.", () => figures.retained);
  metrics.gauge("edge_mqtt_subscriptions", "Subscriptions of clients.", () => figures.subscriptions);
}
