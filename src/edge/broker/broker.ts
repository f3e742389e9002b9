import type { Duplex } from "node:stream";
import { type Clock, systemClock } from "#std/clock";
import type { Fault } from "#std/fault";
import type { Endpoint } from "#std/listen";
import type { Log } from "#std/log";
import { Scope } from "#std/scope";
import type { Params, Topic } from "#wire/topic";
import { Access, type AccessConfig, type Peer } from "./access.ts";
import { identityOf } from "./acl.ts";
import { Admission } from "./admission.ts";
import { type ListenerConfig, type MqttConfig, mqttLimits } from "./config.ts";
import { openEngine } from "./engine.ts";
import type { Reader, Said } from "./fanout.ts";
import { Figures } from "./figures.ts";
import { Ledger } from "./ledger.ts";
import { type Listener, openListener, openWebSocketListener } from "./listeners.ts";
import type { Publication } from "./queues.ts";
import { readTopic } from "./readers.ts";
import { openBrokerStore } from "./store.ts";

/** The site's MQTT broker: the door between the applications here and the twins. */
export interface Broker extends Endpoint, AsyncDisposable {
  /** Connected clients. */
  readonly clients: number;
  /** Publishes to all who subscribed. Nobody has to wait for it: what is retained is held at once. */
  publish<P extends string, T>(topic: Topic<P, T>, params: Params<P>, body: T): void;
  /** The same for a text that is encoded already, on the way of every value. */
  publishText(topic: string, text: string, retain: boolean): void;
  /** Takes a retained message away. */
  clear<P extends string, T>(topic: Topic<P, T>, params: Params<P>): void;
  /** Yields what clients publish from now on until the signal aborts. */
  subscribe<P extends string, T>(topic: Topic<P, T>, signal: AbortSignal): AsyncIterable<Message<P, T>>;
  /** Listens to a filter, undecoded, until the returned function is called. */
  listen(filter: string, reader: Reader): () => void;
  /** True while a client of this id is connected. */
  has(client: string): boolean;
  /** Publishes for somebody else, such as a bridge; resolves when all who are owed the message have it on disk. */
  inject(publication: Publication): Promise<void>;
  /** What it counted. */
  readonly figures: BrokerFigures;
  /** Why it can not do its work: its disk, or the broker that is in its place. */
  readonly trouble: Fault | undefined;
  /** Where else it listens. */
  readonly endpoints: readonly Endpoint[];
  /**
   * Takes other users, rights, limits and certificates, all or none, at once and for those who are connected too.
   * @throws {Fault} `CONFIG_INVALID` when a certificate can not be used; then nothing has changed.
   */
  reload(next: ReloadOptions): Promise<void>;
}

/** Counts since the start, and levels now. */
export interface BrokerFigures extends Pick<Figures, "connects" | "received" | "sent" | "refused" | "dropped"> {
  droppedByClient(): Iterable<{ readonly client: string; readonly policy: string; readonly messages: number }>;
  /** Messages that wait for sessions, and their bytes. */
  queued(): { readonly messages: number; readonly bytes: number };
  readonly retained: number;
  readonly subscriptions: number;
}

/** A message of a client, or why it could not be read. */
export type Message<P extends string, T> = {
  readonly params: Params<P>;
  /** Is called when nothing of it can be lost any more: only then a message at QoS 1 or 2 is acknowledged. */
  accept(): void;
} & ({ readonly ok: true; readonly body: T } | { readonly ok: false; readonly fault: Fault });

export interface BrokerOptions extends Endpoint, Partial<Omit<MqttConfig, "host" | "port" | "external">> {
  readonly log: Log;
  /** Folder of `broker.db`. @default ":memory:", where nothing outlives the process. */
  readonly dataDir?: string;
  readonly clock?: Clock;
}

/** What may change while the broker runs. Listeners are found by their place; only their certificates change. */
export type ReloadOptions = AccessConfig & Partial<Pick<MqttConfig, "limits" | "listeners">>;

/** Sessions and messages that are too old are looked for this often. */
const EXPIRE_MS = 60_000;

