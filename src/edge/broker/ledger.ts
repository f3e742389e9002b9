import type { Clock } from "#std/clock";
import { isDiskFault } from "#std/disk-fault";
import { Fault } from "#std/fault";
import type { MqttLimits } from "./config.ts";
import type { Figures } from "./figures.ts";
import { GATHER_MS, type Publication, Queues, type Target } from "./queues.ts";
import { Retained } from "./retained.ts";
import { type Qos, Session } from "./session.ts";
import type { BrokerStore, WillRow } from "./store.ts";
import { TopicTrie } from "./trie.ts";

export interface LedgerPorts {
  readonly store: BrokerStore;
  readonly limits: MqttLimits;
  readonly figures: Figures;
  readonly clock: Clock;
  /** May the owner of this session receive this topic? */
  readonly mayReceive: (session: Session, topic: string) => boolean;
}

/** All sessions and what waits for them. The only writer of `broker.db`; what it resolves is on disk. */
export class Ledger {
  readonly retained: Retained;
  readonly queues: Queues;
  readonly #ports: LedgerPorts;
  readonly #sessions = new Map<string, Session>();
  readonly #trie = new TopicTrie<Session, Qos>();
  #mark = 0;
  /** Clients whose will is on disk. */
  readonly #wills = new Set<string>();

