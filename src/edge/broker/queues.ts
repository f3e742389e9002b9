import type { Clock } from "#std/clock";
import type { MqttLimits } from "./config.ts";
import type { Figures } from "./figures.ts";
import { type Entry, entryBytes, type Qos, type Session } from "./session.ts";
import type { BrokerStore } from "./store.ts";

/** A message of a client on its way to the disk. */
export interface Publication {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly retain: boolean;
}

/** Whom a QoS 2 publication came from: its identifier is stored with it, so that a repeat is recognised. */
export interface Origin {
  readonly session: Session;
  readonly id: number;
}

/** Who gets messages of a topic: a session at the highest QoS of its filters that match. */
export interface Target {
  readonly session: Session;
  readonly qos: Qos;
  /** True when it is sent because it was retained [MQTT-3.3.1-8]. */
  readonly isRetained?: boolean;
}

export interface QueuesPorts {
  readonly store: BrokerStore;
  readonly limits: MqttLimits;
  readonly figures: Figures;
  readonly clock: Clock;
  /** Counts anew what waits for the sessions, after a commit was undone. */
  readonly recount: () => void;
}

interface Pushed {
  readonly session: Session;
  readonly entry: Entry;
}
type Done = Pushed;

/** Acknowledgements of subscribers may wait this long for company: a repeat after a kill is allowed, a loss is not. */
export const GATHER_MS = 50;
/** Entries that a session reads from disk at once. */
const READ_BYTES = 256 * 1024;
const READ_ENTRIES = 500;

/** The queues of durable sessions on disk. Every message is stored once; queues refer to it. */
export class Queues {
  readonly #ports: QueuesPorts;
  #batch: (() => readonly Pushed[])[] = [];
  #committing: Promise<void> | undefined;
  #done: Done[] = [];
  #isForgetting = false;

  constructor(ports: QueuesPorts) {
    this.#ports = ports;
  }

  /** True when one of the queues is full and the policy is to reject. */
  rejects(targets: readonly Target[], bytes: number): Session | undefined {
    const { whenFull, queueMessages, queueBytes } = this.#ports.limits;
    if (whenFull !== "reject") return undefined;
    const isFull = ({ session }: Target) => session.messages + 1 > queueMessages || session.bytes + bytes > queueBytes;
    return targets.find(isFull)?.session;
  }

