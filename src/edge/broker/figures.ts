/** Clients whose drops are told one by one; beyond it they are told together. */
const MOST_CLIENTS = 200;

/** What the broker counts, for metrics and for people. */
export class Figures {
  connects = 0;
  /** Messages that clients published, by QoS. */
  readonly received: [number, number, number] = [0, 0, 0];
  /** Messages that were sent to clients, by QoS. */
  readonly sent: [number, number, number] = [0, 0, 0];
  /** Connections that were refused or closed for what they did, by reason. */
  readonly refused = new Map<string, number>();
  /** Messages that were dropped, by policy. */
  readonly dropped = new Map<string, number>();
  readonly #droppedOf = new Map<string, Map<string, number>>();

  refuse(reason: string): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
  }

  /** @param policy - `buffer-full`, `drop-oldest`, `reject`, `age` or `expiry`. */
  drop(client: string, policy: string, messages = 1): void {
    this.dropped.set(policy, (this.dropped.get(policy) ?? 0) + messages);
    const name = this.#droppedOf.has(client) || this.#droppedOf.size < MOST_CLIENTS ? client : "others";
    const of = this.#droppedOf.get(name) ?? new Map<string, number>();
    of.set(policy, (of.get(policy) ?? 0) + messages);
    this.#droppedOf.set(name, of);
  }

  /** Dropped messages of each client and policy. */
  *droppedByClient(): Generator<{ readonly client: string; readonly policy: string; readonly messages: number }> {
    for (const [client, of] of this.#droppedOf) for (const [policy, messages] of of) yield { client, policy, messages };
  }
}
