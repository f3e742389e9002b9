import type { Line } from "./line.ts";
import { encodeAck, encodePublish } from "./packets.ts";

export type Qos = 0 | 1 | 2;

/** A message that waits for one session. */
export interface Entry {
  /** Its place in the session's queue; the packet identifier follows from it, so it is the same after a restart. */
  readonly seq: number;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 1 | 2;
  readonly retain: boolean;
  /** The row that holds topic and payload; 0 when it is in memory only. */
  readonly message: number;
  /** True when PUBREC came: from then on only PUBREL is sent [MQTT-4.3.3-1]. */
  released: boolean;
  /** True when it may have been sent before. */
  dup: boolean;
}

/** What a session needs of the outside. */
export interface SessionPorts {
  /** Reads waiting entries after this number from the disk, at most some; only of durable sessions. */
  readonly load: (session: Session, after: number) => readonly Entry[];
  /** Is told that an entry is delivered. */
  readonly done: (session: Session, entry: Entry) => void;
  readonly sent: (qos: Qos) => void;
  /** May this client still receive this topic? */
  readonly mayReceive: (session: Session, topic: string) => boolean;
  readonly limits: { readonly inflight: number };
}

/** Bytes of an entry as limits count them: the message and its keeping. */
export function entryBytes({ topic, payload }: { readonly topic: string; readonly payload: Uint8Array }): number {
  return topic.length + payload.length + 64;
}

/** Entries that a durable session keeps in memory while it is connected; the rest is on disk. */
const MOST_LOADED = 2000;
const MOST_LOADED_BYTES = 1024 * 1024;

/**
 * What the broker owes one client: its subscriptions and its queue at QoS 1 and 2. The window is sent and waits for
 * acknowledgement; behind it the head of the queue is in memory and, for durable sessions, all of it on disk.
 */
export class Session {
  readonly client: string;
  /** Row of a durable session; 0 of one that ends with its connection. */
  readonly row: number;
  readonly owner: string;
  readonly subscriptions = new Map<string, Qos>();
  /** Packet identifiers of QoS 2 messages that were taken and not yet released [MQTT-4.3.3-2]. */
  readonly incoming = new Map<number, Promise<void>>();
  /** Messages in the queue, in flight or not, and their bytes. */
  messages = 0;
  bytes = 0;
  nextSeq = 1;
  /** What may have been sent before a restart: entries up to a number, at most so many of them. */
  maybeSent = { upTo: 0, entries: 0 };
  /** Scratch of a fan-out: which one saw this session last, and the highest QoS that matched. */
  mark = 0;
  best: Qos = 0;
  line: Line | undefined;
  readonly #ports: SessionPorts;
  readonly #window = new Map<number, Entry>();
  #waiting: Entry[] = [];
  #head = 0;
  #loadedBytes = 0;
  #lastLoaded = 0;
  #lastSent = 0;

  constructor(client: string, row: number, owner: string, ports: SessionPorts) {
    this.client = client;
    this.row = row;
    this.owner = owner;
    this.#ports = ports;
  }

  get isDurable(): boolean {
    return this.row > 0;
  }

  /** The number after which nothing was sent yet: what is beyond may still be dropped. */
  get lastSent(): number {
    return this.#lastSent;
  }

  /** The client is here: what it did not acknowledge comes again, in order [MQTT-4.4.0-1], [MQTT-4.6.0-1]. */
  attach(line: Line): void {
    this.line = line;
    line.roomy = () => this.pump();
    for (const [id, entry] of this.#window) {
      entry.dup = true;
      if (entry.released) line.send(encodeAck(6, id));
      else this.#send(id, entry);
    }
    this.pump();
  }

  /** The client is gone. A durable session keeps its window and forgets what it can read again. */
  detach(line: Line): void {
    if (this.line !== line) return;
    this.line = undefined;
    this.#waiting = [];
    this.#head = 0;
    this.#loadedBytes = 0;
    this.#lastLoaded = this.#lastSent;
  }

  /** Takes an entry that is in the queue; on disk already when the session is durable. */
  push(entry: Entry): void {
    if (!this.isDurable) {
      this.messages++;
      this.bytes += entryBytes(entry);
    } else if (!this.line || this.#lastLoaded !== entry.seq - 1 || this.#isFull) {
      // It is read when its turn comes; a gap must be read first.
      this.pump();
      return;
    }
    this.#keep(entry);
    this.pump();
  }

  /** Numbers up to this one were dropped, beyond what was sent. */
  dropped(upTo: number): void {
    while (this.#head < this.#waiting.length && (this.#waiting[this.#head]?.seq ?? 0) <= upTo) this.#shift();
    this.#lastLoaded = Math.max(this.#lastLoaded, upTo);
  }

  /** PUBACK or PUBCOMP came. */
  acknowledged(id: number, qos: 1 | 2): void {
    const entry = this.#window.get(id);
    if (entry?.qos !== qos) return;
    this.#window.delete(id);
    this.#ports.done(this, entry);
    this.pump();
  }

  /** The entry for which PUBREC came. */
  inWindow(id: number): Entry | undefined {
    return this.#window.get(id);
  }

  /** Sends what the window and the socket have room for. */
  pump(): void {
    const { line } = this;
    if (!line) return;
    while (this.#window.size < this.#ports.limits.inflight && line.isRoomy) {
      const entry = this.#next();
      if (!entry) break;
      const id = ((entry.seq - 1) % 65_535) + 1;
      // All other ids went round while this one was never acknowledged [MQTT-2.3.1-4].
      if (this.#window.has(id)) break;
      this.#shift();
      this.#lastSent = entry.seq;
      if (!this.#ports.mayReceive(this, entry.topic)) {
        this.#ports.done(this, entry);
        continue;
      }
      this.#window.set(id, entry);
      if (entry.seq <= this.maybeSent.upTo && this.maybeSent.entries-- > 0) entry.dup = true;
      if (entry.released) line.send(encodeAck(6, id));
      else this.#send(id, entry);
    }
    if (!this.isDurable) line.backlog = this.bytes;
  }

  get #isFull(): boolean {
    return this.#waiting.length - this.#head >= MOST_LOADED || this.#loadedBytes >= MOST_LOADED_BYTES;
  }

  #keep(entry: Entry): void {
    this.#waiting.push(entry);
    this.#lastLoaded = entry.seq;
    this.#loadedBytes += entryBytes(entry);
  }

  #shift(): void {
    const entry = this.#waiting[this.#head];
    if (!entry) return;
    this.#waiting[this.#head++] = undefined as never;
    this.#loadedBytes -= entryBytes(entry);
    if (this.#head === this.#waiting.length) {
      this.#waiting = [];
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
  }

  /** The entry whose turn it is; read from disk when none is at hand. */
  #next(): Entry | undefined {
    if (this.#head === this.#waiting.length && this.isDurable && this.messages > this.#window.size)
      for (const entry of this.#ports.load(this, this.#lastLoaded)) this.#keep(entry);
    return this.#waiting[this.#head];
  }

  #send(id: number, { topic, payload, qos, retain, dup }: Entry): void {
    this.line?.send(encodePublish({ topic, payload, qos, retain, dup, id }));
    this.#ports.sent(qos);
  }
}