  /**
   * Stores a message with all queues that it goes to, what it retains and where it came from. When this resolves it is
   * on disk, and on its way to those who are connected. All that come in one turn of the event loop share a commit.
   */
  publish(publication: Publication, targets: readonly Target[], origin?: Origin): Promise<void> {
    const { store } = this.#ports;
    this.#batch.push(() => {
      const { topic, payload, qos, retain } = publication;
      if (origin?.session.isDurable) store.addIncoming.run(origin.session.row, origin.id);
      if (retain) this.#retain(topic, payload, qos);
      return this.#enqueue(publication, targets);
    });
    let done: readonly Done[] = [];
    this.#committing ??= store.db
      .commit(() => {
        const batch = this.#batch;
        this.#batch = [];
        this.#committing = undefined;
        done = this.forgetDone();
        return batch.flatMap((work) => work());
      })
      .then(
        (pushed) => {
          for (const { session, entry } of pushed) session.push(entry);
        },
        (error: unknown) => {
          // The transaction is undone, so what is counted in memory has to be counted again.
          this.#done.unshift(...done);
          this.#ports.recount();
          throw error;
        },
      );
    return this.#committing;
  }

  /** A message is acknowledged: its row goes with others, soon. */
  delivered(session: Session, entry: Entry): void {
    session.messages--;
    session.bytes -= entryBytes(entry);
    if (!session.isDurable) return;
    this.#done.push({ session, entry });
    void this.#forgetSoon();
  }

  /** Takes away what was delivered; what the disk does not take now goes with a later one. */
  async #forgetSoon(): Promise<void> {
    if (this.#isForgetting) return;
    this.#isForgetting = true;
    let done: readonly Done[] = [];
    try {
      await this.#ports.store.db.commit(() => {
        done = this.forgetDone();
      }, GATHER_MS);
    } catch {
      this.#done.unshift(...done);
    } finally {
      this.#isForgetting = false;
    }
  }

  /** Within a commit: takes away what was delivered, and returns what that was. */
  forgetDone(): readonly Done[] {
    const done = this.#done;
    this.#done = [];
    for (const { session, entry } of done) this.dequeue(session.row, entry.seq, entry.message);
    return done;
  }

  /** Within a commit: takes a message out of a queue, and away when it waits in no other. */
  dequeue(row: number, seq: number, message: number): void {
    const { store } = this.#ports;
    if (store.dequeue.run(row, seq).changes === 0) return;
    if (store.dropMessage.run(message).changes === 0) store.releaseMessage.run(message);
  }

  #retain(topic: string, payload: Uint8Array, qos: Qos): void {
    const { store } = this.#ports;
    if (payload.length === 0) store.dropRetained.run(topic);
    else store.retain.run(topic, payload, qos);
  }

  #enqueue({ topic, payload }: Publication, targets: readonly Target[]): readonly Pushed[] {
    const { store, limits, clock, figures } = this.#ports;
    if (targets.length === 0) return [];
    const bytes = entryBytes({ topic, payload });
    const message = Number(store.addMessage.run(topic, payload, targets.length, clock.now()).lastInsertRowid);
    const pushed: Pushed[] = [];
    for (const { session, qos, isRetained = false } of targets) {
      if (session.messages + 1 > limits.queueMessages || session.bytes + bytes > limits.queueBytes) {
        let over = session.messages + 1 - limits.queueMessages;
        let overBytes = session.bytes + bytes - limits.queueBytes;
        this.dropOldest(session, "drop-oldest", (head) => {
          const isOver = over > 0 || overBytes > 0;
          over--;
          overBytes -= head.bytes;
          return isOver;
        });
      }
      if (session.messages + 1 > limits.queueMessages || session.bytes + bytes > limits.queueBytes) {
        // All that is left is in flight: what can not be stored was never promised to this one.
        figures.drop(session.client, "drop-oldest");
        if (store.dropMessage.run(message).changes === 0) store.releaseMessage.run(message);
        continue;
      }
      const seq = session.nextSeq++;
      store.enqueue.run(session.row, seq, message, qos, isRetained ? 1 : 0);
      session.messages++;
      session.bytes += bytes;
      pushed.push({
        session,
        entry: { seq, topic, payload, qos: qos as 1 | 2, retain: isRetained, message, released: false, dup: false },
      });
    }
    return pushed;
  }

  /** Within a commit: drops from the head of what was not sent yet, as long as `isDue` says so. */
  dropOldest(
    session: Session,
    policy: string,
    isDue: (head: { readonly at: number; readonly bytes: number }) => boolean,
  ): void {
    const { store, figures } = this.#ports;
    const due: { seq: number; message: number; bytes: number }[] = [];
    for (const head of store.heads.iterate(session.row, session.lastSent)) {
      if (due.length >= READ_ENTRIES || !isDue(head)) break;
      due.push(head);
    }
    for (const { seq, message, bytes } of due) {
      this.dequeue(session.row, seq, message);
      session.messages--;
      session.bytes -= bytes;
      session.dropped(seq);
    }
    if (due.length > 0) figures.drop(session.client, policy, due.length);
  }

  /** The next entries of a session after a number, some at a time. */
  load(session: Session, after: number): readonly Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    for (const row of this.#ports.store.queue.iterate(session.row, after)) {
      const { seq, topic, payload, qos, message } = row;
      entries.push({
        seq,
        topic,
        payload,
        qos,
        message,
        retain: row.retain === 1,
        released: row.released === 1,
        dup: false,
      });
      bytes += payload.length;
      if (bytes >= READ_BYTES || entries.length >= READ_ENTRIES) break;
    }
    return entries;
  }
}