/**
 * Starts the broker. What is returned is listening; disposing it closes every client and the port.
 * @throws {Fault} as `listen` and `openDatabase`.
 */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
  const { host, port, log, dataDir = ":memory:", clock = systemClock, listeners = [], users = [], acl } = options;
  // One object that all parts look at when they need it: a reload changes what is in it.
  const limits = { ...(options.limits ?? mqttLimits.parse({})) };
  const scope = new Scope();
  try {
    const store = scope.use(openBrokerStore(dataDir, log));
    const figures = new Figures();
    const access = new Access({ users, acl });
    const mayReceive = ({ owner }: { readonly owner: string }, topic: string) =>
      access.rights(identityOf(owner)).mayReceive(topic);
    const ledger = scope.use(new Ledger({ store, limits, figures, clock, mayReceive }));
    const engine = scope.use(openEngine({ ledger, access, limits, figures, log }));
    const { fanout } = engine;
    await engine.enforce(new Set());
    const admission = new Admission(limits);
    const take = (socket: Duplex, peer: Peer) => {
      const reason = admission.enter(peer.address, clock.monotonic());
      if (reason) {
        figures.refuse(`connections ${reason}`);
        socket.destroy();
        return;
      }
      socket.once("close", () => admission.leave(peer.address));
      engine.take(socket, peer);
    };
    await publishWills(ledger, fanout.deliver.bind(fanout), access, log);
    const main = scope.use(await openListener({ host, port }, take));
    const open = async (listener: ListenerConfig) =>
      scope.use(await (listener.websocket ? openWebSocketListener : openListener)(listener, take));
    const page = options.websocket && (await open({ ...options.websocket, websocket: true }));
    const further: Listener[] = [];
    for (const listener of listeners) further.push(await open(listener));
    const endpoints = [...(page ? [page] : []), ...further].map(({ host, port }) => ({ host, port }));
    scope.run("expiry", async (signal) => {
      for (;;) {
        await clock.sleep(EXPIRE_MS, signal);
        await ledger.expire().catch((error: unknown) => log.error("old messages not dropped", { error }));
      }
    });

    const publishText = (topic: string, text: string, retain: boolean) => {
      if (retain) ledger.retained.say(topic, text);
      fanout.hear(topic, text, retain)?.catch(() => {});
      fanout.deliver({ topic, payload: text, qos: 0 });
    };

    return {
      host: main.host,
      port: main.port,
      endpoints,
      get clients() {
        return engine.clients;
      },
      publishText,
      publish: (topic, params, body) => publishText(topic.at(params), topic.encode(body), topic.retain),
      clear: (topic, params) => publishText(topic.at(params), "", true),
      subscribe: (topic, signal) =>
        readTopic(topic, (filter, reader) => fanout.listen(filter, reader), { log, signal }),
      listen: (filter, reader) => fanout.listen(filter, reader),
      has: (client) => engine.has(client),
      async inject(publication) {
        const { topic, qos, payload, retain } = publication;
        const heard = fanout.hear(topic, payload, retain);
        if (qos > 0) await heard;
        else heard?.catch(() => {});
        const targets = ledger.durableTargets(topic, qos);
        if (qos > 0 && (targets.length > 0 || retain)) await ledger.queues.publish(publication, targets);
        if (retain && qos > 0) ledger.retained.keep({ topic, payload, qos });
        else if (retain) ledger.retainSoon(topic, payload);
        fanout.deliver(publication);
      },
      figures: {
        get connects() {
          return figures.connects;
        },
        received: figures.received,
        sent: figures.sent,
        refused: figures.refused,
        dropped: figures.dropped,
        droppedByClient: () => figures.droppedByClient(),
        queued: () => ledger.queued(),
        get retained() {
          return ledger.retained.size;
        },
        get subscriptions() {
          return ledger.subscriptions;
        },
      },
      get trouble() {
        return store.db.trouble;
      },
      async reload(next) {
        const prepared = further.map((listener, i) => listener.prepare(next.listeners?.[i]?.tls));
        for (const use of prepared) use();
        Object.assign(limits, next.limits);
        await engine.enforce(access.reload(next));
      },
      [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
    };
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw error;
  }
}

/** Clients that were connected when the node ended did not say goodbye: their wills are due [MQTT-3.1.2-8]. */
async function publishWills(ledger: Ledger, deliver: (said: Said) => void, access: Access, log: Log): Promise<void> {
  for (const { client, owner, topic, payload, qos, retain } of ledger.wills()) {
    if (access.rights(identityOf(owner)).mayPublish(topic)) {
      const will = { topic, payload, qos, retain: retain === 1 };
      await ledger.queues.publish(will, ledger.durableTargets(topic, qos));
      if (will.retain) ledger.retained.keep(will);
      deliver(will);
    } else log.warn("will refused", { client, topic });
    await ledger.dropWill(client);
  }
}