  constructor(ports: LedgerPorts) {
    this.#ports = ports;
    this.retained = new Retained(ports.limits);
    this.queues = new Queues({ ...ports, recount: () => this.#recount() });
    this.#restore();
  }

  get sessions(): Iterable<Session> {
    return this.#sessions.values();
  }

  session(client: string): Session | undefined {
    return this.#sessions.get(client);
  }

  get subscriptions(): number {
    return this.#trie.size;
  }

  /** Messages that wait in queues, and their bytes. */
  queued(): { readonly messages: number; readonly bytes: number } {
    let messages = 0;
    let bytes = 0;
    for (const session of this.#sessions.values()) {
      messages += session.messages;
      bytes += session.bytes;
    }
    return { messages, bytes };
  }

  /**
   * Begins or resumes the session of a client. **Source:** MQTT 3.1.1, section 3.1.2.4.
   * @throws {Fault} `OVERLOADED` when there are too many sessions.
   */
  async begin(client: string, clean: boolean, owner: string): Promise<Session> {
    const { store, limits, clock } = this.#ports;
    const known = this.#sessions.get(client);
    if (known && !clean && known.isDurable) return known;
    if (!clean && [...this.#sessions.values()].filter(({ isDurable }) => isDurable).length >= limits.sessions)
      throw new Fault("OVERLOADED", `${limits.sessions} sessions are kept already`);
    if (known) await this.end(known);
    const row = clean
      ? 0
      : Number((await store.db.commit(() => store.addSession.run(client, owner, clock.now()))).lastInsertRowid);
    return this.#create(client, row, owner);
  }

  /** Forgets a session and all that waits for it. */
  async end(session: Session): Promise<void> {
    if (this.#sessions.get(session.client) === session) this.#sessions.delete(session.client);
    for (const filter of session.subscriptions.keys()) this.#trie.delete(filter, session);
    session.subscriptions.clear();
    if (!session.isDurable) return;
    const { store } = this.#ports;
    await store.db.commit(() => {
      for (const { seq, message } of store.heads.all(session.row, 0)) this.queues.dequeue(session.row, seq, message);
      store.unsubscribeAll.run(session.row);
      store.dropAllIncoming.run(session.row);
      store.dropSession.run(session.row);
    });
  }

  /** The client of a session is gone. */
  left(session: Session): void {
    if (!session.isDurable) {
      void this.end(session);
      return;
    }
    const { store, clock } = this.#ports;
    store.db.commit(() => store.sawSession.run(clock.now(), session.row), GATHER_MS).catch(() => {});
  }

  /** Adds filters, or changes their QoS [MQTT-3.8.4-3]. What is asked for in one turn counts in its order. */
  async subscribe(session: Session, filters: readonly (readonly [string, Qos])[]): Promise<void> {
    const { store } = this.#ports;
    if (session.isDurable)
      await store.db.commit(() => {
        for (const [filter, qos] of filters) store.subscribe.run(session.row, filter, qos);
      });
    this.#subscribeNow(session, filters);
  }

  #subscribeNow(session: Session, filters: readonly (readonly [string, Qos])[]): void {
    for (const [filter, qos] of filters) {
      session.subscriptions.set(filter, qos);
      this.#trie.set(filter, session, qos);
    }
  }

  async unsubscribe(session: Session, filters: readonly string[]): Promise<void> {
    const { store } = this.#ports;
    if (session.isDurable)
      await store.db.commit(() => {
        for (const filter of filters) store.unsubscribe.run(session.row, filter);
      });
    for (const filter of filters) {
      session.subscriptions.delete(filter);
      this.#trie.delete(filter, session);
    }
  }

  /** Who gets this topic; a session with several filters that match once, at the highest QoS of them [MQTT-3.3.5-1]. */
  targets(topic: string): readonly Session[] {
    const found: Session[] = [];
    const mark = ++this.#mark;
    this.#trie.match(topic, (qos, session) => {
      if (session.mark !== mark) {
        session.mark = mark;
        session.best = qos;
        found.push(session);
      } else if (qos > session.best) session.best = qos;
    });
    return found;
  }

  /** Durable sessions that get this message at QoS 1 or 2. */
  durableTargets(topic: string, qos: Qos): readonly Target[] {
    const found: Target[] = [];
    for (const session of this.targets(topic)) {
      const best = Math.min(session.best, qos) as Qos;
      if (session.isDurable && best > 0) found.push({ session, qos: best });
    }
    return found;
  }

  /** Puts a message into the queue of a session that is not durable, and lives in memory. */
  push(session: Session, { topic, payload, retain }: Publication, qos: 1 | 2): void {
    const seq = session.nextSeq++;
    session.push({ seq, topic, payload, qos, retain, message: 0, released: false, dup: false });
  }

  /** Keeps a retained message of QoS 0: nobody was promised anything, so the disk may take its time. */
  retainSoon(topic: string, payload: Uint8Array): void {
    this.retained.keep({ topic, payload, qos: 0 });
    const { store } = this.#ports;
    const bytes = Uint8Array.from(payload);
    const write = () => (bytes.length === 0 ? store.dropRetained.run(topic) : store.retain.run(topic, bytes, 0));
    store.db.commit(write, GATHER_MS).catch(() => {});
  }

  /** PUBREC came: on disk before PUBREL goes out, or a kill would send the message twice. */
  async release(session: Session, id: number): Promise<void> {
    const entry = session.inWindow(id);
    if (entry?.qos !== 2 || entry.released) return;
    const { store } = this.#ports;
    if (session.isDurable) await store.db.commit(() => store.markReleased.run(session.row, entry.seq));
    entry.released = true;
  }

  /** PUBREL came: forgotten on disk before PUBCOMP, or the identifier's next message would be taken for a repeat. */
  async forgetIncoming(session: Session, id: number): Promise<void> {
    const { store } = this.#ports;
    if (session.isDurable) await store.db.commit(() => store.dropIncoming.run(session.row, id));
    session.incoming.delete(id);
  }

  async putWill(will: Omit<WillRow, "payload"> & { readonly payload: Uint8Array }): Promise<void> {
    const { store } = this.#ports;
    const { client, owner, topic, payload, qos, retain } = will;
    this.#wills.add(client);
    await store.db.commit(() => store.putWill.run(client, owner, topic, payload, qos, retain));
  }

  async dropWill(client: string): Promise<void> {
    if (!this.#wills.delete(client)) return;
    const { store } = this.#ports;
    await store.db.commit(() => store.dropWill.run(client));
  }

  /** Wills of clients that were connected when the node ended: to be published, then dropped. */
  wills(): readonly WillRow[] {
    const wills = this.#ports.store.wills.all();
    for (const { client } of wills) this.#wills.add(client);
    return wills;
  }

  /** Drops what is too old, some at a time. */
  async expire(): Promise<void> {
    const { store, limits, clock, figures } = this.#ports;
    const now = clock.now();
    const old = new Map(store.sessions.all().map(({ id, seen }) => [id, now - seen > limits.sessionExpiry]));
    for (const session of [...this.#sessions.values()]) {
      if (!session.isDurable) continue;
      if (!session.line && old.get(session.row)) {
        figures.drop(session.client, "expiry", session.messages);
        await this.end(session);
        continue;
      }
      await store.db.commit(() => this.queues.dropOldest(session, "age", ({ at }) => now - at > limits.queueAge));
    }
  }

  /** Writes what may wait no longer. */
  [Symbol.dispose](): void {
    try {
      this.#ports.store.db.commitNow(() => this.queues.forgetDone());
    } catch (error) {
      // What was delivered is delivered again after the next start; a broken disk must not hold up the end.
      if (!isDiskFault(error)) throw error;
    }
  }

  #create(client: string, row: number, owner: string): Session {
    const { limits, figures, mayReceive } = this.#ports;
    const session = new Session(client, row, owner, {
      limits,
      mayReceive,
      load: (session, after) => this.queues.load(session, after),
      done: (session, entry) => this.queues.delivered(session, entry),
      sent: (qos) => {
        figures.sent[qos]++;
      },
    });
    this.#sessions.set(client, session);
    return session;
  }

  #restore(): void {
    const { store, limits } = this.#ports;
    const byRow = new Map<number, Session>();
    for (const { id, client, owner, messages, bytes, last } of store.sessions.all()) {
      const session = this.#create(client, id, owner);
      byRow.set(id, session);
      Object.assign(session, {
        messages,
        bytes,
        nextSeq: last + 1,
        maybeSent: { upTo: last, entries: limits.inflight },
      });
    }
    for (const { session: row, filter, qos } of store.subscriptions.all()) {
      const session = byRow.get(row);
      if (session) this.#subscribeNow(session, [[filter, qos]]);
    }
    for (const { session, id } of store.incoming.all()) byRow.get(session)?.incoming.set(id, Promise.resolve());
    for (const { topic, payload, qos } of store.retained.all()) this.retained.keep({ topic, payload, qos });
  }

  #recount(): void {
    const { store } = this.#ports;
    for (const { client, messages, bytes } of store.sessions.all()) {
      const session = this.#sessions.get(client);
      if (session) Object.assign(session, { messages, bytes });
    }
  }
}
