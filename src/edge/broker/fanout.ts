import type { MqttLimits } from "./config.ts";
import type { Figures } from "./figures.ts";
import type { Ledger } from "./ledger.ts";
import { encodePublish } from "./packets.ts";
import type { Publication } from "./queues.ts";
import type { Qos, Session } from "./session.ts";
import { TopicTrie } from "./trie.ts";

/**
 * Somebody within the node who listens. A promise that it returns resolves when it has the message for good: one at QoS 1
 * or 2 is not acknowledged before, and its publisher is closed when it rejects.
 */
export type Reader = (topic: string, payload: Uint8Array, retain: boolean) => Promise<void> | undefined;

/** What the node or a client says now. */
export interface Said {
  readonly topic: string;
  /** Text is encoded when somebody listens. */
  readonly payload: Uint8Array | string;
  readonly qos: Qos;
}

export interface FanoutPorts {
  readonly ledger: Ledger;
  readonly figures: Figures;
  /** Is told of a message that a connected session could not take. */
  readonly overrun: (session: Session, qos: Qos) => void;
  readonly limits: Pick<MqttLimits, "bufferBytes">;
}

/** A session that ends with its connection may have this many times the budget of a socket wait in memory. */
const BACKLOG = 4;

/**
 * Hands messages to everybody who is there. At QoS 0 all get the same bytes. What durable sessions are owed at QoS 1
 * and 2 is stored before a message comes here, and sent by their queues.
 */
export class Fanout {
  readonly #ports: FanoutPorts;
  readonly #readers = new TopicTrie<object, Reader>();

  constructor(ports: FanoutPorts) {
    this.#ports = ports;
  }

  /** Listens within the node until the returned function is called. */
  listen(filter: string, reader: Reader): () => void {
    const key = {};
    this.#readers.set(filter, key, reader);
    return () => this.#readers.delete(filter, key);
  }

  /** Tells those within the node; nothing is encoded when nobody listens. Resolves when all have it for good. */
  hear(topic: string, payload: Uint8Array | string, retain: boolean): Promise<void> | undefined {
    let bytes: Uint8Array | undefined;
    let kept: Promise<void>[] | undefined;
    this.#readers.match(topic, (reader) => {
      bytes ??= typeof payload === "string" ? Buffer.from(payload) : payload;
      const keeping = reader(topic, bytes, retain);
      if (!keeping) return;
      kept ??= [];
      kept.push(keeping);
    });
    return kept && Promise.all(kept).then(() => {});
  }

  /** Sends to the clients, on the way of every value. */
  deliver({ topic, payload, qos: published }: Said): void {
    const { ledger, figures, overrun, limits } = this.#ports;
    let bytes: Uint8Array | undefined;
    const encoded = () => {
      bytes ??= typeof payload === "string" ? Buffer.from(payload) : payload;
      return bytes;
    };
    let frame: Buffer | undefined;
    for (const session of ledger.targets(topic)) {
      const { line } = session;
      const qos = Math.min(session.best, published) as Qos;
      if (!line || (qos > 0 && session.isDurable)) continue;
      if (qos > 0) {
        ledger.push(session, { topic, payload: encoded(), qos, retain: false }, qos as 1 | 2);
        if (session.bytes > limits.bufferBytes * BACKLOG) overrun(session, qos);
      } else if (line.hasRoom) {
        frame ??= encodePublish({ topic, payload: encoded(), qos: 0, retain: false, dup: false, id: 0 });
        line.send(frame);
        figures.sent[0]++;
      } else overrun(session, 0);
    }
  }

  /** Sends what is retained under a filter to one who just subscribed [MQTT-3.3.1-6]. */
  recall(session: Session, filter: string, granted: Qos): void {
    const { ledger, figures } = this.#ports;
    const kept: Publication[] = [];
    const { retained } = ledger;
    session.line?.feed(
      (function* () {
        for (const { topic, payload, qos } of retained.matching(filter)) {
          const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
          if (Math.min(qos, granted) > 0) continue;
          figures.sent[0]++;
          yield encodePublish({ topic, payload: bytes, qos: 0, retain: true, dup: false, id: 0 });
        }
      })(),
    );
    if (granted === 0) return;
    for (const { topic, payload, qos } of retained.matching(filter))
      if (qos > 0 && typeof payload !== "string") kept.push({ topic, payload, qos, retain: true });
    for (const publication of kept) {
      const qos = Math.min(publication.qos, granted) as 1 | 2;
      if (session.isDurable)
        ledger.queues.publish({ ...publication, retain: false }, [{ session, qos, isRetained: true }]).catch(() => {});
      else ledger.push(session, publication, qos);
    }
  }
}
