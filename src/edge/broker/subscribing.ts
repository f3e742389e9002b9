import type { Log } from "#std/log";
import type { Rights } from "./acl.ts";
import type { MqttLimits } from "./config.ts";
import type { Fanout } from "./fanout.ts";
import type { Figures } from "./figures.ts";
import { depth } from "./filter.ts";
import type { Author } from "./intake.ts";
import type { Ledger } from "./ledger.ts";
import { encodeSuback, encodeUnsuback } from "./packets.ts";
import type { Qos, Session } from "./session.ts";

export interface SubscribingPorts {
  readonly ledger: Ledger;
  readonly limits: MqttLimits;
  readonly figures: Figures;
  readonly fanout: Fanout;
  readonly log: Log;
  readonly rightsOf: (session: Session) => Rights;
}

/** SUBSCRIBE and UNSUBSCRIBE: answered when the change is on disk. What they throw closes the client. */
export interface Subscribing {
  subscribe(author: Author, id: number, filters: readonly (readonly [filter: string, qos: Qos])[]): Promise<void>;
  unsubscribe(author: Author, id: number, filters: readonly string[]): Promise<void>;
}

const REFUSED = 128;

export function createSubscribing({ ledger, limits, figures, fanout, log, rightsOf }: SubscribingPorts): Subscribing {
  /** Why a filter is refused, if it is. */
  function refusal(session: Session, filter: string, wanted: ReadonlySet<string>): string | undefined {
    if (Buffer.byteLength(filter) > limits.topicBytes || depth(filter) > limits.topicLevels)
      return "subscription limit";
    const isNew = !session.subscriptions.has(filter) && !wanted.has(filter);
    if (isNew && session.subscriptions.size + wanted.size >= limits.subscriptions) return "subscription limit";
    return rightsOf(session).maySubscribe(filter) ? undefined : "subscribe denied";
  }

  return {
    async subscribe({ line, session }, id, filters) {
      const wanted = new Map<string, Qos>();
      const fresh = new Set<string>();
      const codes = filters.map(([filter, qos]) => {
        const reason = refusal(session, filter, fresh);
        if (reason === undefined) {
          // The same filter again is as if it came in a SUBSCRIBE of its own: the last counts [MQTT-3.8.4-4].
          wanted.set(filter, qos);
          if (!session.subscriptions.has(filter)) fresh.add(filter);
          return qos;
        }
        figures.refuse(reason);
        log.warn("subscribe refused", { client: session.client, filter, reason });
        return REFUSED;
      });
      await ledger.subscribe(session, [...wanted]);
      line.send(encodeSuback(id, codes));
      for (const [filter, qos] of wanted) fanout.recall(session, filter, qos);
    },

    async unsubscribe({ line, session }, id, filters) {
      await ledger.unsubscribe(session, filters);
      line.send(encodeUnsuback(id));
    },
  };
}
