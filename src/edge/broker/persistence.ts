import { Readable } from "node:stream";
import type { Ledger } from "./ledger.ts";
import type { Qos, Session } from "./session.ts";

/** A connected client, as far as it matters here. */
interface Client {
  readonly id: string;
}

interface Subscription {
  readonly topic: string;
  readonly qos: number;
}

interface Published {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos: Qos;
  readonly retain?: boolean;
}

/** What aedes asks of its persistence. **Source:** aedes-persistence 10, asyncPersistence.js. */
interface Persistence<C extends Client> {
  setup(): Promise<void>;
  storeRetained(packet: Published): Promise<void>;
  createRetainedStreamCombi(filters: readonly string[]): Readable;
  addSubscriptions(client: C, subscriptions: readonly Subscription[]): Promise<void>;
  removeSubscriptions(client: C, filters: readonly string[]): Promise<void>;
  subscriptionsByClient(client: { readonly id: string }): Promise<readonly Subscription[]>;
  subscriptionsByTopic(topic: string): Promise<readonly never[]>;
  cleanSubscriptions(client: C): Promise<void>;
  outgoingEnqueueCombi(targets: readonly never[], packet: Published): Promise<void>;
  outgoingUpdate(client: C, packet: Identified): Promise<void>;
  outgoingClearMessageId(client: C, packet: Identified): Promise<undefined>;
  outgoingStream(client: C): Readable;
  incomingStorePacket(client: C, packet: Identified): Promise<void>;
  incomingGetPacket(client: C, packet: Identified): Promise<Identified>;
  incomingDelPacket(client: C, packet: Identified): Promise<void>;
  cleanIncoming(client: C): Promise<void>;
  putWill(client: C, will: Published): Promise<void>;
  delWill(client: { readonly id: string }): Promise<void>;
  streamWill(): Readable;
}

interface Identified {
  readonly cmd: string;
  readonly messageId?: number;
}

export interface PersistencePorts<C extends Client> {
  readonly ledger: Ledger;
  /** The session of a client that was let in. */
  readonly sessionOf: (client: C) => Session | undefined;
  /** True once for a QoS 2 packet that was stored just now, so that it is not taken for its own repeat. */
  readonly isFresh: (packet: object) => boolean;
  /** True when the client came back to a session that was kept. */
  readonly isResumed: (client: string) => boolean;
}

/** It makes aedes say "session present" and nothing else [MQTT-3.2.2-2]. */
const PRESENT = "$present";

/**
 * The ledger as aedes knows it. Messages are stored before aedes acknowledges them and sent by the sessions' queues,
 * so most of what it asks for is nothing; what it tells of acknowledgements and subscriptions is what counts.
 */
export function createPersistence<C extends Client>({
  ledger,
  sessionOf,
  isFresh,
  isResumed,
}: PersistencePorts<C>): Persistence<C> {
  const id = ({ messageId = 0 }: Identified) => messageId;
  return {
    async setup() {},
    async storeRetained({ topic, payload, qos }) {
      if (qos === 0) ledger.retainSoon(topic, toBuffer(payload));
    },
    createRetainedStreamCombi: () => Readable.from([]),
    async addSubscriptions() {},
    async removeSubscriptions() {},
    async subscriptionsByClient(client) {
      return isResumed(client.id) ? [{ topic: PRESENT, qos: 0 }] : [];
    },
    subscriptionsByTopic: async () => [],
    async cleanSubscriptions() {},
    async outgoingEnqueueCombi() {},
    async outgoingUpdate(client, packet) {
      const session = sessionOf(client);
      if (session && packet.cmd === "pubrel") await ledger.release(session, id(packet));
    },
    async outgoingClearMessageId(client, packet) {
      if (packet.messageId !== undefined) sessionOf(client)?.acknowledged(packet.messageId, packet.cmd);
      return undefined;
    },
    outgoingStream: () => Readable.from([]),
    async incomingStorePacket() {},
    async incomingGetPacket(client, packet) {
      if (isFresh(packet) || !sessionOf(client)?.incoming.has(id(packet))) throw new Error("no such packet");
      return packet;
    },
    async incomingDelPacket(client, packet) {
      const session = sessionOf(client);
      if (session) await ledger.forgetIncoming(session, id(packet));
    },
    async cleanIncoming() {},
    async putWill(client, { topic, payload, qos, retain }) {
      const owner = sessionOf(client)?.owner ?? "";
      const will = { topic, payload: toBuffer(payload), qos, retain: retain ? 1 : 0 };
      await ledger.putWill({ client: client.id, owner, ...will });
    },
    async delWill({ id: client }) {
      await ledger.dropWill(client);
    },
    streamWill: () => Readable.from([]),
  };
}

function toBuffer(payload: string | Buffer): Buffer {
  return typeof payload === "string" ? Buffer.from(payload) : payload;
}
