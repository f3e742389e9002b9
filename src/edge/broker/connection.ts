import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import { isDiskFault } from "#std/disk-fault";
import type { Log } from "#std/log";
import type { Peer } from "./access.ts";
import type { Identity } from "./acl.ts";
import type { MqttLimits } from "./config.ts";
import {
  type Connect,
  decodeConnect,
  decodePublish,
  decodeSubscribe,
  decodeUnsubscribe,
  idOf,
  type Publish,
} from "./decode.ts";
import type { Fanout } from "./fanout.ts";
import type { Packet } from "./fields.ts";
import type { Figures } from "./figures.ts";
import type { Intake } from "./intake.ts";
import type { Ledger } from "./ledger.ts";
import { Line } from "./line.ts";
import { encodeAck, encodeConnack, encodeRefusal, PINGRESP } from "./packets.ts";
import type { Session } from "./session.ts";
import type { Subscribing } from "./subscribing.ts";
import type { Tide } from "./tide.ts";

export interface ConnectionPorts {
  readonly ledger: Ledger;
  readonly intake: Intake;
  readonly subscribing: Subscribing;
  readonly fanout: Pick<Fanout, "deliver" | "hear">;
  readonly limits: MqttLimits;
  readonly tide: Tide;
  readonly figures: Figures;
  readonly log: Log;
  /** Proves who connects and begins his session, or says with which code he is refused. */
  readonly enter: (connection: Connection, hello: Connect) => Promise<Entry | Refusal>;
  /** Is told once that it is closed. */
  readonly left: (connection: Connection) => void;
}

export interface Entry {
  readonly identity: Identity;
  readonly session: Session;
  /** True when the session was kept from before [MQTT-3.2.2-2]. */
  readonly isResumed: boolean;
}

/** **Source:** MQTT 3.1.1, table 2.1; the guard lets nothing else pass. */
const [CONNECT, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP] = [1, 3, 4, 5, 6, 7];
const [SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT] = [8, 10, 12, 14];

/** **Source:** MQTT 3.1.1, table 3.1. */
export type Refusal = 2 | 3 | 4 | 5;

const REASONS: Readonly<Record<Refusal, string>> = {
  2: "client id in use",
  3: "unavailable",
  4: "bad password",
  5: "not authorized",
};

/** One client, from its first byte to its will. **Source:** MQTT 3.1.1, chapter 3. */
export class Connection {
  readonly line: Line;
  readonly peer: Peer;
  client = "";
  identity: Identity | undefined;
  session: Session | undefined;
  /** True from the first message that it could not take until it has caught up. */
  isBehind = false;
  /** Resolves, once it is closed, when its will is published. */
  over: Promise<void> = Promise.resolve();
  readonly #ports: ConnectionPorts;
  /** Ends who says nothing: before CONNECT, and beyond his keep alive. */
  #silence: NodeJS.Timeout | undefined;
  #will: Publish | undefined;
  #isClosed = false;

  constructor(socket: Duplex, peer: Peer, ports: ConnectionPorts) {
    const { limits, tide, figures } = ports;
    this.peer = peer;
    this.#ports = ports;
    this.line = new Line({
      socket,
      address: peer.address,
      limits,
      tide,
      handle: (packet) => this.#handle(packet),
      refused: ({ reason }) => {
        figures.refuse(reason);
        this.#tell(reason);
      },
    });
    this.#silence = setTimeout(() => this.refuse("connect timeout"), limits.connectTimeout);
    socket.once("close", () => this.close());
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Closes it for a reason that is counted and told. */
  refuse(reason: string): void {
    if (this.#isClosed) return;
    this.#ports.figures.refuse(reason);
    this.#tell(reason);
    this.close();
  }

  /** Ends it, and publishes its will unless it said goodbye [MQTT-3.1.2-8]. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#silence);
    this.session?.detach(this.line);
    this.line.socket.destroy();
    this.over = this.#leave();
    this.#ports.left(this);
  }

  #tell(reason: string): void {
    const client = this.client === "" ? undefined : this.client;
    this.#ports.log.warn("client closed", { client, address: this.peer.address, reason });
  }

  /** A throw while a packet is handled costs this client, never the process. */
  #handle(packet: Packet): void {
    try {
      this.#take(packet);
    } catch (error) {
      this.#broke(error);
    }
  }

  #broke(error: unknown): void {
    if (!isDiskFault(error)) this.#ports.log.error("client broke", { client: this.client, error });
    this.close();
  }

