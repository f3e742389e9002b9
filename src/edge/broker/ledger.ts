import type { Clock } from "#std/clock";
import { Fault } from "#std/fault";
import type { MqttLimits } from "./config.ts";
import type { Figures } from "./figures.ts";
import { Retained } from "./retained.ts";
import { type Entry, entryBytes, type Qos, Session } from "./session.ts";
import type { BrokerStore, WillRow } from "./store.ts";
import { TopicTrie } from "./trie.ts";

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

export interface LedgerPorts {
  readonly store: BrokerStore;
  readonly limits: MqttLimits;
  readonly figures: Figures;
  readonly clock: Clock;
  /** May the owner of this session receive this topic? */
  readonly mayReceive: (session: Session, topic: string) => boolean;
}

interface Pushed {
  readonly session: Session;
  readonly entry: Entry;
}

/** Acknowledgements of subscribers may wait this long for company: a repeat after a kill is allowed, a loss is not. */
const GATHER_MS = 50;
/** Entries that a session reads from disk at once. */
const READ_BYTES = 256 * 1024;
const READ_ENTRIES = 500;

/** All sessions and what waits for them. The only writer of `broker.db`; what it resolves is on disk. */
export class Ledger {
  readonly retained: Retained;
  readonly #ports: LedgerPorts;
  readonly #sessions = new Map<string, Session>();
  readonly #trie = new TopicTrie<Session, Qos>();
  #batch: (() => readonly Pushed[])[] = [];
  #committing: Promise<void> | undefined;
  #done: { readonly session: Session; readonly entry: Entry }[] = [];
  #mark = 0;
  /** Clients whose will is on disk. */
  readonly #wills = new Set<string>();

  constructor(ports: LedgerPorts) {
    this.#ports = ports;
    this.retained = new Retained(ports.limits);
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
      for (const { seq, message } of store.heads.all(session.row, 0)) this.#dequeue(session.row, seq, message);
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

  /** Adds filters, or changes their QoS [MQTT-3.8.4-3]. */
  async subscribe(session: Session, filters: readonly (readonly [string, Qos])[]): Promise<void> {
    const { store } = this.#ports;
    const fresh = filters.filter(([filter, qos]) => session.subscriptions.get(filter) !== qos);
    if (fresh.length === 0) return;
    if (session.isDurable)
      await store.db.commit(() => {
        for (const [filter, qos] of fresh) store.subscribe.run(session.row, filter, qos);
      });
    this.subscribeNow(session, fresh);
  }

  /** The same for a session that needs no disk. */
  subscribeNow(session: Session, filters: readonly (readonly [string, Qos])[]): void {
    for (const [filter, qos] of filters) {
      session.subscriptions.set(filter, qos);
      this.#trie.set(filter, session, qos);
    }
  }

  async unsubscribe(session: Session, filters: readonly string[]): Promise<void> {
    const { store } = this.#ports;
    const known = filters.filter((filter) => session.subscriptions.has(filter));
    if (known.length === 0) return;
    if (session.isDurable)
      await store.db.commit(() => {
        for (const filter of known) store.unsubscribe.run(session.row, filter);
      });
    for (const filter of known) {
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
    this.#committing ??= store.db
      .commit(() => {
        const batch = this.#batch;
        this.#batch = [];
        this.#committing = undefined;
        this.#forgetDone();
        return batch.flatMap((work) => work());
      })
      .then(
        (pushed) => {
          for (const { session, entry } of pushed) session.push(entry);
        },
        (error: unknown) => {
          // The transaction is undone, so what is counted in memory has to be counted again.
          this.#recount();
          throw error;
        },
      );
    return this.#committing;
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
    if (!entry || entry.released) return;
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
      await store.db.commit(() => this.#dropOldest(session, "age", ({ at }) => now - at > limits.queueAge));
    }
  }

  /** Writes what may wait no longer. */
  [Symbol.dispose](): void {
    this.#ports.store.db.commitNow(() => this.#forgetDone());
  }

  #create(client: string, row: number, owner: string): Session {
    const { limits, figures, mayReceive } = this.#ports;
    const session = new Session(client, row, owner, {
      inflight: limits.inflight,
      mayReceive,
      load: (session, after) => this.#load(session, after),
      done: (session, entry) => this.#delivered(session, entry),
      sent: (qos) => {
        figures.sent[qos]++;
      },
    });
    this.#sessions.set(client, session);
    return session;
  }

  #delivered(session: Session, entry: Entry): void {
    session.messages--;
    session.bytes -= entryBytes(entry);
    if (!session.isDurable) return;
    this.#done.push({ session, entry });
    if (this.#done.length === 1) this.#ports.store.db.commit(() => this.#forgetDone(), GATHER_MS).catch(() => {});
  }

  #forgetDone(): void {
    const done = this.#done;
    this.#done = [];
    for (const { session, entry } of done) this.#dequeue(session.row, entry.seq, entry.message);
  }

  #dequeue(row: number, seq: number, message: number): void {
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
        this.#dropOldest(session, "drop-oldest", (head) => {
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

  /** Drops from the head of what was not sent yet, as long as `isDue` says so. */
  #dropOldest(
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
      this.#dequeue(session.row, seq, message);
      session.messages--;
      session.bytes -= bytes;
      session.dropped(seq);
    }
    if (due.length > 0) figures.drop(session.client, policy, due.length);
  }

  #load(session: Session, after: number): readonly Entry[] {
    const entries: Entry[] = [];
    let bytes = 0;
    for (const row of this.#ports.store.queue.iterate(session.row, after)) {
      const { seq, topic, payload, qos, message } = row;
      const dup = seq <= session.maybeSent;
      entries.push({ seq, topic, payload, qos, message, retain: row.retain === 1, released: row.released === 1, dup });
      bytes += payload.length;
      if (bytes >= READ_BYTES || entries.length >= READ_ENTRIES) break;
    }
    return entries;
  }

  #restore(): void {
    const { store, limits } = this.#ports;
    const byRow = new Map<number, Session>();
    for (const { id, client, owner, messages, bytes, last } of store.sessions.all()) {
      const session = this.#create(client, id, owner);
      byRow.set(id, session);
      Object.assign(session, { messages, bytes, nextSeq: last + 1, maybeSent: last - messages + limits.inflight });
    }
    for (const { session: row, filter, qos } of store.subscriptions.all()) {
      const session = byRow.get(row);
      if (session) this.subscribeNow(session, [[filter, qos]]);
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
