import { isDiskFault } from "#std/disk-fault";
import type { Facts, Log } from "#std/log";
import type { Rights } from "./acl.ts";
import type { MqttLimits } from "./config.ts";
import type { Figures } from "./figures.ts";
import { depth } from "./filter.ts";
import type { Ledger } from "./ledger.ts";
import type { Line } from "./line.ts";
import type { Publication } from "./queues.ts";
import { entryBytes, type Qos, type Session } from "./session.ts";

/** Who says something. */
export interface Author {
  readonly line: Line;
  readonly session: Session;
}

/** A PUBLISH, or a will, which has no identifier. */
export interface Published {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos: Qos;
  readonly retain?: boolean;
  readonly messageId?: number | undefined;
}

export interface IntakePorts {
  readonly ledger: Ledger;
  readonly limits: MqttLimits;
  readonly figures: Figures;
  readonly log: Log;
  readonly rightsOf: (session: Session) => Rights;
}

/** Takes what clients publish: checked, stored, and only then acknowledged. */
export interface Intake {
  publish(author: Author, packet: Published): Promise<void> | undefined;
  /** True once for a QoS 2 packet that was stored just now, so that it is not taken for its own repeat. */
  isFresh(packet: object): boolean;
}

export function createIntake({ ledger, limits, figures, log, rightsOf }: IntakePorts): Intake {
  const fresh = new WeakSet<object>();
  /** The last message of a line that had to wait. */
  const last = new WeakMap<Line, Promise<void>>();

  /** Tells why a publisher is closed. */
  function refusal({ line, session }: Author, reason: string, facts: Facts = {}, phrase = "client closed"): Error {
    figures.refuse(reason);
    log.warn(phrase, { client: session.client, address: line.address, reason, ...facts });
    return new Error(reason);
  }

  /**
   * Takes a message of a client, or a will. Returns at once when nothing of it has to be on disk, otherwise resolves
   * when it is. What it throws closes the client: MQTT 3.1.1 has no other way to say no [MQTT-3.3.5-2].
   */
  function publish(author: Author, packet: Published): Promise<void> | undefined {
    const { session } = author;
    const { topic, qos, messageId, retain = false } = packet;
    if (!rightsOf(session).mayPublish(topic)) {
      throw refusal(author, "publish denied", { topic }, "publish refused");
    }
    if (Buffer.byteLength(topic) > limits.topicBytes || depth(topic) > limits.topicLevels)
      throw refusal(author, "topic limit");
    const payload = packet.payload as Buffer;
    if (retain && !ledger.retained.fits(topic, payload)) {
      figures.drop(session.client, "retained-full");
      throw refusal(author, "retained limit");
    }
    figures.received[qos]++;
    if (qos === 0) return undefined;
    const id = qos === 2 && messageId !== undefined ? messageId : 0;
    const repeated = id > 0 ? session.incoming.get(id) : undefined;
    if (repeated) return repeated;
    if (id > 0 && session.incoming.size >= limits.inflight) throw refusal(author, "not released");
    const targets = ledger.durableTargets(topic, qos);
    const full = ledger.queues.rejects(targets, entryBytes({ topic, payload }));
    if (full) {
      figures.drop(full.client, "reject");
      throw refusal(author, "queue full", { subscriber: full.client });
    }
    if (id > 0) fresh.add(packet);
    if (targets.length === 0 && !retain && (id === 0 || !session.isDurable)) {
      const turn = author.line.isSaving ? last.get(author.line) : undefined;
      if (id > 0) session.incoming.set(id, turn ?? Promise.resolve());
      return turn && queue(author.line, turn);
    }
    const origin = id > 0 ? { session, id } : undefined;
    const saved = ledger.queues.publish({ topic, payload, qos, retain }, targets, origin);
    if (id > 0) session.incoming.set(id, saved);
    return queue(author.line, settle(saved, author, { topic, payload, qos, retain, id }));
  }

  /** Messages of one publisher keep their order, whichever of them go to the disk [MQTT-4.6.0-6]. */
  function queue(line: Line, saved: Promise<void>): Promise<void> {
    const turn = line.isSaving ? last.get(line) : undefined;
    const mine = turn && turn !== saved ? Promise.all([turn, saved]).then(() => {}) : saved;
    last.set(line, mine);
    return mine;
  }

  async function settle(
    saved: Promise<void>,
    { line, session }: Author,
    { topic, payload, qos, retain, id }: Publication & { readonly id: number },
  ): Promise<void> {
    line.begins();
    try {
      await saved;
      if (retain) ledger.retained.keep({ topic, payload, qos });
    } catch (error) {
      session.incoming.delete(id);
      if (!isDiskFault(error))
        log.error("message not stored, its publisher is closed", { client: session.client, topic, error });
      throw error;
    } finally {
      line.ends();
    }
  }

  return { publish, isFresh: (packet) => fresh.delete(packet) };
}
