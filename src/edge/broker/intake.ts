import { isDiskFault } from "#std/disk-fault";
import type { Facts, Log } from "#std/log";
import type { Rights } from "./acl.ts";
import type { MqttLimits } from "./config.ts";
import type { Publish } from "./decode.ts";
import type { Fanout } from "./fanout.ts";
import type { Figures } from "./figures.ts";
import { depth } from "./filter.ts";
import type { Ledger } from "./ledger.ts";
import type { Line } from "./line.ts";
import type { Publication } from "./queues.ts";
import { entryBytes, type Session } from "./session.ts";

/** Who says something. */
export interface Author {
  readonly line: Line;
  readonly session: Session;
}

/** What became of a message that is not handed on at once. */
export interface Taken {
  /** It came before, at QoS 2: it is only acknowledged. */
  readonly isRepeat: boolean;
  /** Resolves when it is on disk. */
  readonly saved: Promise<void>;
}

export interface IntakePorts {
  readonly ledger: Ledger;
  readonly limits: MqttLimits;
  readonly figures: Figures;
  readonly log: Log;
  readonly rightsOf: (session: Session) => Rights;
  /** Tells the node itself; what that has to keep is kept when it resolves. */
  readonly hear: Fanout["hear"];
}

/** Takes what clients publish: checked, stored, and only then acknowledged. */
export interface Intake {
  /** @param message - a PUBLISH, or a will, whose identifier is 0. */
  publish(author: Author, message: Publish): Taken | undefined | "refused";
}

export function createIntake({ ledger, limits, figures, log, rightsOf, hear }: IntakePorts): Intake {
  /** The last message of a line that had to wait. */
  const last = new WeakMap<Line, Promise<void>>();

  /** Tells why a publisher is closed. */
  function refusal({ line, session }: Author, reason: string, facts: Facts = {}, phrase = "client closed"): "refused" {
    figures.refuse(reason);
    log.warn(phrase, { client: session.client, address: line.address, reason, ...facts });
    return "refused";
  }

  /**
   * Takes a message of a client, or a will. Returns nothing when it can be handed on at once. Who is refused is to be
   * closed: MQTT 3.1.1 has no other way to say no [MQTT-3.3.5-2].
   */
  function publish(author: Author, message: Publish): Taken | undefined | "refused" {
    const { session } = author;
    const { topic, payload, qos, retain } = message;
    if (!rightsOf(session).mayPublish(topic)) {
      return refusal(author, "publish denied", { topic }, "publish refused");
    }
    if (Buffer.byteLength(topic) > limits.topicBytes || depth(topic) > limits.topicLevels)
      return refusal(author, "topic limit");
    if (retain && !ledger.retained.fits(topic, payload)) {
      figures.drop(session.client, "retained-full");
      return refusal(author, "retained limit");
    }
    figures.received[qos]++;
    if (qos === 0) return undefined;
    const id = qos === 2 ? message.id : 0;
    const repeated = id > 0 ? session.incoming.get(id) : undefined;
    if (repeated) return { isRepeat: true, saved: repeated };
    if (id > 0 && session.incoming.size >= limits.inflight) return refusal(author, "not released");
    const targets = ledger.durableTargets(topic, qos);
    const full = ledger.queues.rejects(targets, entryBytes({ topic, payload }));
    if (full) {
      figures.drop(full.client, "reject");
      return refusal(author, "queue full", { subscriber: full.client });
    }
    const heard = hear(topic, payload, retain);
    if (!heard && targets.length === 0 && !retain && (id === 0 || !session.isDurable)) {
      const turn = author.line.isSaving ? last.get(author.line) : undefined;
      if (id > 0) session.incoming.set(id, turn ?? Promise.resolve());
      return turn && { isRepeat: false, saved: queue(author.line, turn) };
    }
    const origin = id > 0 ? { session, id } : undefined;
    const publication = { topic, payload, qos, retain };
    const saved = heard
      ? heard.then(() => ledger.queues.publish(publication, ledger.durableTargets(topic, qos), origin))
      : ledger.queues.publish(publication, targets, origin);
    if (id > 0) session.incoming.set(id, saved);
    return { isRepeat: false, saved: queue(author.line, settle(saved, author, { topic, payload, qos, retain, id })) };
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

  return { publish };
}