  #take(packet: Packet): void {
    const { ledger, subscribing } = this.#ports;
    const type = packet.first >> 4;
    if (type === CONNECT) {
      this.#connect(decodeConnect(packet)).catch((error: unknown) => this.#broke(error));
      return;
    }
    const { line, session } = this;
    if (!session) return;
    this.#silence?.refresh();
    if (type === PUBLISH) {
      this.#publish(decodePublish(packet), session);
      return;
    }
    if (type === PINGREQ) {
      line.send(PINGRESP);
      return;
    }
    if (type === DISCONNECT) {
      this.#will = undefined;
      this.close();
      return;
    }
    const id = idOf(packet);
    const author = { line, session };
    if (type === PUBACK) session.acknowledged(id, 1);
    else if (type === PUBCOMP) session.acknowledged(id, 2);
    else if (type === PUBREC) this.#answer(ledger.release(session, id), () => line.send(encodeAck(6, id)));
    else if (type === PUBREL) this.#answer(ledger.forgetIncoming(session, id), () => line.send(encodeAck(7, id)));
    else if (type === SUBSCRIBE) this.#answer(subscribing.subscribe(author, id, decodeSubscribe(packet)));
    else if (type === UNSUBSCRIBE) this.#answer(subscribing.unsubscribe(author, id, decodeUnsubscribe(packet)));
  }

  /** Goes on when a change is on disk. */
  #answer(changed: Promise<void>, then = () => {}): void {
    changed.then(then).catch((error: unknown) => this.#broke(error));
  }

  async #connect(hello: Connect): Promise<void> {
    clearTimeout(this.#silence);
    this.#silence = undefined;
    const { ledger, figures, log, enter } = this.#ports;
    this.client = hello.client === "" ? `auto-${randomUUID()}` : hello.client;
    const entered = await enter(this, hello);
    if (this.#isClosed) return;
    if (typeof entered === "number") {
      figures.refuse(REASONS[entered]);
      log.warn("connect refused", { client: this.client, address: this.peer.address, code: entered });
      this.line.end(encodeRefusal(entered));
      return;
    }
    const { identity, session, isResumed } = entered;
    this.identity = identity;
    this.session = session;
    const { will } = hello;
    if (will) await ledger.putWill({ client: this.client, owner: session.owner, ...will, retain: will.retain ? 1 : 0 });
    else await ledger.dropWill(this.client);
    if (this.#isClosed) return;
    this.#will = will && { ...will, id: 0 };
    figures.connects++;
    this.line.send(encodeConnack(isResumed));
    session.attach(this.line);
    if (hello.keepAlive > 0) {
      // One and a half times what it promised [MQTT-3.1.2-24].
      this.#silence = setTimeout(() => {
        log.debug("client silent", { client: this.client });
        this.close();
      }, hello.keepAlive * 1500);
    }
    this.line.open();
  }

  #publish(message: Publish, session: Session): void {
    const { line } = this;
    const taken = this.#ports.intake.publish({ line, session }, message);
    if (taken === "refused") this.close();
    else if (!taken) this.#handOn(message, false);
    // What could not be stored was told where that was found.
    else
      taken.saved.then(
        () => this.#handOn(message, taken.isRepeat),
        () => this.close(),
      );
  }

  /** Acknowledges a message, and gives it to those who are here. */
  #handOn(message: Publish, isRepeat: boolean): void {
    const { topic, payload, qos, retain, id } = message;
    if (qos > 0 && id > 0) this.line.send(encodeAck(qos === 1 ? 4 : 5, id));
    if (isRepeat) return;
    const { ledger, fanout } = this.#ports;
    if (retain && qos === 0) ledger.retainSoon(topic, payload);
    if (qos === 0) fanout.hear(topic, payload, retain)?.catch(() => {});
    fanout.deliver(message);
  }

  /** What is left to do for a client that went. */
  async #leave(): Promise<void> {
    const { ledger, intake } = this.#ports;
    const { line, session, client } = this;
    const will = this.#will;
    this.#will = undefined;
    if (!session) return;
    try {
      const taken = will && intake.publish({ line, session }, will);
      if (taken !== "refused" && will) {
        await taken?.saved;
        this.#handOn(will, false);
      }
      await ledger.dropWill(client);
    } catch (error) {
      // It is still on disk: the next start publishes it.
      this.#ports.log.error("will not published", { client, error });
    }
  }
}
